/** Which steps of a case this worker may take now: the service's own table, so that buttons and rules never differ. */

import { computed, signal } from "../pages/ui.js";
import { entries, person, units } from "./state.js";

const rules = signal({});

/** Fetches the table (the service worker keeps it for offline days). */
export async function loadRules() {
  const answer = await fetch("/v1/case-rules");
  if (answer.ok) rules.value = (await answer.json()).actions;
}

/** What each step asks for on a tablet; a step that is not here is taken at the console. */
export const FORMS = {
  acknowledge: [],
  verify: ["found", "note", "photos"],
  handle: ["result", "photos"],
  self_handle: ["result", "photos"],
  muster: [],
  return: ["reason"],
  escalate: ["reason"],
  evaluate: ["rating"],
};
export const OPTIONAL = new Set(["note", "photos"]);

export const TOPICS = {
  acknowledge: "case.acknowledged",
  verify: "case.verified",
  handle: "case.handled",
  self_handle: "case.self_handled",
  muster: "case.mustered",
  return: "case.returned",
  escalate: "case.escalated",
  evaluate: "case.evaluated",
};

const ACTION_OF = Object.fromEntries(Object.entries(TOPICS).map(([action, topic]) => [topic, action]));

const STANDING = {
  holder: (each) => units.value.includes(each.holder),
  reporter: (each) => each.reporter === person.value,
  covering: (each) => units.value.some((unit) => !unit.includes("/") && each.area.startsWith(unit)),
  called: (each) => Boolean(calledUnit(each)),
};

/** Which of the worker's units was called to a case and has not come yet. */
export const calledUnit = (each) => (each.called ?? []).find((unit) => units.value.includes(unit) && !(each.mustered ?? []).includes(unit));

/** Only what the public reported is verified. */
const PUBLIC_SOURCES = ["resident", "steward", "sensor"];

/** What would be refused although the table allows it, and why nobody needs to be asked. */
const BESIDE = {
  verify: (each) => PUBLIC_SOURCES.includes(each.source),
  // Who handled a case does not evaluate it.
  evaluate: (each) => each.handler !== person.value && !each.rating,
};

/** The steps of each case that are stored here and not sent yet, oldest first: names of actions. */
const pending = computed(() => {
  const found = new Map();
  for (const { id, kind, state } of entries.value) {
    const action = state === "waiting" && ACTION_OF[kind];
    if (action) found.set(id, [...(found.get(id) ?? []), action]);
  }
  return found;
});
export const pendingOf = (id) => pending.value.get(id) ?? [];

export function stepsOf(each) {
  if (pendingOf(each.case_id).length) return [];
  return Object.keys(FORMS).filter((action) => {
    const rule = rules.value[action];
    if (!rule || (BESIDE[action] && !BESIDE[action](each))) return false;
    return rule.roles.includes("worker") && rule.statuses.includes(each.status) && rule.who.some((who) => STANDING[who]?.(each));
  });
}
