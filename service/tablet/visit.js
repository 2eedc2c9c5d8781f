/** A visit, from the plan or ad hoc. "No one home" takes three taps: the household, the outcome, store. */

import { Choice, computed, Field, go, html, say, showDay, signal, t, today, useState } from "../pages/ui.js";
import { draft } from "./drafts.js";
import { Begun, GridChoice, Long, Search } from "./parts.js";
import { Personal } from "./personal.js";
import { Where } from "./place.js";
import { bearsNumber } from "./plain.js";
import { CategoryChoice, categoryName, isGroup, isPrivate } from "./report.js";
import { areaNames, careName, carePlan, categories, grids, items, record, tablet } from "./state.js";
import { Household } from "./today.js";

/** How it went, in one tap: what each tile says of outcome and channel. */
const TILES = {
  met: { outcome: "met", channel: "at_door" },
  phone: { outcome: "met", channel: "phone" },
  no_one_home: { outcome: "no_one_home", channel: "at_door" },
  refused: { outcome: "refused", channel: "at_door" },
};
const CHANNELS = ["at_door", "phone", "video"];
const REFERENCE = /^[A-Za-z0-9._:/-]{1,64}$/;
/** The group of needs in the city's book; none: all groups are offered. */
const needs = () => Object.keys(categories.value.codes).find((code) => isGroup(code) && categories.value.codes[code].name === "care_service") ?? "";

const DAY_MS = 24 * 3600 * 1000;
const dayAfter = (days) => new Date(Date.parse(`${today()}T12:00Z`) + days * DAY_MS).toISOString().slice(0, 10);

/** When the care plan wants the next visit, in the same words as the service decides it; null where the household is in no care group. */
export function proposed(group, outcome) {
  const { groups, tiers, no_one_home_days: soon } = carePlan.value;
  const days = tiers?.[groups[group]?.tier];
  if (days === undefined) return null;
  return { days, day: dayAfter(outcome === "no_one_home" ? Math.min(days, soon ?? days) : days) };
}

// ---- which household

const sought = signal("");
const households = computed(() => {
  const words = sought.value.trim().toLowerCase();
  const all = items.value.visit.map(({ data }) => data).filter(({ household }) => household.toLowerCase().includes(words));
  return all.sort((one, other) => (one.next_due < other.next_due ? -1 : 1));
});
const row = (each) => html`<${Household} key=${each.household} visit=${each} />`;

export function Visits() {
  const typed = sought.value.trim();
  const isNew = REFERENCE.test(typed) && !households.value.some(({ household }) => household === typed);
  const begin = (household) => {
    sought.value = "";
    go(`/visit/${encodeURIComponent(household)}`);
  };
  return html`<main class="container">
    <h1 tabindex="-1">${t("visit.title")}</h1>
    <form
      onSubmit=${(event) => {
        event.preventDefault();
        if (REFERENCE.test(typed)) begin(typed);
      }}
    >
      <${Search} label=${t("visit.household")} value=${sought.value} onInput=${(words) => (sought.value = words)} />
      ${typed && !REFERENCE.test(typed) && html`<p class="wrong" role="status">${t("visit.reference")}</p>`}
      ${isNew && html`<button>${t("visit.new", { household: typed })}</button>`}
    </form>
    <h2>${t("visit.planned")} <small class="count">${households.value.length}</small></h2>
    <${Long} rows=${households.value} row=${row} empty=${t(typed ? "visit.noneFound" : "visit.noPlan")} />
  </main>`;
}

// ---- the visit

export function Visit({ household }) {
  const before = items.value.visit.find(({ id }) => id === household)?.data;
  const [form] = useState(() => draft(`visit:${household}`, { area: before?.area ?? "", tile: "", channel: "", care_group: before?.care_group ?? "", need: "", group: "", code: "", next_visit: "", place: null }));
  const [busy, setBusy] = useState(false);
  const said = form.held.value;
  const area = said.area || (grids.value[0] ?? "");
  const set = (name) => (value) => form.set({ [name]: value });
  const { outcome, channel: usual } = TILES[said.tile] ?? {};
  const need = said.need.trim() || (said.code ? categoryName(said.code) : "");

  /** Stores once, however often the button is tapped. */
  async function store(event, asCase) {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    await storeOnce(asCase);
    setBusy(false);
  }

  async function storeOnce(asCase) {
    const id = crypto.randomUUID();
    const subject = need || said.place ? await tablet.value.subjectOf(household) : null;
    const personal = [];
    if (outcome === "met" && need) personal.push({ subject, field: "need_voiced", value: need });
    if (said.place) personal.push({ subject, field: "visit_place", value: { ...said.place, purpose: "find_door" } });
    const data = { household, outcome, channel: said.channel || usual, ...(said.care_group && { care_group: said.care_group }), ...(said.next_visit && { next_visit: said.next_visit }) };
    const code = said.code || needs();
    if (asCase && !isPrivate(code) && bearsNumber(need)) return say(t("common.number"));
    if ((await record("visit.made", id, area, data, personal)) === null) return undefined;
    if (asCase && (await reportNeed(id, code, subject)) === null) return undefined;
    form.clear();
    return go("/");
  }

  /** The need as a case of its own, in the same step. */
  function reportNeed(visit, code, subject) {
    const { scheme, version } = categories.value;
    const data = { category: `${scheme}/${version}/${code}`, source: "visit", visit, household };
    const apart = isPrivate(code);
    return record("case.reported", crypto.randomUUID(), area, apart ? data : { ...data, summary: need }, apart ? [{ subject, field: "case_summary", value: need }] : []);
  }

  return html`<main class="container">
    <h1 tabindex="-1">${household}</h1>
    <p>${t("visit.title")} · ${areaNames.value.get(area) ?? area}${before?.care_group ? ` · ${careName(before.care_group)}` : ""}</p>
    <${Begun} form=${form} />
    ${before && html`<p><small>${t("visit.before", { day: showDay(before.day), outcome: t(`visit.${before.outcome}`) })}</small></p>`}
    <form onSubmit=${store}>
      ${!before && html`<${GridChoice} grids=${grids.value} names=${areaNames.value} value=${area} onChange=${set("area")} />`}
      <${Choice} label=${t("visit.outcome")} name="outcome" required value=${said.tile} onChange=${set("tile")} options=${Object.keys(TILES).map((each) => [each, t(`visit.${each}`)])} />
      ${outcome === "met" && html`<${Need} said=${said} set=${set} form=${form} />`}
      ${outcome &&
      html`<${Next} said=${said} outcome=${outcome} set=${set} />
        ${outcome === "met" && need && (said.code || needs()) && html`<button disabled=${busy || !area} onClick=${(event) => store(event, true)}>${t("visit.storeCase")}</button>`}
        <button disabled=${busy || !area} class=${outcome === "met" && need ? "secondary" : ""}>${t("visit.store")}</button>
        <details>
          <summary>${t("visit.more")}</summary>
          <${Choice} label=${t("visit.channel")} name="channel" required value=${said.channel || usual} onChange=${set("channel")} options=${CHANNELS.map((each) => [each, t(`visit.${each}`)])} />
          <${Where} area=${area} place=${said.place} onPlace=${set("place")} why=${t("visit.placeWhy")} />
        </details>`}
    </form>
    ${before && html`<${Personal} of="household" id=${household} />`}
  </main>`;
}

function Need({ said, set, form }) {
  const [isOther, setOther] = useState(!needs() || Boolean(said.group && said.group !== needs()));
  return html`<details open=${Boolean(said.code || said.need)}>
    <summary>${t("visit.need")} <small>${t("common.optional")}</small></summary>
    <${CategoryChoice} label=${t("visit.needKind")} only=${isOther ? undefined : needs()} group=${said.group} code=${said.code} onChange=${form.set} />
    ${!isOther && html`<button type="button" class="plain" onClick=${() => setOther(true)}>${t("visit.needOther")}</button>`}
    <${Field} label=${t("visit.needWords")} value=${said.need} onInput=${set("need")} long rows="2" maxlength="500" why=${t("visit.needWhy")} />
  </details>`;
}

/** The next visit, proposed from the care group; the worker may agree on an earlier day. */
function Next({ said, outcome, set }) {
  const plan = proposed(said.care_group, outcome);
  return html`<details>
    <summary>${t("visit.next")}: ${said.next_visit ? showDay(said.next_visit) : plan ? showDay(plan.day) : t("visit.noNext")}</summary>
    <label>${t("visit.careGroup")}
      <select value=${said.care_group} onChange=${(event) => set("care_group")(event.target.value)}>
        <option value="">${t("visit.noGroup")}</option>
        ${Object.keys(carePlan.value.groups).map((group) => html`<option value=${group} selected=${said.care_group === group}>${careName(group)}</option>`)}
      </select>
    </label>
    ${plan && html`<p>${t("visit.proposed", { group: careName(said.care_group), days: plan.days, day: showDay(plan.day) })}</p>`}
    <${Field} label=${t("visit.earlier")} type="date" min=${today()} max=${plan?.day} value=${said.next_visit} onInput=${set("next_visit")} />
  </details>`;
}
