/** Which steps of a case this worker may take now: the service's own table, so that buttons and rules never differ. */

import { person, units } from "./state.js";
import { signal } from "../pages/ui.js";

const rules = signal({});

/** Fetches the table (the service worker keeps it for offline days). */
export async function loadRules() {
  const answer = await fetch("/v1/case-rules");
  if (answer.ok) rules.value = (await answer.json()).actions;
}

/** What each step asks for on a tablet; a step that is not here is taken at the console. */
export const FORMS = {
  acknowledge: [],
  verify: ["found", "note"],
  handle: ["result"],
  self_handle: ["result"],
  muster: [],
  return: ["reason"],
  escalate: ["reason"],
  evaluate: ["rating"],
};

const STANDING = {
  holder: (each) => units.value.includes(each.holder),
  reporter: (each) => each.reporter === person.value,
  covering: (each) => units.value.some((unit) => !unit.includes("/") && each.area.startsWith(unit)),
  called: (each) => (each.called ?? []).some((unit) => units.value.includes(unit)),
};

/** Only what the public reported is verified. */
const PUBLIC_SOURCES = ["resident", "steward", "sensor"];

export function stepsOf(each) {
  return Object.keys(FORMS).filter((action) => {
    if (action === "verify" && !PUBLIC_SOURCES.includes(each.source)) return false;
    const rule = rules.value[action];
    return rule && rule.roles.includes("worker") && rule.statuses.includes(each.status) && rule.who.some((who) => STANDING[who]?.(each));
  });
}
