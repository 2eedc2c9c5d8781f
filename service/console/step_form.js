/** The form of one step of a case: its fields from the table, and If-Match with the version that the person saw. Read on the case's page. */

import { Field, html, t, today, useLayoutEffect, useRef, useState } from "../pages/ui.js";
import { send, useData } from "./api.js";
import { useDraft } from "./drafts.js";
import { Reason, Select, Trouble, unitName } from "./parts.js";
import { PhotoInput } from "./photos.js";
import { FORMS, ownUnits, unitsToMuster } from "./steps.js";
import { titleOf } from "./titles.js";
import { UnitChoice } from "./units.js";

const CHOICES = {
  found: [true, false],
  passed: [true, false],
  rating: ["very_satisfied", "satisfied", "dissatisfied"],
  rated_by: ["reporter", "resident"],
  complexity: ["simple", "ordinary", "complex"],
};
const MUSTER_MINUTES = 30;
const FIRST = { muster_minutes: MUSTER_MINUTES, rated_by: "resident" };
const WORDS = { reason: "reason", note: "note", result: "result", task: "task" };

export function StepForm({ case: each, trail, step, still, onDone, onStale, onClose }) {
  const fields = FORMS[step].map((name) => ({ name: name.replace("*", ""), required: name.endsWith("*") }));
  const [said, setSaid, forget] = useDraft(`${each.case_id}:${step}`, () => firstOf(each, trail, fields));
  const [seen, setSeen] = useState(each.version);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const form = useRef();
  useLayoutEffect(() => form.current.querySelector("input, select, textarea, button")?.focus(), []);
  // The person decides on what they saw: what changes meanwhile is told, and decided on anew.
  const moved = each.version !== seen;
  const missing = fields.some(({ name, required }) => required && isEmpty(said[name]));

  async function store(event) {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const { body } = await send("POST", `/v1/cases/${each.case_id}/${step}`, bodyOf(said), { version: seen });
      forget();
      onDone(body);
    } catch (wrong) {
      setProblem(wrong);
      setBusy(false);
      if (wrong.code === "version_changed") onStale();
    }
  }

  return html`<form class="step" ref=${form} onSubmit=${store} aria-label=${t(`step.${step}`)}>
    <h3>${t(`step.${step}`)}</h3>
    <p class="muted">${t(`step_why.${step}`)}</p>
    ${fields.map(({ name, required }) => html`<${Asked} key=${name} name=${name} step=${step} required=${required} case=${each} trail=${trail} value=${said[name]} onChange=${(value) => setSaid((before) => ({ ...before, [name]: value }))} />`)}
    <${Trouble} problem=${problem} />
    ${moved && html`<p role="alert" class="trouble">${t(still ? "case_page.moved" : "case_page.moved_away")}</p>`}
    <div class="buttons">
      <button type="button" class="secondary" onClick=${() => (forget(), onClose())}>${t("common.cancel")}</button>
      ${moved && still ? html`<button key="seen" type="button" onClick=${() => (setSeen(each.version), setProblem(null))}>${t("case_page.seen")}</button>` : html`<button key="store" disabled=${busy || missing || moved} aria-busy=${busy}>${t(`step.${step}`)}</button>`}
    </div>
  </form>`;
}

function firstOf(each, trail, fields) {
  const said = {};
  for (const { name } of fields) {
    if (FIRST[name] !== undefined) said[name] = FIRST[name];
    if (name === "unit") said.unit = unitsToMuster(each, trail, ownUnits())[0];
  }
  return said;
}

const isEmpty = (value) => value === undefined || value === null || value === "" || (typeof value === "string" && !value.trim()) || (Array.isArray(value) && !value.length);

/** What is sent: what was filled in. A list that nobody filled is an empty one where the step asks for it. */
function bodyOf(said) {
  const body = Object.fromEntries(Object.entries(said).filter(([, value]) => !isEmpty(value)));
  if (body.lead) body.assists ??= [];
  if (body.quantities) {
    body.quantities = Object.fromEntries(body.quantities.filter(({ name, amount }) => name.trim() && amount !== "").map(({ name, amount }) => [name.trim(), Number(amount)]));
    if (!Object.keys(body.quantities).length) delete body.quantities;
  }
  return body;
}

// ---- one field

function Asked({ name, step, required, case: each, trail, value, onChange }) {
  const label = t(`field.${name}`);
  if (CHOICES[name]) return html`<${Radios} name=${name} label=${label} required=${required} value=${value} onChange=${onChange} options=${CHOICES[name]} />`;
  if (WORDS[name]) return html`<${Reason} label=${label} required=${required} value=${value} onInput=${onChange} why=${each.private ? t("cases.private_words") : t("cases.no_names")} />`;
  if (name === "to" || name === "lead") return html`<${UnitChoice} label=${label} required=${required} value=${value ?? ""} onChange=${onChange} above=${each.area} department=${step === "refer" ? "must" : "may"} />`;
  if (name === "assists") return html`<${Assists} label=${label} case=${each} value=${value ?? []} onChange=${onChange} />`;
  if (name === "unit") return html`<label>${label} <${Select} value=${value} onChange=${onChange} options=${unitsToMuster(each, trail, ownUnits()).map((unit) => [unit, unitName(unit)])} /></label>`;
  if (name === "until") return html`<${Field} label=${label} type="date" required=${required} min=${today()} value=${value} onInput=${onChange} />`;
  if (name === "amount") return html`<${Field} label=${t("case_page.more_time", { kind: t(`case_page.kind.${each.time_limit.kind}`), most: each.time_limit.amount })} type="number" min="1" max=${Math.floor(each.time_limit.amount)} step="1" required=${required} value=${value} onInput=${(said) => onChange(said === "" ? "" : Number(said))} />`;
  if (name === "muster_minutes") return html`<${Field} label=${label} type="number" min="1" max="1440" step="1" required=${required} value=${value} onInput=${(said) => onChange(said === "" ? "" : Number(said))} />`;
  if (name === "into") return html`<${Into} label=${label} case=${each} value=${value ?? ""} onChange=${onChange} />`;
  if (name === "quantities") return html`<${Quantities} label=${label} value=${value ?? []} onChange=${onChange} />`;
  return html`<${PhotoInput} value=${value ?? []} onChange=${onChange} />`;
}

function Radios({ name, label, required, value, onChange, options }) {
  return html`<fieldset class="radios">
    <legend>${label}${required ? "" : html` <small>${t("common.optional")}</small>`}</legend>
    ${options.map((each) => html`<label key=${each}><input type="radio" name=${name} checked=${value === each} onChange=${() => onChange(each)} /> ${t(`field.${name}.${each}`)}</label>`)}
  </fieldset>`;
}

const NUMBER = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";

/** The case that goes on in this one's place: one of the open cases of the same grid, or any by its number. */
function Into({ label, case: each, value, onChange }) {
  const { data, problem } = useData("/v1/cases", { area: each.area, open: true, limit: 100 });
  const others = (data?.items ?? []).filter(({ case_id: id, ledger }) => id !== each.case_id && ledger === each.ledger);
  const options = [["", t("cases.unit.choose")], ...others.map((other) => [other.case_id, `${titleOf(other)} (${other.case_id.slice(0, 8)})`])];
  return html`<label>${label} <${Select} value=${others.some(({ case_id: id }) => id === value) ? value : ""} onChange=${onChange} options=${options} /></label>
    <${Trouble} problem=${problem} />
    <details>
      <summary>${t("case_page.by_number")}</summary>
      <${Field} label=${t("case_page.number")} why=${t("case_page.into_why")} value=${value} onInput=${(said) => onChange(said.trim().toLowerCase().split("/").at(-1))} pattern=${NUMBER} maxlength="200" />
    </details>`;
}

function Assists({ label, case: each, value, onChange }) {
  const [next, setNext] = useState("");
  const add = () => {
    onChange([...new Set([...value, next])]);
    setNext("");
  };
  return html`<fieldset>
    <legend>${label} <small>${t("common.optional")}</small></legend>
    ${value.length > 0 && html`<ul class="chosen">${value.map((unit) => html`<li key=${unit}>${unitName(unit)} <button type="button" class="outline" onClick=${() => onChange(value.filter((other) => other !== unit))} aria-label=${t("case_page.without", { what: unitName(unit) })}>×</button></li>`)}</ul>`}
    <${UnitChoice} label=${t("case_page.assist")} value=${next} onChange=${setNext} above=${each.area} />
    <button type="button" class="outline" disabled=${!next} onClick=${add}>${t("case_page.add")}</button>
  </fieldset>`;
}

function Quantities({ label, value, onChange }) {
  const set = (at, change) => onChange(value.map((each, index) => (index === at ? { ...each, ...change } : each)));
  return html`<fieldset class="quantities">
    <legend>${label} <small>${t("common.optional")}</small></legend>
    ${value.map(
      ({ name, amount }, at) => html`<div key=${at}>
        <label>${t("case_page.what")} <input value=${name} maxlength="64" onInput=${(event) => set(at, { name: event.target.value })} /></label>
        <label>${t("case_page.how_much")} <input type="number" step="any" value=${amount} onInput=${(event) => set(at, { amount: event.target.value })} /></label>
      </div>`,
    )}
    ${value.length < 20 && html`<button type="button" class="outline" onClick=${() => onChange([...value, { name: "", amount: "" }])}>${t("case_page.add")}</button>`}
  </fieldset>`;
}
