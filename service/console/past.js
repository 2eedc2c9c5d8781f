/** The past for auditors: a case, and the list of cases, as known and as happened at a moment that a slider chooses; and the dossier. */

import { Field, html, showNumber, t, useEffect, useMemo, useState } from "../pages/ui.js";
import { allOf, fetchFile, useData } from "./api.js";
import { Coming, Deciding, localText, Mark, momentOf, showMoment, showSpan, useAction, usePages, useStill, Verbatim } from "./office.js";
import { AreaName, categoryName, Dialog, Empty, Filters, More, PersonName, save, setQuery, Status, Table, Trouble, UnitName, useCategories } from "./parts.js";

const LEDGER = 9;
const isPosition = (at) => /^\d+$/.test(at);
const NICE_S = [1, 10, 60, 300, 900, 3600, 6 * 3600, 86_400];
const MOST_STEPS = 1500;

/** #/past?area=&at=&sense=&open= for the list, #/past/<case>?at= for a case. at: a time, or a position of the ledger. */
export const Past = ({ rest, query }) => (rest[0] ? html`<${OneCase} key=${rest[0]} id=${rest[0]} query=${query} />` : html`<${List} query=${query} />`);

// ---- the moment

/**
 * Chooses a moment, by time or by position: with a slider (arrow keys, Home, End, Page up and down), exactly, or from step to step.
 *
 * at      a time (ISO) or a position as text; onChange(at) is called at every change, so whoever asks the service waits until it stands still
 * begun   the earliest time; now: the latest, by the service's clock, which the reader's may be ahead of; size: of the ledger; steps: [{at: time, position, late, text}] to go to, in the order of the positions
 */
function Moment({ at, onChange, begun, now: latest, first = 0, size, steps = [] }) {
  const now = Date.parse(latest);
  const byPosition = isPosition(at);
  const range = byPosition ? { min: first, max: Math.max(first, size - 1), step: 1 } : timeRange(Date.parse(begun), now);
  const value = byPosition ? Number(at) : Math.floor(Date.parse(at) / 1000);
  const choose = (number) => onChange(byPosition ? String(number) : new Date(Math.min(number * 1000, now)).toISOString());
  const places = steps.map((step) => (byPosition ? step.position : Date.parse(step.at) / 1000));
  // The slider stands on whole seconds; what comes before and after is told by the exact moment.
  const exact = byPosition ? value : Date.parse(at) / 1000;
  const before = places.filter((place) => place < exact).at(-1);
  const after = places.find((place) => place > exact);
  const goTo = (place) => (byPosition ? choose(place) : onChange(new Date(Math.ceil(place * 1000)).toISOString()));
  const said = byPosition ? t("past.position", { position: showNumber(value) }) : showMoment(at);
  return html`<div class="office-slider no-print">
    <fieldset>
      <legend class="muted">${t("past.by")}</legend>
      <label><input type="radio" name="by" checked=${!byPosition} onChange=${() => onChange(steps.length ? nearestTime(steps, value) : new Date(now).toISOString())} /> ${t("past.by_time")}</label>
      <label><input type="radio" name="by" checked=${byPosition} disabled=${!size} onChange=${() => onChange(String(steps.length ? nearestPosition(steps, at) : size - 1))} /> ${t("past.by_position")}</label>
    </fieldset>
    <output>${said}</output>
    <input type="range" aria-label=${t("past.slider")} aria-valuetext=${said} ...${range} value=${value} onInput=${({ target }) => choose(Number(target.value))} />
    ${steps.length > 0 && html`<div class="steps" aria-hidden="true">${steps.map(({ late }, index) => html`<i key=${index} class=${late ? "late" : ""} style=${{ left: `${share(places[index], range)}%` }}></i>`)}</div>`}
    <div class="ends"><span>${byPosition ? showNumber(range.min) : showMoment(range.min * 1000)}</span><span>${byPosition ? showNumber(range.max) : t("past.now")}</span></div>
    <div class="row">
      ${steps.length > 0 && html`<button type="button" class="outline" disabled=${before === undefined} onClick=${() => goTo(before)}>← ${t("past.step_before")}</button>
        <button type="button" class="outline" disabled=${after === undefined} onClick=${() => goTo(after)}>${t("past.step_after")} →</button>`}
      ${byPosition
        ? html`<label>${t("past.exact_position")} <input type="number" min=${range.min} max=${range.max} value=${value} onChange=${({ target }) => target.value !== "" && choose(clamp(Number(target.value), range))} /></label>`
        : html`<label>${t("past.exact_time")} <input type="datetime-local" step="1" max=${localText(now)} value=${localText(at)} onChange=${({ target }) => momentOf(target.value) && onChange(momentOf(target.value))} /></label>`}
      <button type="button" class="outline" onClick=${() => choose(range.max)}>${t("past.to_now")}</button>
    </div>
  </div>`;
}

/** From the first moment until now, in steps of a length that people reckon in, at most some hundreds of them. */
function timeRange(begun, now) {
  const [min, max] = [Math.floor(begun / 1000), Math.ceil(now / 1000)];
  const step = NICE_S.find((each) => (max - min) / each <= MOST_STEPS) ?? 86_400;
  return { min, max, step };
}
const clamp = (value, { min, max }) => Math.min(max, Math.max(min, Math.round(value)));
const share = (place, { min, max }) => (max > min ? Math.min(100, Math.max(0, (100 * (place - min)) / (max - min))) : 0);
const nearestPosition = (steps, at) => (steps.filter((step) => step.at <= at).at(-1) ?? steps[0]).position;
const nearestTime = (steps, position) => (steps.filter((step) => step.position <= position).at(-1) ?? steps[0]).at;

/** The moment of the address, which follows the slider once it stands still. */
function useMoment(path, query, otherwise) {
  const [at, setAt] = useState(query.get("at") || otherwise);
  const still = useStill(at, 300);
  useEffect(() => {
    const said = still === otherwise ? "" : still;
    if (said !== (query.get("at") ?? "")) setQuery(path, { ...Object.fromEntries(query), at: said });
  }, [still]);
  return [at ?? otherwise, setAt, still ?? otherwise];
}

const asOf = (ledger, at) => (isPosition(at) ? `${ledger}:${at}` : at);

// ---- many cases

function List({ query }) {
  const area = query.get("area") ?? "";
  const fields = [
    { name: "area", label: t("past.area"), kind: "area" },
    { name: "sense", label: t("past.sense"), options: [["happened", t("past.happened")]], first: t("past.known") },
    { name: "open", label: t("past.which"), options: [["all", t("past.all_cases")]], first: t("past.open_cases") },
  ];
  const ledger = area.slice(0, LEDGER);
  return html`<h1>${t("past.list")}</h1>
    <p class="muted">${t("past.list_explain")}</p>
    <${Filters} fields=${fields} query=${query} path="past" />
    ${ledger.length < LEDGER ? html`<p class="office-note">${t("past.choose_area")}</p>` : html`<${ListOf} key=${ledger} ledger=${ledger} area=${area} query=${query} />`}`;
}

function ListOf({ ledger, area, query }) {
  const { data, problem } = useData(`/v1/ledgers/${ledger}`);
  if (!data) return html`<${Coming} data=${data} problem=${problem} /><${Trouble} problem=${problem} />`;
  return html`<${ListAt} ledger=${data} area=${area} query=${query} />`;
}

function ListAt({ ledger: { ledger, size, begun_at, now }, area, query }) {
  useCategories();
  const [at, setAt, still] = useMoment("past", query, now);
  const sense = query.get("sense") === "happened" ? "happened" : "known";
  const pages = usePages("/v1/cases", { area, as_of: asOf(ledger, still), sense, open: query.get("open") === "all" ? "" : "true" });
  const then = encodeURIComponent(still);
  const columns = [
    { key: "summary", title: t("past.case"), cell: (row) => html`<a href=${`#/past/${row.case_id}?at=${then}`}>${row.summary ?? t("past.private")}</a><small>${categoryName(row.category)}</small>` },
    { key: "status", title: t("past.member.status"), sort: true, cell: ({ status }) => html`<${Status} status=${status} />` },
    { key: "holder", title: t("past.member.holder"), cell: ({ holder }) => html`<${UnitName} unit=${holder} />` },
    { key: "area", title: t("past.area"), cell: ({ area: code }) => html`<${AreaName} code=${code} />` },
    { key: "late_from", title: t("past.member.due_at"), sort: true, cell: ({ late_from, due_at, overdue }) => html`${showMoment(late_from ?? due_at)}${overdue && html`<small class="late">${t("past.overdue_then")}</small>`}` },
    { key: "reported_at", title: t("past.member.reported_at"), sort: true, cell: ({ reported_at }) => showMoment(reported_at) },
  ];
  return html`<${Moment} at=${at} onChange=${setAt} begun=${begun_at} now=${now} size=${size} />
    <p role="status">${pages.loading || at !== still ? t("console.loading") : t(pages.next ? "past.found_more" : "past.found", { count: showNumber(pages.items.length), sense: t(`past.${sense}`) })}</p>
    <${Trouble} problem=${pages.problem} />
    ${pages.items.length > 0 && html`<${Table} caption=${t("past.list")} columns=${columns} rows=${pages.items} rowKey=${({ case_id }) => case_id} />`}
    ${!pages.loading && !pages.problem && !pages.items.length && html`<${Empty}>${t("past.none_then")}</>`}
    <${More} next=${pages.next} onMore=${pages.more} busy=${pages.loading} />`;
}

// ---- one case

const MEMBERS = ["status", "open", "holder", "area", "category", "urgency", "level", "summary", "reported_at", "accept_due_at", "accepted_at", "registered_at", "registered_by", "due_at", "dispatch_due_at", "muster_due_at", "held_since", "overdue", "overtime", "overtime_exempted", "suspended_until", "extensions", "returns", "reworks", "handled_at", "handler", "result", "checked_at", "checker", "check_passed", "rating", "closed_at", "reason", "merged_into"];
/** Not shown where they never came about. */
const QUIET = ["overtime", "overtime_exempted", "extensions", "returns", "reworks"];
const SHOWN_AS = {
  status: (value) => html`<${Status} status=${value} />`,
  holder: (value) => html`<${UnitName} unit=${value} />`,
  area: (value) => html`<${AreaName} code=${value} />`,
  category: categoryName,
  urgency: (value) => t(`report.urgency.${value}`),
  level: (value) => t(`past.level.${value}`),
  rating: (value) => t(`field.rating.${value}`),
  registered_by: (value) => html`<${PersonName} person=${value} />`,
  handler: (value) => html`<${PersonName} person=${value} />`,
  checker: (value) => html`<${PersonName} person=${value} />`,
  merged_into: (value) => html`<a href=${`#/past/${value}`}>${value}</a>`,
};

function shown(name, value) {
  if (value === null || value === undefined) return "—";
  if (SHOWN_AS[name]) return SHOWN_AS[name](value);
  if (typeof value === "boolean") return t(value ? "past.yes" : "past.no");
  if (name.endsWith("_at") || name === "held_since") return showMoment(value);
  return typeof value === "number" ? showNumber(value) : value;
}

function OneCase({ id, query }) {
  const { data, problem } = useData(`/v1/cases/${id}`);
  const ledger = useData(data ? `/v1/ledgers/${data.ledger}` : null);
  const [steps, setSteps] = useState(null);
  const [wrong, setWrong] = useState(null);
  useEffect(() => {
    allOf(`/v1/cases/${id}/history`).then(setSteps, setWrong);
  }, [id]);
  if (!data || !ledger.data || !steps) return html`<h1>${t("past.one")}</h1><${Coming} problem=${problem ?? ledger.problem ?? wrong} /><${Trouble} problem=${problem ?? ledger.problem ?? wrong} />`;
  return html`<${CaseAt} id=${id} now=${data} ledger=${ledger.data} trail=${steps} query=${query} />`;
}

const lateness = ({ happened_at, recorded_at }) => (Date.parse(recorded_at) - Date.parse(happened_at)) / 1000;
const LATE_S = 60;

function CaseAt({ id, now, ledger, trail, query }) {
  useCategories();
  const [at, setAt, still] = useMoment(`past/${id}`, query, ledger.now);
  const steps = useMemo(() => trail.map((step) => ({ at: step.recorded_at, position: step.position, late: lateness(step) >= LATE_S })), [trail]);
  const begun = trail.map(({ happened_at }) => happened_at).sort()[0] ?? ledger.begun_at;
  const as_of = asOf(ledger.ledger, still);
  const told = useData(`/v1/cases/${id}/hindsight`, { as_of });
  const known = useData(`/v1/cases/${id}/history`, { as_of, sense: "known", limit: 500 });
  const happened = useData(`/v1/cases/${id}/history`, { as_of, sense: "happened", limit: 500 });
  const [asking, setAsking] = useState(false);
  const waiting = at !== still || told.loading;
  const absent = told.problem?.code === "not_found";
  return html`<h1>${t("past.one")}: ${now.summary ?? t("past.private")}</h1>
    <div class="toolbar">
      <span>${categoryName(now.category)}</span><${AreaName} code=${now.area} />
      <a href=${`#/case/${id}`}>${t("past.to_case")}</a>
      <a href=${`#/history/${ledger.ledger}?stream=${id}&sort=position`}>${t("past.to_events")}</a>
      <button type="button" class="outline end" onClick=${() => setAsking(true)}>${t("past.dossier")}</button>
    </div>
    <${Moment} at=${at} onChange=${setAt} begun=${begun} now=${ledger.now} first=${steps[0]?.position ?? 0} size=${ledger.size} steps=${steps} />
    <p role="status" class="muted">${waiting ? t("console.loading") : absent ? t("past.absent") : summed(told.data)}</p>
    ${!absent && html`<${Trouble} problem=${told.problem ?? known.problem ?? happened.problem} />`}
    ${!absent && told.data && html`<${Compared} ...${told.data} />`}
    ${!absent && told.data && html`<div class="office-two">
      <section><h2>${t("past.trail_known")}</h2><${Trail} steps=${told.data.known ? known.data?.items : []} /></section>
      <section><h2>${t("past.trail_happened")}</h2><${Trail} steps=${told.data.happened ? happened.data?.items : []} late=${told.data.late} /></section>
    </div>`}
    ${asking && html`<${DossierDialog} id=${id} onClose=${() => setAsking(false)} />`}`;
}

/** What the two columns come to, in a sentence. */
function summed(told) {
  if (!told) return "";
  if (!told.known) return t("past.not_known_yet");
  if (!told.happened) return t("past.not_happened_yet");
  if (!told.late.length && !told.differs.length) return t("past.nothing_late");
  return t("past.late_count", { count: showNumber(told.late.length) });
}

/** As known, and as happened, member by member; what differs stands out by a sign and by colour. */
function Compared({ known, happened, differs }) {
  const says = (side, name) => side && side[name] !== null && side[name] !== undefined && !(QUIET.includes(name) && !side[name]);
  const rows = MEMBERS.filter((name) => says(known, name) || says(happened, name));
  return html`<div class="table" role="region" aria-label=${t("past.compared")} tabindex="0">
    <table class="office-compare" role="table">
      <caption>${t("past.compared")}</caption>
      <thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">${t("past.what")}</th><th scope="col" role="columnheader">${t("past.known")}</th><th scope="col" role="columnheader">${t("past.happened")}</th></tr></thead>
      <tbody role="rowgroup">
        ${rows.map(
          (name) => html`<tr key=${name} role="row" class=${differs.includes(name) ? "differs" : ""}>
            <th scope="row" role="rowheader">${t(`past.member.${name}`)}</th>
            <td role="cell" data-title=${t("past.known")}>${known ? shown(name, known[name]) : "—"}</td>
            <td role="cell" data-title=${t("past.happened")}>${differs.includes(name) && html`<span class="late" title=${t("past.differs")}>≠ </span>`}${happened ? shown(name, happened[name]) : "—"}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function Trail({ steps, late = [] }) {
  if (!steps) return html`<p aria-busy="true">${t("console.loading")}</p>`;
  if (!steps.length) return html`<${Empty}>${t("past.no_steps")}</>`;
  const lateAt = new Map(late.map((fact) => [fact.position, fact]));
  return html`<ol class="office-trail">
    ${steps.map((step) => {
      const fact = lateAt.get(step.position);
      return html`<li key=${step.position} class=${fact ? "late" : ""}>
        <strong>${t(`topic.${step.topic}`)}</strong> ${fact && html`<${Mark} tone="late">${t("past.not_known")}</>`}
        <small>${t("past.happened_at", { when: showMoment(step.happened_at) })} · ${t("past.recorded_at", { when: showMoment(step.recorded_at), position: showNumber(step.position) })}</small>
        ${fact && html`<small>${t("past.late_by", { late: showSpan(fact.late_s), unknown: showSpan(fact.unknown_s) })}</small>`}
        <small><${PersonName} person=${step.by_person} /> · <${UnitName} unit=${step.holder} /></small>
      </li>`;
    })}
  </ol>`;
}

/** The case as a folder that proves itself, and how to verify it without us. Read by the case's page as well. */
export function DossierDialog({ id, onClose }) {
  const signing = useData("/v1/signing");
  const [photos, setPhotos] = useState(true);
  const [personal, setPersonal] = useState(false);
  const [purpose, setPurpose] = useState("");
  const [size, setSize] = useState(null);
  const { busy, problem, run } = useAction();
  const fetchIt = (event) => {
    event.preventDefault();
    run(async () => {
      const file = await fetchFile(`/v1/cases/${id}/dossier`, { photos, personal }, { purpose: purpose || undefined });
      save(file, `dossier-${id}.zip`);
      setSize(file.size);
    });
  };
  const witnesses = (signing.data?.witnesses ?? []).map(({ key }) => ` --witness '${key}'`).join("");
  const commands = `gridtrail dossier --verifier verify.py\npython3 -I verify.py dossier-${id}.zip --key '${signing.data?.key ?? "…"}'${witnesses}`;
  return html`<${Dialog} title=${t("past.dossier")} onClose=${onClose}>
    <p>${t("past.dossier_explain")}</p>
    <form onSubmit=${fetchIt}>
      <label><input type="checkbox" checked=${photos} onChange=${({ target }) => setPhotos(target.checked)} /> ${t("past.with_photos")}</label>
      <label><input type="checkbox" checked=${personal} onChange=${({ target }) => setPersonal(target.checked)} /> ${t("past.with_personal")}</label>
      <${Field} label=${t("past.purpose")} value=${purpose} onInput=${setPurpose} required=${personal} minlength="3" maxlength="200" />
      ${size !== null && html`<p role="status">${t("past.saved", { size: showNumber(size) })}</p>`}
      <${Deciding} busy=${busy} problem=${problem} go=${t("past.download")} onClose=${onClose} />
    </form>
    <${Verbatim} label=${t("past.verify_outside")} text=${commands} />
  </>`;
}
