/** A visit, from the plan or ad hoc. "No one home" takes three taps: the visit, the outcome, store. */

import { areaNames, carePlan, draft, grids, items, record } from "./state.js";
import { GridChoice } from "./grids.js";
import { Choice, Field, go, html, named, t, useState } from "../pages/ui.js";

const OUTCOMES = ["met", "no_one_home", "refused"];
const CHANNELS = ["at_door", "phone", "video"];

/** The subject under whom personal values of a household are kept: chosen at random, the same on this tablet for the same household. */
export async function subjectOf(tablet, household) {
  const known = await tablet.store.fact(`subject:${household}`);
  const subject = known ?? crypto.randomUUID();
  if (!known) await tablet.store.remember({ [`subject:${household}`]: subject });
  return subject;
}

export function Visit({ household: planned, tablet }) {
  const before = items.value.visit.find(({ id }) => id === planned)?.data;
  const [form] = useState(() =>
    draft(`visit:${planned ?? ""}`, {
      household: planned ?? "",
      area: before?.area ?? grids.value[0],
      outcome: "",
      channel: "at_door",
      care_group: before?.care_group ?? "",
      need: "",
      next_visit: "",
    }),
  );
  const said = form.held.value;
  const set = (name) => (value) => form.set({ [name]: value });

  async function store(event, thenCase) {
    event?.preventDefault();
    const id = crypto.randomUUID();
    const { household, area, outcome, channel, care_group: group, need, next_visit: next } = said;
    const personal = need ? [{ subject: await subjectOf(tablet, household), field: "need_voiced", value: need }] : [];
    const data = { household, outcome, channel, ...(group && { care_group: group }), ...(next && { next_visit: next }) };
    if ((await record("visit.made", id, area, data, personal)) === null) return;
    form.clear();
    go(thenCase ? `/report/visit/${id}/${encodeURIComponent(household)}` : "/");
  }

  return html`<main class="container">
    <h1>${t("visit.title")}</h1>
    <form onSubmit=${store}>
      ${planned
        ? html`<p><strong>${planned}</strong> ${areaNames.value.get(said.area) ?? said.area}</p>`
        : html`<${Field} label=${t("visit.household")} value=${said.household} onInput=${set("household")} required maxlength="64" pattern="[A-Za-z0-9._:\\/\\-]+" />
            <${GridChoice} grids=${grids.value} names=${areaNames.value} value=${said.area} onChange=${set("area")} />`}
      <${Choice} label=${t("visit.outcome")} name="outcome" required value=${said.outcome} onChange=${set("outcome")} options=${OUTCOMES.map((each) => [each, t(`visit.${each}`)])} />
      ${said.outcome === "met" &&
      html`
        <${Choice} label=${t("visit.channel")} name="channel" value=${said.channel} onChange=${set("channel")} options=${CHANNELS.map((each) => [each, t(`visit.${each}`)])} />
        <${Field} label=${t("visit.need")} value=${said.need} onInput=${set("need")} long maxlength="500" why=${t("visit.needWhy")} />
        ${said.need && html`<button type="button" class="secondary" onClick=${() => store(null, true)}>${t("visit.needCase")}</button>`}
        <details>
          <summary>${t("visit.careGroup")} · ${t("visit.next")}</summary>
          <select aria-label=${t("visit.careGroup")} value=${said.care_group} onChange=${(event) => set("care_group")(event.target.value)}>
            <option value="">${t("common.none")}</option>
            ${Object.entries(carePlan.value.groups).map(([code, group]) => html`<option value=${code} selected=${said.care_group === code}>${named(group, code)}</option>`)}
          </select>
          <${Field} label=${t("visit.next")} type="date" value=${said.next_visit} onInput=${set("next_visit")} />
        </details>
      `}
      <button disabled=${!said.outcome || !said.household || !said.area}>${t("visit.store")}</button>
    </form>
  </main>`;
}
