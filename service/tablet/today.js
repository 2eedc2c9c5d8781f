/** Today: visits due, the patrol of the day, cases that wait for this worker. */

import { stepsOf } from "./rules.js";
import { entries, items, tablet } from "./state.js";
import { CaseRow } from "./cases.js";
import { computed, html, showDay, showTime, t, today } from "../pages/ui.js";

export const due = computed(() =>
  items.value.visit
    .map(({ data }) => data)
    .filter(({ next_due: day }) => day && day <= today())
    .filter(({ household }) => !visitedToday.value.has(household))
    .sort((one, other) => (one.next_due < other.next_due ? -1 : 1)),
);
/** What is recorded here but has not come back from the service yet. */
const visitedToday = computed(
  () => new Set(entries.value.filter(({ kind, entry, state }) => kind === "visit.made" && state !== "refused" && entry.occurred_at.slice(0, 10) === today()).map(({ entry }) => entry.data.household)),
);
const mine = computed(() => items.value.case.map(({ data }) => data).filter((each) => stepsOf(each).length));
/** The patrol that was started today and not finished. */
export const patrol = computed(() => {
  const ofToday = entries.value.filter(({ kind, entry, state }) => kind.startsWith("patrol.") && state !== "refused" && entry.occurred_at.slice(0, 10) === today());
  const finished = new Set(ofToday.filter(({ kind }) => kind === "patrol.finished").map(({ id }) => id));
  const begun = ofToday.filter(({ kind, id }) => kind === "patrol.started" && !finished.has(id)).at(-1);
  return begun && { id: begun.id, area: begun.entry.area, at: begun.at, passed: ofToday.filter(({ kind, id }) => kind === "patrol.checkpoint_passed" && id === begun.id) };
});

export function Today() {
  return html`<main class="container">
    <h1>${t("today.title")}</h1>
    <h2>${t("today.patrol")}</h2>
    <p>
      ${patrol.value
        ? html`<a href="#/patrol">${t("patrol.started", { when: showTime(patrol.value.at) })} · ${t("patrol.passed", { count: patrol.value.passed.length })}</a>`
        : html`<a role="button" href="#/patrol">${t("patrol.start")}</a>`}
    </p>
    <h2>${t("today.mine")}</h2>
    ${mine.value.length ? html`<ul class="list">${mine.value.slice(0, 50).map((each) => html`<${CaseRow} key=${each.case_id} case=${each} />`)}</ul>` : html`<p>${t("today.noCases")}</p>`}
    <h2>${t("today.due")}</h2>
    ${due.value.length ? html`<ul class="list">${due.value.slice(0, 100).map((each) => html`<${Due} key=${each.household} visit=${each} />`)}</ul>` : html`<p>${t("today.noVisits")}</p>`}
    ${tablet.value && html`<small>${t("outbox.keep")}</small>`}
  </main>`;
}

function Due({ visit }) {
  return html`<li>
    <a href=${`#/visit/${encodeURIComponent(visit.household)}`}>
      ${visit.household}
      <small class=${visit.next_due < today() ? "overdue" : ""}>${t("today.overdue", { day: showDay(visit.next_due) })}</small>
    </a>
  </li>`;
}
