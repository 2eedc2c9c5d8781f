/** Today: forms that were begun, the patrol of the day, cases that wait for this worker, visits due, and what is not sent yet. */

import { computed, html, showDay, signal, t, today } from "../pages/ui.js";
import { CaseRow } from "./cases.js";
import { discard, drafts } from "./drafts.js";
import { Long, showWhen } from "./parts.js";
import { stepsOf } from "./rules.js";
import { areaNames, careName, entries, items, refused, syncedAt, waiting } from "./state.js";

const shownDay = signal(today());
// A tablet stays open over midnight: what is due is due on another day then.
setInterval(() => (shownDay.value = today()), 60_000);

/** What was recorded here today and was not refused, oldest first. */
const ofToday = computed(() => {
  const from = new Date(`${shownDay.value}T00:00`).getTime();
  return entries.value.filter(({ at, state }) => at >= from && state !== "refused");
});
/** What is recorded here but has not come back from the service yet. */
const visitedToday = computed(() => new Set(ofToday.value.filter(({ kind }) => kind === "visit.made").map(({ entry }) => entry.data.household)));
const due = computed(() => {
  const day = shownDay.value;
  return items.value.visit
    .map(({ data }) => data)
    .filter(({ next_due: until, household }) => until && until <= day && !visitedToday.value.has(household))
    .sort((one, other) => (one.next_due < other.next_due ? -1 : 1));
});
/** Cases in which this worker has a step to take, the most urgent first. */
export const mine = computed(() =>
  items.value.case
    .map(({ data }) => data)
    .filter((each) => stepsOf(each).length)
    .sort((one, other) => ((one.due_at ?? "9") < (other.due_at ?? "9") ? -1 : 1)),
);
/** The patrol that was started today and not finished, and how many were finished. */
export const patrol = computed(() => {
  const rounds = ofToday.value.filter(({ kind }) => kind.startsWith("patrol."));
  const finished = new Set(rounds.filter(({ kind }) => kind === "patrol.finished").map(({ id }) => id));
  const begun = rounds.filter(({ kind, id }) => kind === "patrol.started" && !finished.has(id)).at(-1);
  const passed = begun && rounds.filter(({ kind, id }) => kind === "patrol.checkpoint_passed" && id === begun.id);
  return { finished: finished.size, going: begun ? { id: begun.id, area: begun.entry.area, at: begun.at, passed } : null };
});


export function Today() {
  const { going, finished } = patrol.value;
  return html`<main class="container" key=${shownDay.value}>
    <h1 tabindex="-1">${t("today.title")} <small>${showDay(shownDay.value)}</small></h1>
    <${Unfinished} />
    <${Unsent} />
    <section>
      <h2>${t("today.patrol")}</h2>
      <p>
        ${going
          ? html`<a role="button" class="wide" href="#/patrol">${areaNames.value.get(going.area) ?? going.area} · ${t("patrol.passed", { count: going.passed.length })}</a>`
          : html`<a role="button" class="wide" href="#/patrol">${t("patrol.start")}</a>`}
        ${finished > 0 && html`<small>${t("today.patrolled", { count: finished })}</small>`}
      </p>
    </section>
    <section>
      <h2>${t("today.mine")} <small class="count">${mine.value.length}</small></h2>
      <${Long} rows=${mine.value} row=${caseRow} empty=${t("today.noCases")} />
    </section>
    <section>
      <h2>${t("today.due")} <small class="count">${due.value.length}</small></h2>
      <${Long} rows=${due.value} row=${dueRow} empty=${t("today.noVisits")} />
    </section>
  </main>`;
}

const caseRow = (each) => html`<${CaseRow} key=${each.case_id} case=${each} />`;
const dueRow = (each) => html`<${Household} key=${each.household} visit=${each} />`;

/** A household in a list: since when or until when it is due, and what is known of it without names. */
export function Household({ visit: { household, next_due: until, care_group: group, area } }) {
  const isLate = until < today();
  return html`<li>
    <a href=${`#/visit/${encodeURIComponent(household)}`}>
      <strong>${household}</strong>
      <small>
        <span class=${isLate ? "overdue" : ""}>${t(isLate ? "today.overdue" : "today.until", { day: showDay(until) })}</span>
        ${group && html` · ${careName(group)}`} · ${areaNames.value.get(area) ?? area}
      </small>
    </a>
  </li>`;
}

function Unsent() {
  const refusedCount = refused.value.length;
  return html`<p class="unsent">
    <a href="#/outbox">${waiting.value ? t("sync.waiting", { count: waiting.value }) : t("sync.clear")}</a>
    ${refusedCount > 0 && html` · <a href="#/outbox" class="wrong">${t("today.refused", { count: refusedCount })}</a>`}
    <small>${syncedAt.value ? t("sync.last", { when: showWhen(syncedAt.value) }) : t("sync.never")}</small>
  </p>`;
}

function Unfinished() {
  if (!drafts.value.length) return null;
  return html`<section class="unfinished">
    <h2>${t("draft.title")}</h2>
    <ul class="list">
      ${drafts.value.map(
        ({ name, at, route }) => html`<li key=${name} class="two">
          <a href=${route}>${t(`draft.${name.split(":")[0]}`)} ${name.split(":")[1] && name.startsWith("visit") ? html`<strong>${name.slice(6)}</strong>` : ""}<small>${t("draft.begun", { when: showWhen(at) })}</small></a>
          <button type="button" class="plain" onClick=${() => discard(name)}>${t("draft.discard")}</button>
        </li>`,
      )}
    </ul>
  </section>`;
}
