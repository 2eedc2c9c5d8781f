/** The areas for administrators: the tree of a day with its map, grids without a worker, and the import of a file, tried before it is recorded. */

import { Field, html, language, showDay, showNumber, t, today, useEffect, useMemo, useState } from "../pages/ui.js";
import { allOf, sendFile, session, useData } from "./api.js";
import { Coming, Facts, Mark, showBytes, useAction, usePages } from "./office.js";
import { Map } from "./map.js";
import { AreaName, Empty, Exports, Filters, More, Table, Trouble } from "./parts.js";
import { useNames } from "./people.js";

const LENGTHS = [4, 6, 9, 12, 15, 17];
const LEVELS = { 4: "city", 6: "county", 9: "subdistrict", 12: "community", 15: "grid", 17: "micro_grid" };
const SUBDISTRICT = 9;
const MOST_OUTLINES = 1000;

/** #/areas?code=&day= the tree, #/areas/staffing grids without a worker, #/areas/import. */
export function Areas({ rest: [part = "tree"], query }) {
  const View = { staffing: Staffing, import: Import }[part] ?? Tree;
  return html`<h1>${t(`areas.title.${part}`)}</h1>
    <nav class="office-tabs" aria-label=${t("areas.title.tree")}>
      ${["tree", "staffing", "import"].map((each) => html`<a key=${each} href=${each === "tree" ? "#/areas" : `#/areas/${each}`} aria-current=${each === part ? "page" : undefined}>${t(`areas.title.${each}`)}</a>`)}
    </nav>
    <${View} query=${query} />`;
}

// ---- the tree

const rootsOf = (grants) => [...new Set(grants.map(({ unit }) => unit.split("/")[0]))].sort().filter((code, at, all) => !all.some((other, place) => place < at && code.startsWith(other)));

function Tree({ query }) {
  const roots = rootsOf(session.value.grants);
  const code = query.get("code") ?? roots[0];
  const day = query.get("day") ?? "";
  const fields = [{ name: "day", label: t("areas.day"), kind: "day" }];
  return html`<${Filters} fields=${fields} query=${query} path="areas" />
    <div class="office-split">
      <section aria-label=${t("areas.title.tree")}>
        <ul class="office-tree">${roots.map((root) => html`<${Root} key=${root + day} code=${root} day=${day} chosen=${code} />`)}</ul>
      </section>
      ${code && html`<${Shown} key=${code + day} code=${code} day=${day} />`}
    </div>`;
}

function Root({ code, day, chosen }) {
  const { data, problem } = useData("/v1/areas", { area: code, level: LEVELS[code.length], day, outlines: false });
  const area = data?.items.find((each) => each.code === code);
  if (!area) return html`<li><${Coming} data=${data} problem=${problem} /><${Trouble} problem=${problem} />${data && html`<${Empty}>${t("areas.not_there")}</>`}</li>`;
  return html`<${Branch} area=${area} day=${day} chosen=${chosen} opened />`;
}

/** One area and, once it is opened, those one level below. */
function Branch({ area, day, chosen, opened }) {
  const { code, name, kind, effective_to } = area;
  const [open, setOpen] = useState(Boolean(opened) || (chosen.startsWith(code) && chosen !== code));
  const below = LENGTHS[LENGTHS.indexOf(code.length) + 1];
  const query = new URLSearchParams({ code, ...(day && { day }) });
  return html`<li>
    <span class="line">
      ${below ? html`<button type="button" class="fold" aria-expanded=${open} aria-label=${t(open ? "areas.fold" : "areas.unfold", { name })} onClick=${() => setOpen(!open)}>${open ? "▾" : "▸"}</button>` : html`<span class="fold"></span>`}
      <a href=${`#/areas?${query}`} aria-current=${code === chosen ? "true" : undefined}>${name}</a>
      <span class="muted mono">${code}</span>
      ${kind && html`<span class="muted">${t(`areas.kind.${kind}`)}</span>`}
      ${effective_to && html`<${Mark} tone="still">${t("areas.ended", { day: showDay(effective_to) })}</>`}
    </span>
    ${open && below && html`<${Below} code=${code} level=${LEVELS[below]} day=${day} chosen=${chosen} />`}
  </li>`;
}

function Below({ code, level, day, chosen }) {
  const pages = usePages("/v1/areas", { area: code, level, day, outlines: false }, { limit: 200 });
  return html`<ul>
    ${pages.items.map((area) => html`<${Branch} key=${area.code} area=${area} day=${day} chosen=${chosen} />`)}
    ${!pages.loading && !pages.items.length && !pages.problem && html`<li class="muted">${t("areas.nothing_below")}</li>`}
    <${Trouble} problem=${pages.problem} />
    <${More} next=${pages.next} onMore=${pages.more} busy=${pages.loading} />
  </ul>`;
}

/** What is recorded of one area, its outline or those of its grids, and who is assigned to it. */
function Shown({ code, day }) {
  const { data, problem } = useData("/v1/areas", { area: code, level: LEVELS[code.length], day });
  const [outlines, setOutlines] = useState([]);
  const area = data?.items.find((each) => each.code === code);
  const wide = code.length < LENGTHS.at(-2);
  useEffect(() => {
    if (wide && code.length >= SUBDISTRICT) allOf("/v1/areas", { area: code, level: "grid", day }, { most: MOST_OUTLINES }).then(setOutlines, () => setOutlines([]));
  }, [code, day]);
  const shapes = useMemo(() => (wide ? outlines : area ? [area] : []).filter(({ polygon, centre }) => polygon || centre), [outlines, area]);
  const people = useData("/v1/people", { unit: code, day: day || today() });
  const names = useNames((people.data?.items ?? []).map(({ person }) => person));
  if (!area) return html`<section><${Coming} data=${data} problem=${problem} /><${Trouble} problem=${problem} />${data && html`<${Empty}>${t("areas.not_there")}</>`}</section>`;
  return html`<section>
    <h2>${area.name}</h2>
    <${Facts} rows=${[
      [t("areas.code"), html`<span class="mono">${area.code}</span>`],
      [t("areas.level"), t(`past.level.${area.level}`)],
      [t("areas.kind"), area.kind && t(`areas.kind.${area.kind}`)],
      [t("areas.parent"), area.parent && html`<a href=${`#/areas?code=${area.parent}`}><${AreaName} code=${area.parent} /></a>`],
      [t("areas.reference"), area.reference],
      [t("areas.from"), showDay(area.effective_from)],
      [t("areas.to"), area.effective_to && showDay(area.effective_to)],
      [t("areas.successors"), area.successors.length > 0 && area.successors.map((each) => html`<a key=${each} href=${`#/areas?code=${each}`}><${AreaName} code=${each} /></a> `)],
      [t("areas.outline"), area.polygon ? t("areas.has_outline") : area.centre ? t("areas.has_centre") : t("areas.no_outline")],
    ]} />
    ${shapes.length > 0 && html`<${Map} label=${t("areas.map_of", { name: area.name })} areas=${shapes} chosen=${code} />`}
    ${wide && code.length < SUBDISTRICT && html`<p class="muted">${t("areas.map_from_subdistrict")}</p>`}
    <h3>${t("areas.assigned")}</h3>
    <${Trouble} problem=${people.problem} />
    ${people.data && (people.data.items.length
      ? html`<ul>${people.data.items.map(({ person, assignment, role, from_day }) => html`<li key=${assignment}>${t(`console.role.${role}`)} · <a href=${`#/people/${person}`}>${names[person]?.label ?? t("people.without_account")}</a> · ${t("areas.since", { day: showDay(from_day) })}</li>`)}</ul>`
      : html`<p class="muted">${t("areas.nobody")}</p>`)}
    <p><a href=${`#/people?area=${code}`}>${t("areas.people_below")}</a> · <a href=${`#/people/new?unit=${code}`}>${t("areas.assign_new")}</a></p>
  </section>`;
}

// ---- grids without a worker

function Staffing({ query }) {
  const day = query.get("day") || today();
  const area = query.get("area") ?? "";
  const pages = usePages("/v1/areas", { without_worker: day, area }, { limit: 200 });
  const fields = [
    { name: "day", label: t("areas.on_day"), kind: "day" },
    { name: "area", label: t("past.area"), kind: "area" },
  ];
  const columns = [
    { key: "name", title: t("areas.grid"), sort: true, cell: ({ name, code }) => html`<a href=${`#/areas?code=${code}`}>${name}</a>` },
    { key: "code", title: t("areas.code"), sort: true, cell: ({ code }) => html`<span class="mono">${code}</span>` },
    { key: "kind", title: t("areas.kind"), text: ({ kind }) => (kind ? t(`areas.kind.${kind}`) : ""), cell: ({ kind }) => (kind ? t(`areas.kind.${kind}`) : "—") },
    { key: "parent", title: t("areas.parent"), cell: ({ parent }) => html`<${AreaName} code=${parent} />` },
    { key: "assign", title: t("areas.assign"), text: () => "", cell: ({ code }) => html`<a href=${`#/people/new?unit=${code}`}>${t("areas.assign_new")}</a>` },
  ];
  const shapes = useMemo(() => pages.items.filter(({ polygon, centre }) => polygon || centre), [pages.items]);
  return html`<p class="muted">${t("areas.staffing_explain")}</p>
    <${Filters} fields=${fields} query=${query} path="areas/staffing" />
    <div class="toolbar">
      <span role="status">${pages.loading ? t("console.loading") : t(pages.next ? "areas.without_more" : "areas.without", { count: showNumber(pages.items.length), day: showDay(day) })}</span>
      <span class="end"><${Exports} name=${`grids-without-worker-${day}`} columns=${columns.slice(0, 4)} formats=${["csv", "xlsx", "geojson"]} rows=${async () => (await allOf("/v1/areas", { without_worker: day, area }, { most: 20_000 })).map((row) => ({ ...row, geometry: row.polygon }))} /></span>
    </div>
    <${Trouble} problem=${pages.problem} />
    ${pages.items.length > 0 && html`<div class="office-split">
      <${Table} caption=${t("areas.title.staffing")} columns=${columns} rows=${pages.items} rowKey=${({ code }) => code} />
      ${shapes.length > 0 && html`<${Map} label=${t("areas.title.staffing")} areas=${shapes} look=${LATE} />`}
    </div>`}
    ${!pages.loading && !pages.problem && !pages.items.length && html`<${Empty}>${t("areas.all_staffed")}</>`}
    <${More} next=${pages.next} onMore=${pages.more} busy=${pages.loading} />`;
}
const LATE = () => ({ class: "late" });

// ---- import

const TYPES = { csv: "text/csv", xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", geojson: "application/geo+json", json: "application/geo+json" };

function Import() {
  const [file, setFile] = useState(null);
  const [from, setFrom] = useState(today());
  const [came, setCame] = useState(null);
  const { busy, problem, run } = useAction();
  const type = file && TYPES[file.name.split(".").at(-1).toLowerCase()];
  const choose = (chosen) => {
    setFile(chosen ?? null);
    setCame(null);
  };
  const submit = (dry_run) => run(async () => setCame(await sendFile("/v1/areas/import", { from_day: from, dry_run, name: file.name.slice(-120) }, file, type)));
  const changes = came ? came.new + came.changed : 0;
  return html`<p>${t("areas.import_explain")}</p>
    <form class="office-form" onSubmit=${(event) => (event.preventDefault(), submit(true))}>
      <label>${t("areas.file")} <input type="file" required accept=".csv,.xlsx,.geojson,.json" onChange=${({ target }) => choose(target.files[0])} /></label>
      ${file && !type && html`<p role="alert" class="trouble">${t("areas.file_type")}</p>`}
      ${file && type && html`<p class="muted">${file.name} · ${showBytes(file.size)}</p>`}
      <${Field} label=${t("areas.from_day")} why=${t("areas.from_day_why")} type="date" required value=${from} onInput=${(day) => (setFrom(day), setCame(null))} />
      <button class="outline" aria-busy=${busy} disabled=${busy || !type}>${t("areas.try")}</button>
    </form>
    <details class="no-print"><summary>${t("areas.columns")}</summary>
      <p>${t("areas.columns_explain")}</p>
      <pre>level,code,name,parent_code,kind,lon,lat,effective_from,reference${"\n"}subdistrict,411502001,老城街道,411502${"\n"}grid,411502001001001,1 号网格,411502001001,general,114.0750,32.1230</pre>
    </details>
    <${Trouble} problem=${problem} />
    ${came && html`<section aria-live="polite">
      <h2>${t(came.dry_run ? "areas.would" : "areas.did")}</h2>
      <${Facts} rows=${[
        [t("areas.rows"), showNumber(came.rows)],
        [t("areas.new"), showNumber(came.new)],
        [t("areas.changed"), showNumber(came.changed)],
        [t("areas.same"), showNumber(came.same)],
        [t("areas.refused"), came.refused ? html`<${Mark} tone="late">${showNumber(came.refused)}</>` : showNumber(0)],
      ]} />
      ${came.dry_run && changes > 0 && html`<p><button type="button" aria-busy=${busy} disabled=${busy} onClick=${() => submit(false)}>${t("areas.record", { count: showNumber(changes) })}</button></p>`}
      ${came.dry_run && !changes && html`<p class="office-note">${t("areas.nothing_to_record")}</p>`}
      ${came.flaws.length > 0 && html`<${Flaws} flaws=${came.flaws} all=${came.refused} />`}
      ${came.changes.length > 0 && html`<${Changes} changes=${came.changes} all=${changes} />`}
    </section>`}`;
}

/** What is wrong, line by line. In Chinese our own words for the code; the service's sentence names the value. */
function Flaws({ flaws, all }) {
  const columns = [
    { key: "line", title: t("areas.line"), numeric: true, sort: true, cell: ({ line }) => (line ? showNumber(line) : "—") },
    { key: "column", title: t("areas.column"), cell: ({ column }) => (column ? html`<span class="mono">${column}</span>` : "—") },
    { key: "sentence", title: t("areas.what_wrong"), cell: ({ code, sentence }) => html`${flawText(code, sentence)}${language.value === "zh" && html`<small lang="en">${sentence}</small>`}` },
  ];
  return html`<h3>${t("areas.flaws")}</h3>
    ${flaws.length < all && html`<p class="muted">${t("areas.first", { count: showNumber(flaws.length), all: showNumber(all) })}</p>`}
    <${Table} caption=${t("areas.flaws")} columns=${columns} rows=${flaws.map((flaw, at) => ({ ...flaw, at }))} rowKey=${({ at }) => at} />`;
}

const FLAWS = ["empty", "unknown_level", "not_a_code", "wrong_length", "not_its_parent", "unknown_kind", "kind_above_grid", "not_a_number", "off_the_globe", "not_a_day", "repeated", "ragged", "control_character", "not_utf8", "not_csv", "not_a_feature", "not_a_polygon", "another_city", "too_large", "out_of_scope", "area_ended", "personal_number_in_text", "text_needed"];
const flawText = (code, sentence) => (language.value === "en" || !FLAWS.includes(code) ? sentence : t(`areas.flaw.${code}`));

function Changes({ changes, all }) {
  const columns = [
    { key: "code", title: t("areas.code"), sort: true, cell: ({ code }) => html`<span class="mono">${code}</span>` },
    { key: "name", title: t("areas.name"), sort: true },
    { key: "what", title: t("areas.what"), sort: true, cell: ({ what }) => html`<${Mark} tone=${what === "new" ? "new" : "warn"}>${t(`areas.${what}`)}</>` },
    { key: "differs", title: t("areas.difference"), cell: ({ differs, what }) => html`<${Differs} differs=${differs} fresh=${what === "new"} />` },
  ];
  return html`<h3>${t("areas.changes")}</h3>
    ${changes.length < all && html`<p class="muted">${t("areas.first", { count: showNumber(changes.length), all: showNumber(all) })}</p>`}
    <${Table} caption=${t("areas.changes")} columns=${columns} rows=${changes} rowKey=${({ code }) => code} />`;
}

const told = (value) => (value === null || value === undefined ? "—" : Array.isArray(value) ? value.join(", ") : typeof value === "object" ? t("areas.points", { type: value.type, count: showNumber(value.points) }) : String(value));

const worded = (name, value) => (name === "kind" && value ? t(`areas.kind.${value}`) : told(value));

const Differs = ({ differs, fresh }) =>
  Object.entries(differs).map(([name, { before, after }]) => html`<div key=${name}><span class="muted">${t(`areas.member.${name}`)}</span> ${!fresh && html`<span class="office-old">${worded(name, before)}</span> → `}${worded(name, after)}</div>`);
