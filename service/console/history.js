/** The history of one ledger for auditors: its stored events by position, each as it is hashed, with its proof, and what it belongs to. */

import { go, html, showNumber, t, useEffect, useState } from "../pages/ui.js";
import { fetchFile, useData } from "./api.js";
import { Facts, nextDay, showMoment, showSpan, startOf, useAction, usePages, Verbatim } from "./office.js";
import { AreaName, areaName, Empty, Filters, More, PersonName, save, Select, setQuery, Trouble, UnitName } from "./parts.js";

const TOPICS = {
  case: ["reported", "verified", "accepted", "registered", "rejected", "dispatched", "acknowledged", "transferred", "returned", "escalated", "referred", "whistled", "mustered", "handled", "self_handled", "extended", "suspended", "resumed", "checked", "reworked", "evaluated", "closed", "reopened", "merged", "split", "overtime_exempted"],
  visit: ["made"],
  patrol: ["started", "checkpoint_passed", "finished"],
  tablet: ["enrolled", "uploaded", "revoked", "forked", "reinstated"],
  refused: ["kept", "reapplied", "dismissed"],
  area: ["registered", "changed", "ended"],
  person: ["registered", "assigned", "assignment_ended", "left"],
  rulebook: ["opened", "published"],
  subject: ["erased", "erasure_completed"],
  personal: ["retention_ended"],
  access: ["day_sealed", "day_pruned"],
  ledger: ["continued"],
  signing_key: ["rotated"],
};
const ALL = Object.entries(TOPICS).flatMap(([noun, verbs]) => verbs.map((verb) => `${noun}.${verb}`));
/** The name of a recorded fact; a newer service may know others. */
export const topicName = (topic) => (ALL.includes(topic) ? t(`ledgers.topic.${topic}`) : topic);

/** #/history/<ledger>?topic=&tablet=&stream=&person=&from=&to=&start=&sort=; without a ledger, the first there is. */
export function History({ rest: [code], query }) {
  const ledgers = useData("/v1/ledgers");
  useEffect(() => {
    if (!code && ledgers.data?.items.length) location.replace(`#/history/${ledgers.data.items.at(-1).ledger}`);
  }, [code, ledgers.data]);
  const sizes = ledgers.data?.items ?? [];
  return html`<h1>${code ? t("ledgers.history_of", { ledger: code }) : t("ledgers.history")}</h1>
    <${Trouble} problem=${ledgers.problem} />
    ${sizes.length > 0 && html`<div class="toolbar">
      <label class="office-inline">${t("ledgers.ledger")} <${Select} value=${code ?? ""} onChange=${(next) => go(`/history/${next}`)} options=${sizes.map(({ ledger, size }) => [ledger, `${ledger} ${areaName(ledger)} (${showNumber(size)})`])} /></label>
      ${code && html`<a href=${`#/ledgers/${code}`}>${t("ledgers.to_ledger")}</a>`}
    </div>`}
    ${code && html`<${Events} key=${code} code=${code} query=${query} size=${sizes.find(({ ledger }) => ledger === code)?.size} />`}
    ${!code && ledgers.data && !sizes.length && html`<${Empty} />`}`;
}

const FILTERS = ["topic", "stream", "tablet", "person"];

function Events({ code, query, size }) {
  const path = `history/${code}`;
  const newest = (query.get("sort") ?? "-position") === "-position";
  const start = newest ? "" : (query.get("start") ?? "");
  const asked = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  const period = { recorded_from: startOf(query.get("from")), recorded_to: query.get("to") ? startOf(nextDay(query.get("to"))) : "" };
  const pages = usePages(`/v1/ledgers/${code}/events`, { ...asked, ...period, start, sort: newest ? "-position" : "position" });
  const fields = [
    { name: "topic", label: t("ledgers.topic"), options: ALL.map((topic) => [topic, topicName(topic)]) },
    { name: "from", label: t("ledgers.from_day"), kind: "day" },
    { name: "to", label: t("ledgers.to_day"), kind: "day" },
    { name: "tablet", label: t("ledgers.tablet"), kind: "text" },
    { name: "stream", label: t("ledgers.stream"), kind: "text" },
    { name: "person", label: t("ledgers.person"), kind: "text" },
  ];
  const order = (said) => setQuery(path, { ...Object.fromEntries(query), ...said });
  return html`<${Filters} fields=${fields} query=${query} path=${path} />
    <div class="toolbar">
      <label class="office-inline">${t("ledgers.order")} <${Select} value=${newest ? "-position" : "position"} onChange=${(sort) => order({ sort })} options=${[["-position", t("ledgers.newest_first")], ["position", t("ledgers.oldest_first")]]} /></label>
      ${!newest && html`<label class="office-inline">${t("ledgers.from_position")} <input type="number" min="0" max=${size ?? ""} value=${start} onChange=${({ target }) => order({ start: target.value })} /></label>`}
    </div>
    <${Trouble} problem=${pages.problem} />
    ${pages.items.length > 0 && html`<ol class="office-events" aria-label=${t("ledgers.history")} aria-busy=${pages.loading}>
      ${pages.items.map(({ position, line }) => html`<${Event} key=${position} position=${position} line=${line} code=${code} />`)}
    </ol>`}
    ${!pages.loading && !pages.problem && !pages.items.length && html`<${Empty}>${t("ledgers.no_events")}</>`}
    ${pages.loading && !pages.items.length && html`<p aria-busy="true">${t("console.loading")}</p>`}
    <${More} next=${pages.next} onMore=${pages.more} busy=${pages.loading} />`;
}

/** Where it happened: as the fact says it, or the tablet's entry inside it. */
const areaOf = (state) => state?.area ?? state?.entry?.area;

/** One stored line. Its content is made only when it is opened: a page holds hundreds. */
function Event({ position, line, code }) {
  const [open, setOpen] = useState(false);
  const event = JSON.parse(line);
  const { state } = event;
  return html`<li>
    <details onToggle=${({ target }) => setOpen(target.open)}>
      <summary>
        <span class="at">${showNumber(position)}</span>
        <strong>${topicName(event.topic)}</strong>
        <span>${showMoment(event.recorded_at)}</span>
        <span>${areaOf(state) ? html`<${AreaName} code=${areaOf(state)} />` : ""}</span>
      </summary>
      ${open && html`<${Content} event=${event} line=${line} code=${code} />`}
    </details>
  </li>`;
}

const lateBy = ({ recorded_at, state }) => (state?.happened_at ? (Date.parse(recorded_at) - Date.parse(state.happened_at)) / 1000 : 0);

function Content({ event, line, code }) {
  const { position, stream, version, topic, recorded_at, state } = event;
  const noun = topic.split(".")[0];
  const late = lateBy(event);
  return html`<div>
    <${Facts} rows=${[
      [t("ledgers.recorded_at"), showMoment(recorded_at)],
      [t("ledgers.happened_at"), state?.happened_at && html`${showMoment(state.happened_at)}${late >= 60 ? html` <span class="status warn">${t("ledgers.late_by", { span: showSpan(late) })}</span>` : ""}`],
      [t("ledgers.person"), state?.by && html`<${PersonName} person=${state.by} /> <span class="muted">${state.role ?? ""}</span>`],
      [t("ledgers.unit"), state?.holder && html`<${UnitName} unit=${state.holder} />`],
      [t("ledgers.tablet"), state?.tablet && html`<a href=${`#/history/${code}?tablet=${state.tablet}`}>${state.tablet}</a>`],
      [t("ledgers.stream"), html`<a href=${`#/history/${code}?stream=${stream}&sort=position`}>${stream}</a> <span class="muted">${t("ledgers.version", { version })}</span>`],
    ]} />
    <div class="toolbar">
      ${noun === "case" && html`<a href=${`#/case/${stream}`}>${t("ledgers.to_case")}</a> <a href=${`#/past/${stream}?at=${position}`}>${t("ledgers.to_case_then")}</a>`}
      <${Proof} code=${code} position=${position} />
    </div>
    <${Verbatim} label=${t("ledgers.content")} text=${JSON.stringify(state, null, 2)} />
    <${Verbatim} label=${t("ledgers.line")} text=${line} name=${`${code}-${position}.json`} type="application/json" />
  </div>`;
}

function Proof({ code, position }) {
  const { busy, problem, run } = useAction();
  const fetchIt = () => run(async () => save(await fetchFile(`/v1/ledgers/${code}/events/${position}/proof`), `${code}-${position}.tlog-proof`));
  return html`<button type="button" class="outline" aria-busy=${busy} disabled=${busy} onClick=${fetchIt}>${t("ledgers.proof")}</button><${Trouble} problem=${problem} />`;
}
