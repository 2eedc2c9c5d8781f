/** Cases as a list and on a map, the most urgent first; filters in the address, changes as they happen. Read by officers all day. */

import { html, locale, say, showTime, t, useEffect, useMemo, useState } from "../pages/ui.js";
import { allOf, get, hasRole } from "./api.js";
import { BulkSend } from "./bulk.js";
import { Until, untilWords } from "./clock.js";
import { kept, useLive } from "./live.js";
import { Map as AreaMap } from "./map.js";
import { areaKnown, areaName, AreaName, categoryName, Empty, Exports, Filters, More, setQuery, Status, Table, Trouble, unitName, UnitName, useCategories } from "./parts.js";
import { maySend, ownUnits, rules } from "./steps.js";
import { titleOf } from "./titles.js";
import { SavedViews } from "./views.js";

const STEP = 50;
const MOST = 500;
const EXPORTED = 5000;
const PATH = "cases";
const STATUSES = "reported verified accepted registered dispatched mustering acknowledged rework self_handled handled check_failed checked suspended rejected merged closed".split(" ");
const OVER = ["rejected", "merged", "closed"];
const LEVELS = ["grid", "community", "subdistrict", "county"];
const URGENCIES = ["emergency", "urgent", "normal", "complex"];
const SORTS = ["due_at", "-reported_at", "reported_at"];
const ASKED = ["area", "status", "category", "level", "urgency", "holder", "overdue", "text", "from_day", "to_day", "sort"];

/** What the service is asked: open cases, unless the address says otherwise or names a status that is none of an open one. */
function queryOf(query) {
  const said = Object.fromEntries(ASKED.map((name) => [name, query.get(name)]).filter(([, value]) => value));
  const over = OVER.includes(said.status);
  const open = query.get("open") ?? (over ? "any" : "true");
  return { ...said, open: open === "any" ? undefined : open };
}

export function Cases({ query }) {
  const books = useCategories();
  const [chosen, setChosen] = useState(new Set());
  const [table, setTable] = useState(null);
  const asked = queryOf(query);
  const list = JSON.stringify(asked);
  const [more, setMore] = useState(() => ({ list, wanted: kept("/v1/cases", asked)?.wanted ?? STEP }));
  const wanted = more.list === list ? more.wanted : STEP;
  const live = useLive("/v1/cases", asked, { wanted, rowKey, version: ({ version, late_from: late }) => `${version} ${late}` });
  const rows = live.rows ?? [];
  useEffect(() => void rules().then(setTable, () => undefined), []);
  useEffect(() => void (lastList.address = location.hash));
  useEffect(() => leaveOut(chosen, rows, setChosen), [live.rows]);
  const picked = rows.filter((row) => chosen.has(row.case_id));
  const columns = columnsOf();
  const showMap = query.get("map") === "true";
  const toggleMap = () => setQuery(PATH, { ...Object.fromEntries(query), map: showMap ? "" : "true" });

  return html`
    <h1>${t("cases.list")}</h1>
    <${Filters} fields=${fieldsOf(books, rows, query)} query=${query} path=${PATH}>
      <${SavedViews} query=${query} path=${PATH} />
    </${Filters}>
    <div class="toolbar">
      <span role="status" class="muted">${counted(live)}</span>
      <button type="button" class="outline" aria-pressed=${showMap} onClick=${toggleMap}>${t("cases.map")}</button>
      ${ownUnits().some((unit) => !unit.includes("/")) && html`<a role="button" class="outline" href="#/report">${t("cases.report")}</a>`}
      <div class="end"><${Exports} name=${`${t("cases.file")}-${new Date().toISOString().slice(0, 10)}`} columns=${filed(columns)} rows=${(format) => exported(asked, format)} formats=${["csv", "xlsx", "geojson"]} /></div>
    </div>
    ${live.problem && html`<${Trouble} problem=${live.problem} />`}
    ${picked.length > 0 && html`<${BulkSend} cases=${picked} table=${table} onDone=${live.reload} onClear=${() => setChosen(new Set())} />`}
    ${showMap && html`<${CaseMap} rows=${rows} area=${asked.area} query=${query} />`}
    ${live.rows === null && !live.problem && html`<p aria-busy="true">${t("console.loading")}</p>`}
    ${live.rows !== null && rows.length === 0 && html`<${Empty}>${t("cases.none")}</${Empty}>`}
    ${rows.length > 0 && html`<div class=${live.stale ? "stale" : ""}><${Table} caption=${t("cases.list")} columns=${columns} rows=${rows} rowKey=${rowKey} mark=${({ case_id: id }) => (live.changed.has(id) ? "changed" : "")}
      select=${hasRole("officer") ? { chosen, onChange: setChosen, label: titleOf } : undefined} /></div>`}
    <${More} next=${wanted < MOST ? live.next : null} busy=${live.loading && rows.length < wanted} onMore=${() => setMore({ list, wanted: Math.min(MOST, wanted * 2) })} />
    ${wanted >= MOST && live.next && html`<p class="muted">${t("cases.most", { count: MOST })}</p>`}
  `;
}

/** Where the reader saw the list last: the way back from a case. */
export const lastList = { address: "#/cases" };

const rowKey = ({ case_id: id }) => id;

/** Cases that have left the list are no longer selected, and the reader is told. */
function leaveOut(chosen, rows, setChosen) {
  const there = new Set(rows.map(rowKey));
  const left = new Set([...chosen].filter((id) => there.has(id)));
  if (left.size === chosen.size) return;
  setChosen(left);
  say(t("cases.left", { count: chosen.size - left.size }));
}

function counted({ rows, next, fresh }) {
  if (!rows) return "";
  const late = rows.filter(({ overdue }) => overdue).length;
  return [t(next ? "cases.first" : "cases.count", { count: rows.length }), late > 0 && t("cases.count_late", { count: late }), fresh > 0 && t("cases.fresh", { count: fresh })].filter(Boolean).join(" · ");
}

// ---- filters

function fieldsOf(books, rows, query) {
  const holders = [...new Set([...ownUnits(), ...rows.map(({ holder }) => holder), query.get("holder")])].filter(Boolean);
  return [
    { name: "text", kind: "text", label: t("cases.text") },
    { name: "area", kind: "area", label: t("cases.area") },
    { name: "status", kind: "choice", label: t("cases.status"), options: STATUSES.map((word) => [word, t(`status.${word}`)]) },
    { name: "overdue", kind: "flag", label: t("cases.only_overdue") },
    { name: "category", more: true, kind: "choice", label: t("cases.category"), options: categoriesOf(books) },
    { name: "urgency", more: true, kind: "choice", label: t("cases.urgency"), options: URGENCIES.map((word) => [word, t(`cases.urgency.${word}`)]) },
    { name: "level", more: true, kind: "choice", label: t("cases.level"), options: LEVELS.map((word) => [word, t(`cases.level.${word}`)]) },
    { name: "holder", more: true, kind: "choice", label: t("cases.holder"), options: holders.map((unit) => [unit, unitName(unit)]) },
    { name: "from_day", more: true, kind: "day", label: t("cases.from_day") },
    { name: "to_day", more: true, kind: "day", label: t("cases.to_day") },
    { name: "open", more: true, kind: "choice", label: t("cases.open"), first: t("cases.open.true"), options: ["any", "false"].map((word) => [word, t(`cases.open.${word}`)]) },
    { name: "sort", more: true, kind: "choice", label: t("cases.sort"), first: t("cases.sort.due_at"), options: SORTS.slice(1).map((word) => [word, t(`cases.sort.${word.replace("-", "newest_")}`)]) },
  ];
}

/** The categories of all books, in their groups. */
export function categoriesOf(books) {
  return Object.entries(books).flatMap(([scheme, { codes }]) =>
    Object.keys(codes)
      .filter((code) => code.length === 1)
      .map((group) => ({
        group: categoryName(`${scheme}/${group}`),
        options: Object.keys(codes).filter((code) => code.startsWith(group)).map((code) => [`${scheme}/${code}`, categoryName(`${scheme}/${code}`)]),
      })),
  );
}

// ---- columns, which are also those of the exports

function columnsOf() {
  return [
    { key: "late_from", title: t("cases.deadline"), cell: (each) => html`<${Until} moment=${each.late_from} />${each.overtime && !each.overdue && html`<small>${t("cases.overtime")}</small>`}`, text: (each) => (each.late_from ? `${showTime(each.late_from)} (${untilWords(each.late_from).words})` : "") },
    { key: "summary", title: t("cases.matter"), cell: (each) => html`<a href=${`#/case/${each.case_id}`}><strong>${categoryName(each.category)}</strong></a><small>${each.summary ?? (each.private ? t("cases.private_matter") : "")}</small>`, text: (each) => each.summary ?? (each.private ? t("cases.private_matter") : "") },
    { key: "status", title: t("cases.status"), cell: (each) => html`<${Status} status=${each.status} />`, text: (each) => t(`status.${each.status}`) },
    { key: "urgency", title: t("cases.urgency"), cell: (each) => html`<span class=${each.urgency === "emergency" ? "late" : ""}>${t(`cases.urgency.${each.urgency}`)}</span>`, text: (each) => t(`cases.urgency.${each.urgency}`) },
    { key: "area", title: t("cases.area"), cell: (each) => html`<${AreaName} code=${each.area} />`, text: (each) => areaName(each.area) },
    { key: "holder", title: t("cases.holder"), cell: (each) => html`<${UnitName} unit=${each.holder} /><small><${Since} moment=${each.held_since} /></small>`, text: (each) => unitName(each.holder) },
    { key: "reported_at", title: t("cases.reported"), cell: (each) => html`<time datetime=${each.reported_at}>${shortTime(each.reported_at)}</time>`, text: (each) => showTime(each.reported_at) },
  ];
}

const shortTime = (moment) => new Date(moment).toLocaleString(locale(), { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const Since = ({ moment }) => t("cases.since", { when: shortTime(moment) });


/** What an export tells beside the columns that the list shows. */
const filed = (columns) => [
  { key: "case_id", title: t("cases.id"), text: (each) => each.case_id },
  { key: "reference", title: t("cases.reference"), text: (each) => each.reference },
  { key: "category", title: t("cases.category"), text: (each) => categoryName(each.category) },
  ...columns,
];

/** Every case that the filters let through, not only those that were scrolled to. On a map, what has no place of its own lies in its grid. */
async function exported(asked, format) {
  const rows = await allOf("/v1/cases", asked, { most: EXPORTED });
  if (rows.length === EXPORTED) say(t("cases.exported_most", { count: EXPORTED }));
  if (format !== "geojson") {
    await Promise.all([...new Set(rows.flatMap(({ area, holder }) => [area, holder.split("/")[0]]))].map(areaKnown));
    return rows;
  }
  const grids = new Map((await areasOf([...new Set(rows.filter(({ lat }) => typeof lat !== "number").map(({ area }) => area))])).map((each) => [each.code, each]));
  return rows.map((row) => ({ ...row, geometry: typeof row.lat === "number" ? null : geometryOf(grids.get(row.area)) }));
}

function geometryOf(area) {
  return area?.polygon ?? (area?.centre ? { type: "Point", coordinates: area.centre } : null);
}

// ---- the map, which shows what the list shows

function CaseMap({ rows, area, query }) {
  const [areas, setAreas] = useState([]);
  const codes = [...new Set(rows.map((row) => row.area))].sort().join(",");
  useEffect(() => {
    let wanted = true;
    outlines(area, codes.split(",").filter(Boolean)).then((found) => wanted && setAreas(found), () => undefined);
    return () => (wanted = false);
  }, [area, codes]);
  const within = useMemo(() => {
    const found = new Map();
    for (const row of rows) found.set(row.area, [...(found.get(row.area) ?? []), row]);
    return found;
  }, [rows]);
  const look = useMemo(
    () =>
      ({ code }) => {
        const here = within.get(code) ?? [];
        const late = here.filter(({ overdue }) => overdue).length;
        return { class: late ? "late" : here.length > 4 ? "many" : here.length ? "some" : "", text: here.length ? t("cases.here", { count: here.length, late }) : "", label: here.length ? String(here.length) : "" };
      },
    [within],
  );
  const points = useMemo(
    () =>
      rows.filter(({ lat }) => typeof lat === "number").map((row) => ({ key: row.case_id, lat: row.lat, lon: row.lon, class: row.overdue ? "late" : "", text: titleOf(row), onClick: () => (location.hash = `#/case/${row.case_id}`) })),
    [rows],
  );
  const narrow = useMemo(() => (code) => setQuery(PATH, { ...Object.fromEntries(query), area: code }), [query.toString()]);
  return html`<${AreaMap} label=${t("cases.map_label", { count: rows.length })} areas=${areas} look=${look} points=${points} chosen=${area} onArea=${narrow} />`;
}

const GRIDS = 600;
const TOGETHER = 100;
/** Outlines of all grids of a subdistrict or below; further up, of the grids that have cases in the list. */
async function outlines(area, codes) {
  const whole = area ?? wholeOf(ownUnits());
  if (whole && whole.length >= 9 && whole.length < 15) return (await allOf("/v1/areas", { area: whole, level: "grid" }, { most: GRIDS })).filter(({ polygon, centre }) => polygon || centre);
  return areasOf(codes);
}
const wholeOf = (units) => (units.length === 1 && !units[0].includes("/") ? units[0] : undefined);

/** Areas with their outlines, by code. */
async function areasOf(codes) {
  const found = [];
  for (let at = 0; at < codes.length; at += TOGETHER) found.push(...(await get("/v1/areas", { codes: codes.slice(at, at + TOGETHER).join(","), limit: TOGETHER })).items);
  return found;
}
