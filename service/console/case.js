/** One case: what it is, its clocks, its trail, what it says of persons, and what this person may do now. Read by officers and auditors. */

import { html, say, showDay, showNumber, showTime, t, useEffect, useRef, useState } from "../pages/ui.js";
import { allOf, ask, fetchFile, hasRole, session } from "./api.js";
import { cameFrom } from "./arrival.js";
import { lastList } from "./cases.js";
import { Until } from "./clock.js";
import { useDraft } from "./drafts.js";
import { Personal } from "./case_personal.js";
import { CasePlace } from "./case_place.js";
import { Photos } from "./photos.js";
import { AreaName, categoryName, PersonName, save, Status, Trouble, UnitName, useCategories } from "./parts.js";
import { StepForm } from "./step_form.js";
import { rules, stepsOf } from "./steps.js";
import { Trail } from "./trail.js";

const EVERY_MS = 10_000;
const SOON_MS = 500;

/** {found: {each, trail}, problem, reload(position)}: the case with its trail; at, position: what was just recorded, and must be in it. */
function useCase(id, at) {
  const [told, tell] = useState({ found: null, problem: null });
  const [turn, setTurn] = useState({ position: at ?? undefined });
  const etag = useRef();
  useEffect(() => {
    let current = true;
    let again;
    const min_position = turn.position;
    ask(`/v1/cases/${id}`, { min_position }, { etag: min_position || turn.anew ? undefined : etag.current })
      .then(async (answer) => {
        if (answer.data === undefined || (answer.etag === etag.current && !turn.anew)) return;
        const trail = await allOf(`/v1/cases/${id}/history`, { min_position });
        if (!current) return;
        etag.current = answer.etag;
        tell({ found: { each: answer.data, trail }, problem: null });
      })
      .catch((problem) => {
        if (!current) return;
        if (problem.code === "read_model_behind") again = setTimeout(() => setTurn({ ...turn }), SOON_MS);
        else tell((before) => ({ ...before, problem }));
      })
      .finally(() => (turn.over = !again));
    return () => {
      current = false;
      clearTimeout(again);
    };
  }, [id, turn]);
  useEffect(() => {
    if (hasRole("auditor")) return undefined;
    // What was just recorded is waited for to its end: a look in between would find what was there before, and leave it at that.
    const timer = setInterval(() => document.visibilityState === "visible" && setTurn((before) => (before.over ? {} : before)), EVERY_MS);
    return () => clearInterval(timer);
  }, [id]);
  return { ...told, reload: (position) => setTurn({ position, anew: true }) };
}

/** Straight from the list, the way back leads to the reader's place in it. */
function toList(event) {
  if (cameFrom() !== lastList.address) return;
  event.preventDefault();
  history.back();
}

export function Case({ rest: [id], query }) {
  useCategories();
  const { found, problem, reload } = useCase(id, query.get("at"));
  if (!found) return html`<h1>${t("case_page.title")}</h1>${problem ? html`<${Trouble} problem=${problem} />` : html`<p aria-busy="true">${t("console.loading")}</p>`}<p><a href="#/cases">${t("case_page.back")}</a></p>`;
  const { each, trail } = found;
  return html`<article class="case">
    <p class="no-print"><a href=${lastList.address} onClick=${toList}>${t("case_page.back")}</a></p>
    <header class="title">
      <h1>${categoryName(each.category)}</h1>
      <${Status} status=${each.status} />
      ${each.urgency !== "normal" && html`<span class=${`status ${each.urgency === "emergency" ? "warn" : ""}`}>${t(`cases.urgency.${each.urgency}`)}</span>`}
      ${each.overtime && html`<span class="status warn">${t(each.overtime_exempted ? "case_page.exempted" : "cases.overtime")}</span>`}
      <button type="button" class="outline no-print" onClick=${() => print()}>${t("case_page.print")}</button>
    </header>
    <p class="print-only muted">${t("case_page.printed", { who: session.value.name, when: showTime(new Date()), id: each.case_id })}</p>
    <p class="summary">${each.summary ?? (each.private ? t("cases.private_matter") : "")}</p>
    ${problem && html`<${Trouble} problem=${problem} />`}
    <div class="columns">
      <section aria-label=${t("case_page.facts")}>
        <${Clocks} each=${each} />
        <${Facts} each=${each} />
        <${CasePlace} case=${each} />
        <${Photos} case=${each} />
        <${Personal} case=${each} />
        ${hasRole("auditor") && html`<${Evidence} case=${each} trail=${trail} />`}
      </section>
      <section aria-label=${t("case_page.next")}>
        <${Steps} each=${each} trail=${trail} reload=${reload} />
        <${Trail} case=${each} trail=${trail} />
      </section>
    </div>
  </article>`;
}


// ---- what may be done now

function Steps({ each, trail, reload }) {
  const [table, setTable] = useState(null);
  const [chosen, choose] = useDraft(`${each.case_id}:chosen`, null);
  const heading = useRef();
  useEffect(() => void rules().then(setTable, () => setTable({})), []);
  const steps = table ? stepsOf(each, trail, table) : [];
  const close = () => {
    choose(null);
    heading.current?.focus();
  };
  function done({ position, ledger }) {
    say(t("case_page.recorded", { ledger, position }));
    close();
    reload(`${ledger}:${position}`);
  }
  if (!hasRole("officer", "worker")) return null;
  return html`<div class="steps no-print">
    <h2 tabindex="-1" ref=${heading}>${t("case_page.next")}</h2>
    ${table && !steps.length && html`<p class="muted">${t("case_page.nothing")}</p>`}
    <div class="buttons start">
      ${steps.map((step) => html`<button key=${step} type="button" class=${chosen?.step === step ? "" : "outline"} aria-expanded=${chosen?.step === step} onClick=${() => choose(chosen?.step === step ? null : { step })}>${t(`step.${step}`)}</button>`)}
    </div>
    ${chosen && html`<${StepForm} key=${chosen.step} case=${each} trail=${trail} step=${chosen.step} still=${steps.includes(chosen.step)} onDone=${done} onStale=${() => reload()} onClose=${close} />`}
  </div>`;
}

// ---- facts

const CLOCKS = ["accept_due_at", "dispatch_due_at", "muster_due_at", "due_at"];
const RUNS = {
  accept_due_at: ({ status }) => ["reported", "verified"].includes(status),
  dispatch_due_at: ({ status }) => status === "registered",
  muster_due_at: ({ status }) => status === "mustering",
  due_at: ({ status }) => ["registered", "dispatched", "mustering", "acknowledged", "rework", "check_failed"].includes(status),
};

function Clocks({ each }) {
  const known = CLOCKS.filter((name) => each[name]);
  return html`<div class="clocks">
    <h2>${t("case_page.clocks")}</h2>
    <dl class="case-facts">
      ${known.map((name) => html`<dt>${t(`case_clock.${name}`)}</dt><dd>${showTime(each[name])} ${RUNS[name](each) ? html`<strong><${Until} moment=${each[name]} /></strong>` : html`<span class="muted">${t("case_page.stopped")}</span>`}</dd>`)}
      ${each.time_limit && html`<dt>${t("case_page.limit")}</dt><dd>${showNumber(each.time_limit.amount)} ${t(`case_page.kind.${each.time_limit.kind}`)}${each.extensions > 0 && ` · ${t("case_page.extended", { count: each.extensions })}`}</dd>`}
      ${each.suspended_until && html`<dt>${t("case_page.suspended_until")}</dt><dd>${showDay(each.suspended_until)}</dd>`}
    </dl>
  </div>`;
}

const Row = ({ name, children }) => (children === null || children === undefined || children === false ? null : html`<dt>${t(`case_fact.${name}`)}</dt><dd>${children}</dd>`);

function Facts({ each }) {
  return html`<h2>${t("case_page.facts")}</h2>
    <dl class="case-facts">
      <${Row} name="area"><${AreaName} code=${each.area} /> <span class="mono muted">${each.area}</span></${Row}>
      <${Row} name="holder"><${UnitName} unit=${each.holder} /></${Row}>
      <${Row} name="registrar">${each.registrar && html`<${UnitName} unit=${each.registrar} />`}</${Row}>
      <${Row} name="called">${each.called?.length > 0 && each.called.map((unit, at) => html`${at > 0 && ", "}<${UnitName} unit=${unit} />`)}</${Row}>
      <${Row} name="level">${t(`cases.level.${each.level}`)}</${Row}>
      <${Row} name="source">${t(`case_page.source.${each.source}`)}</${Row}>
      <${Row} name="reporter"><${PersonName} person=${each.reporter} /></${Row}>
      <${Row} name="reported_at">${showTime(each.reported_at)}</${Row}>
      <${Row} name="complexity">${each.complexity && t(`field.complexity.${each.complexity}`)}</${Row}>
      <${Row} name="severity">${each.severity && t(`case_page.severity.${each.severity}`)}</${Row}>
      <${Row} name="reference">${each.reference && html`<span class="mono">${each.reference}</span>`}</${Row}>
      <${Row} name="household">${each.household && html`<span class="mono">${each.household}</span>`}</${Row}>
      <${Row} name="place">${each.place && placeWords(each.place)}</${Row}>
      <${Row} name="result">${each.result}</${Row}>
      <${Row} name="quantities">${each.quantities && Object.entries(each.quantities).map(([name, amount]) => `${name} ${showNumber(amount)}`).join(", ")}</${Row}>
      <${Row} name="rating">${each.rating && t(`field.rating.${each.rating}`)}</${Row}>
      <${Row} name="merged_into">${each.merged_into && html`<a href=${`#/case/${each.merged_into}`}>${each.merged_into.slice(0, 8)}</a>`}</${Row}>
      <${Row} name="id"><span class="mono">${each.case_id}</span></${Row}>
    </dl>`;
}

const placeWords = ({ lat, lon, accuracy_m: metres, purpose }) =>
  [`${lat}, ${lon}`, metres ? t("case_page.accuracy", { metres: showNumber(metres) }) : "", purpose ? t("case_page.place_for", { purpose: purpose.replaceAll("_", " ") }) : ""].filter(Boolean).join(" · ");

// ---- for auditors: what proves it

function Evidence({ case: each, trail }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState("");
  async function download(path, query, name) {
    setBusy(name);
    setProblem(null);
    await fetchFile(path, query).then((blob) => save(blob, name), setProblem);
    setBusy("");
  }
  const link = (name, words, path, query) => html`<button type="button" class="outline" aria-busy=${busy === name} disabled=${Boolean(busy)} onClick=${() => download(path, query, name)}>${words}</button>`;
  return html`<div class="evidence no-print">
    <h2>${t("case_page.evidence")}</h2>
    <p>${t("case_page.evidence_why")}</p>
    <div class="buttons start">${link(`dossier-${each.case_id}.zip`, t("case_page.dossier"), `/v1/cases/${each.case_id}/dossier`)} <a role="button" class="outline" href=${`#/past/${each.case_id}`}>${t("case_page.past")}</a></div>
    <${Trouble} problem=${problem} />
    <details>
      <summary>${t("case_page.proofs")}</summary>
      <ul>${trail.map(({ topic, position, version }) => html`<li key=${version}>${t(`topic.${topic}`)} · <span class="mono">${each.ledger}:${position}</span> ${link(`proof-${each.ledger}-${position}.txt`, t("case_page.proof"), `/v1/ledgers/${each.ledger}/events/${position}/proof`)}</li>`)}</ul>
    </details>
  </div>`;
}
