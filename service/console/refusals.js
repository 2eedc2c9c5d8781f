/** Uploaded entries that a rule refused: what was wrong in plain words, what the entry said, and what becomes of it. Read by officers. */

import { Field, html, say, showNumber, showTime, t, useState } from "../pages/ui.js";
import { get, hasRole, send, useData } from "./api.js";
import { categoriesOf } from "./cases.js";
import { Decide, everyRow, picked, sentence, settled, usePages, useWorkers, workerFilter } from "./field.js";
import { AreaChoice, AreaName, areaName, categoryName, Dialog, Empty, Exports, Filters, More, PersonName, personName, Select, Table, Trouble, useCategories } from "./parts.js";

const STATES = { waiting: "warn", reapplied: "done", dismissed: "over" };
const OTHERS = ["reapplied", "dismissed", "all"];

export const Refusals = ({ rest, query, session }) => (rest[0] ? html`<${One} id=${rest[0]} session=${session} />` : html`<${All} query=${query} />`);

/** What kind of entry it was, in words. */
export function kindName(kind) {
  if (!kind) return t("refusals.kind_unknown");
  if (kind === "case.reported" || !kind.startsWith("case.")) return t(`kind.${kind}`);
  return t("kind.case", { action: t(`topic.${kind}`) });
}

const decides = () => hasRole("officer");
const State = ({ state }) => html`<span class=${`status ${STATES[state]}`}>${t(`refusals.state.${state}`)}</span>`;
/** In the order in which they were said, since one often follows from another. */
const inOrder = (rows) => [...rows].sort((one, other) => (one.happened_at === other.happened_at ? one.seq - other.seq : one.happened_at < other.happened_at ? -1 : 1));
const labelOf = (row) => `${kindName(row.kind)}, ${showTime(row.happened_at)}`;
const reapply = ({ refusal_id: id }, reason) => send("POST", `/v1/refusals/${id}/reapply`, reason ? { reason } : {});
const dismiss = ({ refusal_id: id }, reason) => send("POST", `/v1/refusals/${id}/dismiss`, { reason });

// ---- all

function All({ query }) {
  const state = query.get("state") || "waiting";
  const asked = { ...picked(query, "area", "person", "tablet", "code"), state: state === "all" ? "" : state };
  const { first, items, next, more, busy, problem, loading, reload } = usePages("/v1/refusals", asked);
  const workers = useWorkers(query.get("area"));
  const [chosen, setChosen] = useState(new Set());
  const [doing, setDoing] = useState("");
  const columns = columnsOf();
  const open = items.filter((row) => row.state === "waiting");
  const picks = inOrder(open.filter(({ refusal_id: id }) => chosen.has(id)));
  const select = decides() && state === "waiting" ? { chosen, onChange: setChosen, label: labelOf } : undefined;
  const close = async (words, saved) => {
    setDoing("");
    if (!words) return;
    say(words);
    setChosen(new Set());
    await settled("/v1/refusals", saved, { limit: 1 });
    reload();
  };
  return html`
    <h1>${t("refusals.title")}</h1>
    <p class="muted">${t("refusals.explain")}</p>
    <${Filters}
      path="refusals"
      query=${query}
      fields=${[
        { name: "state", label: t("refusals.state"), first: t("refusals.state.waiting"), options: OTHERS.map((each) => [each, t(`refusals.state.${each}`)]) },
        { name: "area", label: t("visits.area"), kind: "area" },
        workerFilter("person", workers),
        { name: "code", label: t("refusals.why"), options: [...new Set([...items.map(({ code }) => code), query.get("code")])].filter(Boolean).sort().map((code) => [code, short(code)]) },
      ].filter(Boolean)}
    />
    <div class="toolbar">
      ${select && html`<button type="button" class="outline" disabled=${!picks.length} onClick=${() => setDoing("reapply")}>${t("refusals.reapply_chosen", { count: picks.length })}</button>`}
      ${select && html`<button type="button" class="outline" disabled=${!picks.length} onClick=${() => setDoing("dismiss")}>${t("refusals.dismiss_chosen", { count: picks.length })}</button>`}
      <span class="end"><${Exports} name="refused-entries" columns=${columns} rows=${everyRow("/v1/refusals", asked)} /></span>
    </div>
    <${Trouble} problem=${problem} />
    ${items.length > 0 && html`<${Table} caption=${t("refusals.title")} columns=${columns} rows=${items} rowKey=${({ refusal_id }) => refusal_id} select=${select} />`}
    ${first && !items.length && html`<${Empty}>${t(state === "waiting" ? "refusals.none_waiting" : "console.empty")}<//>`}
    ${!first && loading && html`<p aria-busy="true">${t("console.loading")}</p>`}
    <${More} next=${next} onMore=${more} busy=${busy} />
    ${doing === "reapply" && html`<${Reapply} rows=${picks} onClose=${close} />`}
    ${doing === "dismiss" && html`<${Dismiss} rows=${picks} onClose=${close} />`}
  `;
}

/** The sentence of a code; the first part of it where room is short. */
const why = ({ code, detail }) => (t(`refusal.${code}`).startsWith("refusal.") ? detail : t(`refusal.${code}`));
const short = (code) => why({ code, detail: code }).split(/[.。;；]/)[0];

function columnsOf() {
  return [
    { key: "happened_at", title: t("refusals.when"), text: ({ happened_at }) => happened_at, cell: (row) => html`<a href=${`#/refusals/${row.refusal_id}`}>${showTime(row.happened_at)}</a>` },
    { key: "kind", title: t("refusals.what"), text: ({ kind }) => kindName(kind), cell: ({ kind }) => kindName(kind) },
    { key: "code", title: t("refusals.why"), text: why, cell: why },
    { key: "area", title: t("visits.area"), text: ({ area }) => areaName(area), cell: ({ area }) => html`<${AreaName} code=${area} />` },
    { key: "person", title: t("visits.worker"), text: ({ person }) => personName(person), cell: ({ person }) => html`<${PersonName} person=${person} />` },
    { key: "state", title: t("refusals.state"), text: ({ state }) => t(`refusals.state.${state}`), cell: ({ state }) => html`<${State} state=${state} />` },
  ];
}

const Reapply = ({ rows, onClose }) =>
  html`<${Decide} title=${t("refusals.reapply")} explain=${t("refusals.reapply_explain")} rows=${rows} act=${reapply} label=${labelOf} needed=${false} done=${(count) => t("refusals.reapplied", { count })} onClose=${onClose} />`;

const Dismiss = ({ rows, onClose }) =>
  html`<${Decide} title=${t("refusals.dismiss")} explain=${t("refusals.dismiss_explain")} rows=${rows} act=${dismiss} label=${labelOf} done=${(count) => t("refusals.dismissed", { count })} onClose=${onClose} />`;

// ---- one

function One({ id, session }) {
  const { data: row, problem, reload } = useData(`/v1/refusals/${encodeURIComponent(id)}`);
  const [entry, setEntry] = useState(null);
  const [doing, setDoing] = useState("");
  if (!row) return html`<h1>${t("refusals.one")}</h1>${problem ? html`<${Trouble} problem=${problem} />` : html`<p aria-busy="true">${t("console.loading")}</p>`}`;
  const close = async (words, saved) => {
    setDoing("");
    if (!words) return;
    say(words);
    await settled(`/v1/refusals/${row.refusal_id}`, saved);
    reload();
  };
  const waiting = row.state === "waiting";
  return html`
    <p class="way no-print"><a href="#/refusals">${t("refusals.title")}</a></p>
    <h1>${t("refusals.one")}: ${kindName(row.kind)}</h1>
    <p class="note warn"><strong>${why(row)}</strong></p>
    <p>${waiting ? t(adviceOf(row.code)) : t(`refusals.is.${row.state}`)}</p>
    <dl class="facts">${facts(row).map(([key, value]) => html`<div key=${key}><dt>${t(key)}</dt><dd>${value}</dd></div>`)}</dl>
    <h2>${t("refusals.entry")}</h2>
    ${entry ? html`<${Entry} told=${entry} wrong=${row.facts?.pointer} />` : html`<${AskForEntry} row=${row} own=${row.person === session.person} onTold=${setEntry} />`}
    ${waiting &&
    decides() &&
    html`<h2>${t("refusals.decide")}</h2>
      <div class="buttons start">
        <button type="button" onClick=${() => setDoing("reapply")}>${t("refusals.reapply")}</button>
        ${row.kind === "case.reported" && html`<button type="button" class="secondary" disabled=${!entry?.entry} onClick=${() => setDoing("report")}>${t("refusals.report")}</button>`}
        <button type="button" class="secondary" onClick=${() => setDoing("dismiss")}>${t("refusals.dismiss")}</button>
      </div>
      ${row.kind === "case.reported" && !entry?.entry && html`<p class="muted"><small>${t("refusals.read_first")}</small></p>`}
      ${row.kind?.startsWith("case.") && row.kind !== "case.reported" && row.about && html`<p><a href=${`#/case/${row.about}`}>${t("refusals.see_case")}</a></p>`}`}
    ${doing === "reapply" && html`<${Reapply} rows=${[row]} onClose=${close} />`}
    ${doing === "dismiss" && html`<${Dismiss} rows=${[row]} onClose=${close} />`}
    ${doing === "report" && html`<${ReportIt} row=${row} entry=${entry.entry} onClose=${close} />`}
  `;
}

/** What usually helps: some causes pass by themselves or are put right elsewhere, others never do. */
const ADVICE = {
  out_of_scope: "refusals.advice.assign",
  not_your_role: "refusals.advice.assign",
  unknown_area: "refusals.advice.area",
  no_such_reference: "refusals.advice.order",
  not_begun: "refusals.advice.order",
  unknown_kind: "refusals.advice.newer",
  unknown_version: "refusals.advice.newer",
  undecided: "refusals.advice.newer",
  tablet_revoked: "refusals.advice.tablet",
  forked: "refusals.advice.tablet",
  entry_erased: "refusals.advice.dismiss",
  malformed_entry: "refusals.advice.dismiss",
};
const adviceOf = (code) => ADVICE[code] ?? "refusals.advice.look";

function facts(row) {
  const became = row.became_stream && html`<a href=${row.kind?.startsWith("case.") ? `#/case/${row.became_stream}` : undefined} class="mono">${row.became_stream}</a>`;
  return [
    ["refusals.state", html`<${State} state=${row.state} />`],
    ["refusals.when", showTime(row.happened_at)],
    ["refusals.uploaded", showTime(row.recorded_at)],
    ["visits.area", html`<${AreaName} code=${row.area} />`],
    ["visits.worker", html`<${PersonName} person=${row.person} />`],
    row.tablet && ["refusals.tablet", html`<a href=${`#/tablets/${row.tablet}`}>${t("refusals.tablet_entry", { seq: showNumber(row.seq) })}</a>`],
    row.facts && ["refusals.facts", html`<span class="mono">${JSON.stringify(row.facts)}</span>`],
    row.decided_at && ["refusals.decided_at", showTime(row.decided_at)],
    row.decided_by && ["refusals.decided_by", html`<${PersonName} person=${row.decided_by} />`],
    row.reason && ["refusals.reason", row.reason],
    became && ["refusals.became", became],
    ["refusals.code", html`<span class="mono">${row.code}</span>`],
  ].filter(Boolean);
}

/** What it said may tell of persons: others than its worker say why they read it, and the read goes on record. */
function AskForEntry({ row, own, onTold }) {
  const [purpose, setPurpose] = useState(t("refusals.purpose_default"));
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  if (hasRole("auditor") && !hasRole("officer", "worker")) return html`<p class="muted">${t("refusals.not_for_auditors")}</p>`;
  async function ask(event) {
    event.preventDefault();
    setBusy(true);
    try {
      onTold(await get(`/v1/refusals/${row.refusal_id}/entry`, {}, own ? {} : { purpose }));
    } catch (wrong) {
      setProblem(wrong);
      setBusy(false);
    }
  }
  return html`<form class="purpose" onSubmit=${ask}>
    <p class="muted">${t(own ? "refusals.entry_own" : "refusals.entry_why")}</p>
    ${!own && html`<${Field} label=${t("refusals.purpose")} value=${purpose} onInput=${setPurpose} required minlength="3" maxlength="200" />`}
    <${Trouble} problem=${problem} />
    <button class="outline" aria-busy=${busy} disabled=${busy}>${t("refusals.show_entry")}</button>
  </form>`;
}

const DEGREES = { minimumFractionDigits: 5, maximumFractionDigits: 5 };
const NAMED = ["kind", "area", "occurred_at", "id"];
const HIDDEN = ["seq", "v", "mono_ms", "boot", "data"];

function Entry({ told, wrong }) {
  useCategories();
  if (told.state !== "held") return html`<p>${t(`refusals.entry.${told.state}`)}</p>`;
  if (!told.entry) return html`<p>${t("refusals.entry.raw")}</p><pre class="mono">${told.raw}</pre>`;
  const { entry } = told;
  const others = Object.keys(entry).filter((name) => !NAMED.includes(name) && !HIDDEN.includes(name));
  const lines = [...[...NAMED, ...others].filter((name) => name in entry).map((name) => [name, `/${name}`, entry[name]]), ...Object.entries(entry.data ?? {}).map(([name, value]) => [name, `/data/${name}`, value])];
  const at = ([, pointer]) => wrong && (wrong === pointer || wrong.startsWith(`${pointer}/`));
  return html`<div class="table" role="region" tabindex="0" aria-label=${t("refusals.entry")}>
    <table class="entry">
      <caption>${t("refusals.entry")}</caption>
      <tbody>
        ${lines.map((line) => html`<tr key=${line[1]}><th scope="row">${fieldName(line[0])}</th><td>${valueOf(line[0], line[2])}${at(line) && html`<small class="late">${t("refusals.this_is_wrong")}</small>`}</td></tr>`)}
      </tbody>
    </table>
  </div>`;
}

const fieldName = (name) => (t(`refusals.field.${name}`).startsWith("refusals.") ? name : t(`refusals.field.${name}`));

function valueOf(name, value) {
  if (name === "kind") return kindName(value);
  if (name === "occurred_at" && !Number.isNaN(Date.parse(value))) return showTime(value);
  if (name === "area") return html`<${AreaName} code=${String(value)} /> <small class="mono">${String(value)}</small>`;
  if (name === "outcome" && ["met", "no_one_home", "refused"].includes(value)) return t(`visit.${value}`);
  if (name === "urgency" && URGENCIES.includes(value)) return t(`cases.urgency.${value}`);
  if (name === "category" && typeof value === "string" && value.includes("/")) return html`${categoryName(value)} <small class="mono">${value}</small>`;
  if (name === "place" && typeof value?.lat === "number" && typeof value.lon === "number") return t("refusals.at", { lat: showNumber(value.lat, DEGREES), lon: showNumber(value.lon, DEGREES) });
  if (name === "personal" && Array.isArray(value)) return t("refusals.personal", { count: value.length });
  if (name === "photos" && Array.isArray(value)) return showNumber(value.length);
  if (typeof value === "boolean") return t(value ? "refusals.yes" : "refusals.no");
  return typeof value === "string" || typeof value === "number" ? String(value) : JSON.stringify(value);
}

// ---- the matter reported anew, corrected, in the officer's own name

/** Fields that go along as the worker said them. Photos and personal values do not: they are the worker's to bring, and were not taken. */
const KEPT = ["severity", "place", "reference", "household", "source", "level"];
const URGENCIES = ["emergency", "urgent", "normal", "complex"];

function ReportIt({ row, entry, onClose }) {
  const books = useCategories();
  const { data } = entry;
  const [said, setSaid] = useState({ category: data.category ?? "", summary: data.summary ?? "", urgency: URGENCIES.includes(data.urgency) ? data.urgency : "normal", area: entry.area ?? row.area });
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const set = (name) => (value) => setSaid({ ...said, [name]: value });
  const groups = categoriesOf(books);
  const known = groups.flatMap(({ options }) => options.map(([category]) => category));
  async function report(event) {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const kept = Object.fromEntries(KEPT.filter((name) => data[name] !== undefined).map((name) => [name, data[name]]));
      const { body: made } = await send("POST", "/v1/cases", { ...kept, ...said });
      const { body: saved } = await dismiss(row, t("refusals.recorded_as", { case: made.case_id }));
      onClose(t("refusals.reported"), saved);
    } catch (wrong) {
      setProblem(wrong);
      setBusy(false);
    }
  }
  return html`<${Dialog} title=${t("refusals.report")} onClose=${() => onClose("")}>
    <form onSubmit=${report}>
      <p>${t("refusals.report_explain")}</p>
      <label>${t("refusals.field.category")} <${Select} value=${known.includes(said.category) ? said.category : ""} required onChange=${set("category")} options=${[["", t("cases.unit.choose")], ...groups]} /></label>
      <${Field} label=${t("refusals.field.summary")} value=${said.summary} onInput=${set("summary")} long required maxlength="2000" />
      <label>${t("refusals.field.urgency")} <${Select} value=${said.urgency} onChange=${set("urgency")} options=${URGENCIES.map((each) => [each, t(`cases.urgency.${each}`)])} /></label>
      <label>${t("refusals.field.area")} <${AreaChoice} value=${said.area} onChange=${set("area")} required /></label>
      ${problem && html`<p role="alert" class="trouble">${sentence(problem)}</p>`}
      <footer>
        <button type="button" class="secondary" onClick=${() => onClose("")}>${t("common.cancel")}</button>
        <button aria-busy=${busy} disabled=${busy || !known.includes(said.category)}>${t("refusals.report")}</button>
      </footer>
    </form>
  <//>`;
}
