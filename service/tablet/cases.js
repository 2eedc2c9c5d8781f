/** Open cases of the worker's grids, and one case with the steps that this worker may take. */

import { FORMS, stepsOf } from "./rules.js";
import { areaNames, categories, draft, items, record, units } from "./state.js";
import { Choice, computed, Field, go, html, named, showTime, t, useState } from "../pages/ui.js";

const open = computed(() => items.value.case.map(({ data }) => data).sort((one, other) => (one.due_at ?? "9") < (other.due_at ?? "9") ? -1 : 1));

const codeOf = (each) => each.category.split("/").at(-1);
export const isPrivate = (each) => Boolean(categories.value.codes[codeOf(each)]?.private ?? categories.value.codes[codeOf(each)[0]]?.private);
const categoryName = (each) => named(categories.value.codes[codeOf(each)] ?? {}, codeOf(each));

export function CaseRow({ case: each }) {
  const late = each.due_at && new Date(each.due_at) < new Date();
  return html`<li>
    <a href=${`#/case/${each.case_id}`}>
      <strong>${categoryName(each)}</strong> ${each.summary ?? t("cases.private")}
      <small class=${late ? "overdue" : ""}>
        ${t(`status.${each.status}`)} · ${areaNames.value.get(each.area) ?? each.area}
        ${each.due_at && html` · ${t(late ? "cases.overdue" : "cases.due", { when: showTime(each.due_at) })}`}
      </small>
    </a>
  </li>`;
}

export function Cases() {
  const [most, setMost] = useState(50);
  return html`<main class="container">
    <h1>${t("cases.title")}</h1>
    ${open.value.length ? html`<ul class="list">${open.value.slice(0, most).map((each) => html`<${CaseRow} key=${each.case_id} case=${each} />`)}</ul>` : html`<p>${t("cases.empty")}</p>`}
    ${open.value.length > most && html`<button class="secondary" onClick=${() => setMost(most + 50)}>${t("common.continue")}</button>`}
  </main>`;
}

export function Case({ id }) {
  const each = items.value.case.find((item) => item.id === id)?.data;
  const [step, choose] = useState("");
  if (!each) return html`<main class="container"><h1>${t("case.title")}</h1><p>${t("case.gone")}</p></main>`;
  const steps = stepsOf(each);
  return html`<main class="container">
    <h1>${categoryName(each)}</h1>
    <p>${each.summary ?? t("cases.private")}</p>
    <dl class="facts">
      <dt>${t("case.status")}</dt><dd>${t(`status.${each.status}`)}</dd>
      <dt>${t("case.holder")}</dt><dd>${areaNames.value.get(each.holder) ?? each.holder}</dd>
      <dt>${t("case.reported")}</dt><dd>${showTime(each.reported_at)}</dd>
      ${each.due_at && html`<dt>${t("cases.due", { when: "" })}</dt><dd>${showTime(each.due_at)}</dd>`}
    </dl>
    <h2>${t("case.next")}</h2>
    ${steps.length
      ? html`<${Choice} label="" name="step" required value=${step} onChange=${choose} options=${steps.map((action) => [action, t(`action.${action}`)])} />`
      : html`<p>${t("case.nothing")}</p>`}
    ${steps.includes(step) && html`<${Step} key=${step} case=${each} action=${step} />`}
  </main>`;
}

const TOPICS = { acknowledge: "acknowledged", verify: "verified", handle: "handled", self_handle: "self_handled", muster: "mustered", return: "returned", escalate: "escalated", evaluate: "evaluated" };
const APART = { result: "case_result", reason: "case_reason", note: "case_note" };

function Step({ case: each, action }) {
  const [form] = useState(() => draft(`step:${each.case_id}:${action}`, {}));
  const said = form.held.value;
  const set = (name) => (value) => form.set({ [name]: value });

  async function store(event) {
    event.preventDefault();
    const data = {};
    const apart = [];
    const subject = crypto.randomUUID();
    for (const [name, value] of Object.entries(said)) {
      if (value === "" || value === undefined) continue;
      if (APART[name] && isPrivate(each)) apart.push({ subject, field: APART[name], value });
      else data[name] = value;
    }
    if (action === "muster") data.unit = each.called.find((unit) => units.value.includes(unit));
    if (action === "evaluate") data.rated_by = "resident";
    if ((await record(`case.${TOPICS[action]}`, each.case_id, each.area, data, apart)) === null) return;
    form.clear();
    go("/cases");
  }

  return html`<form onSubmit=${store}>
    ${FORMS[action].map((name) => html`<${Asked} key=${name} name=${name} value=${said[name]} onChange=${set(name)} />`)}
    <button disabled=${FORMS[action].some((name) => name !== "note" && (said[name] ?? "") === "")}>${t(`action.${action}`)}</button>
  </form>`;
}

const CHOICES = { found: [true, false], rating: ["very_satisfied", "satisfied", "dissatisfied"] };

function Asked({ name, value, onChange }) {
  if (CHOICES[name]) {
    return html`<${Choice} label=${t(`field.${name}`)} name=${name} required value=${value} onChange=${onChange} options=${CHOICES[name].map((each) => [each, t(`field.${name}.${each}`)])} />`;
  }
  return html`<${Field} label=${t(`field.${name}`)} value=${value} onInput=${onChange} long required=${name !== "note"} maxlength="2000" />`;
}
