/** Open cases of the worker's grids, and one case with the steps that this worker may take. */

import { Choice, computed, Field, go, html, say, showTime, signal, t, useState } from "../pages/ui.js";
import { draft } from "./drafts.js";
import { Begun, Long, Search } from "./parts.js";
import { Personal } from "./personal.js";
import { CasePhotos, handOver, Photos } from "./photos.js";
import { bearsNumber } from "./plain.js";
import { categoryName } from "./report.js";
import { calledUnit, FORMS, OPTIONAL, pendingOf, stepsOf, TOPICS } from "./rules.js";
import { areaNames, items, record, tablet } from "./state.js";

const open = computed(() => items.value.case.map(({ data }) => data).sort((one, other) => ((one.due_at ?? "9") < (other.due_at ?? "9") ? -1 : 1)));
const codeOf = (each) => each.category.split("/").at(-1);
const unitName = (unit) => {
  const [area, department] = unit.split("/");
  return [areaNames.value.get(area) ?? area, department].filter(Boolean).join(" / ");
};

export function CaseRow({ case: each }) {
  const isLate = each.due_at && new Date(each.due_at) < new Date();
  const waits = pendingOf(each.case_id);
  return html`<li>
    <a href=${`#/case/${each.case_id}`}>
      <strong>${categoryName(codeOf(each))}</strong> <span class="words">${each.summary ?? t("cases.private")}</span>
      <small>
        ${t(`status.${each.status}`)} · ${areaNames.value.get(each.area) ?? each.area}
        ${each.due_at && html` · <span class=${isLate ? "overdue" : ""}>${t(isLate ? "cases.overdue" : "cases.due", { when: showTime(each.due_at) })}</span>`}
        ${waits.length > 0 && html` · ${t("case.waits", { action: waits.map((action) => t(`action.${action}`)).join(", ") })}`}
      </small>
    </a>
  </li>`;
}
const row = (each) => html`<${CaseRow} key=${each.case_id} case=${each} />`;

const sought = signal("");
const onlyMine = signal(false);
const shown = computed(() => {
  const words = sought.value.trim().toLowerCase();
  return open.value.filter((each) => {
    if (onlyMine.value && !stepsOf(each).length) return false;
    return !words || [each.summary, each.reference, categoryName(codeOf(each)), areaNames.value.get(each.area), each.case_id].some((text) => text?.toLowerCase().includes(words));
  });
});

export function Cases() {
  return html`<main class="container">
    <h1 tabindex="-1">${t("cases.title")} <small class="count">${shown.value.length}</small></h1>
    <${Search} label=${t("cases.search")} value=${sought.value} onInput=${(words) => (sought.value = words)} />
    <label class="switch"><input type="checkbox" role="switch" checked=${onlyMine.value} onChange=${(event) => (onlyMine.value = event.target.checked)} /> ${t("cases.mine")}</label>
    <${Long} rows=${shown.value} row=${row} empty=${t(open.value.length ? "cases.noneFound" : "cases.empty")} />
  </main>`;
}

export function Case({ id }) {
  const each = items.value.case.find((item) => item.id === id)?.data;
  const [step, choose] = useState("");
  if (!each) return html`<main class="container"><h1 tabindex="-1">${t("case.title")}</h1><p>${t("case.gone")}</p></main>`;
  const steps = stepsOf(each);
  const waits = pendingOf(id);
  return html`<main class="container">
    <h1 tabindex="-1">${categoryName(codeOf(each))}</h1>
    <p>${each.summary ?? t("cases.private")}</p>
    <${Facts} each=${each} />
    <h2>${t("case.next")}</h2>
    ${waits.length > 0 && html`<p role="note">${t("case.waits", { action: waits.map((action) => t(`action.${action}`)).join(", ") })}</p>`}
    ${steps.length > 0 &&
    html`<div class="choice" role="group" aria-label=${t("case.next")}>
      ${steps.map((action) => html`<button type="button" class="tile" aria-pressed=${step === action} onClick=${() => choose(action)}>${t(`action.${action}`)}</button>`)}
    </div>`}
    ${!steps.length && !waits.length && html`<p>${t("case.nothing")}</p>`}
    ${steps.includes(step) && html`<${Step} key=${step} case=${each} action=${step} />`}
    ${each.private && html`<${Personal} of="case" id=${id} />`}
  </main>`;
}

function Facts({ each }) {
  const [View, setView] = useState(null);
  const isLate = each.due_at && new Date(each.due_at) < new Date();
  const facts = [
    ["case.status", t(`status.${each.status}`)],
    ["case.holder", unitName(each.holder)],
    ["case.area", areaNames.value.get(each.area) ?? each.area],
    ["report.urgency", t(`report.urgency.${each.urgency}`)],
    ["report.level", t(`report.level.${each.level}`)],
    ["case.reported", showTime(each.reported_at)],
    each.due_at && ["case.due", html`<span class=${isLate ? "overdue" : ""}>${showTime(each.due_at)}${isLate ? ` · ${t("case.late")}` : ""}</span>`],
    each.household && ["case.household", each.household],
    each.called && ["case.called", each.called.map(unitName).join(", ")],
    each.reason && ["case.reason", each.reason],
    each.result && ["case.result", each.result],
  ];
  async function showMap() {
    if (View) return setView(null);
    const { Map } = await import("./map.js");
    return setView(() => Map);
  }
  return html`<dl class="facts">${facts.filter(Boolean).map(([key, value]) => html`<dt>${t(key)}</dt><dd>${value}</dd>`)}</dl>
    ${each.place && html`<button type="button" class="secondary" aria-expanded=${Boolean(View)} onClick=${showMap}>${t("place.onMap")}</button>`}
    ${View && html`<${View} area=${each.area} place=${each.place} />`}
    <${CasePhotos} names=${each.photos ?? []} />`;
}

const APART = { result: "case_result", reason: "case_reason", note: "case_note", photos: "photo" };

function Step({ case: each, action }) {
  const [form] = useState(() => draft(`step:${each.case_id}:${action}`, { photos: [] }));
  const [busy, setBusy] = useState(false);
  const said = form.held.value;
  const set = (name) => (value) => form.set({ [name]: value });
  const asked = FORMS[action];
  const isWanting = asked.some((name) => !OPTIONAL.has(name) && String(said[name] ?? "").trim() === "");

  async function store(event) {
    event.preventDefault();
    setBusy(true);
    try {
      await storeOnce();
    } catch (fault) {
      say(t("common.wrong", { what: fault.message }));
    }
    setBusy(false);
  }

  async function storeOnce() {
    const data = {};
    const personal = [];
    const subject = each.private ? await tablet.value.subjectOf(each.case_id) : null;
    for (const name of asked) {
      const value = typeof said[name] === "string" ? said[name].trim() : said[name];
      if (value === "" || value === undefined || value.length === 0) continue;
      if (APART[name] && each.private) personal.push(...[value].flat().map((one) => ({ subject, field: APART[name], value: one })));
      else if (typeof value === "string" && bearsNumber(value)) return say(t("common.number"));
      else data[name] = value;
    }
    if (action === "muster") data.unit = calledUnit(each);
    // Whose matter it was rates it: the worker who saw it on a patrol, the resident who asked for it otherwise.
    if (action === "evaluate") data.rated_by = each.source === "patrol" ? "reporter" : "resident";
    await handOver(asked.includes("photos") ? said.photos : []);
    if ((await record(TOPICS[action], each.case_id, each.area, data, personal)) === null) return undefined;
    form.clear();
    return go("/cases");
  }

  return html`<form onSubmit=${store}>
    <${Begun} form=${form} />
    ${each.private && asked.length > 0 && html`<p role="note">${t("report.private")}</p>`}
    ${asked.map((name) => html`<${Asked} key=${name} name=${name} value=${said[name]} onChange=${set(name)} />`)}
    <button aria-busy=${busy} disabled=${busy || isWanting}>${t("case.store", { action: t(`action.${action}`) })}</button>
  </form>`;
}

const CHOICES = { found: [true, false], rating: ["very_satisfied", "satisfied", "dissatisfied"] };

function Asked({ name, value, onChange }) {
  if (name === "photos") return html`<${Photos} names=${value ?? []} onChange=${onChange} />`;
  if (CHOICES[name]) {
    return html`<${Choice} label=${t(`field.${name}`)} name=${name} required value=${value} onChange=${onChange} options=${CHOICES[name].map((each) => [each, t(`field.${name}.${each}`)])} />`;
  }
  return html`<${Field} label=${t(`field.${name}`)} value=${value} onInput=${onChange} long rows="2" required=${!OPTIONAL.has(name)} maxlength="2000" />`;
}
