/** Which steps of a case a person may take now, and what each asks for: the service's own table of rules, and the few rules beside it. */

import { get, session } from "./api.js";

let told;
/** {step: {statuses, who, roles}}, asked for once. */
export function rules() {
  told ??= get("/v1/case-rules").then(({ actions }) => actions);
  told.catch(() => (told = undefined));
  return told;
}

/** What each step asks for; * marks what it needs. The order is that of a case's life, and of the buttons. */
export const FORMS = {
  verify: ["found*", "note"],
  accept: ["note"],
  register: ["complexity", "note"],
  reject: ["reason*"],
  dispatch: ["to*", "note"],
  acknowledge: ["note"],
  muster: ["unit*"],
  handle: ["result*", "quantities", "photos"],
  self_handle: ["result*", "quantities", "photos"],
  check: ["passed*", "note", "photos"],
  rework: ["reason*"],
  evaluate: ["rated_by*", "rating*", "note"],
  close: ["note"],
  transfer: ["to*", "reason*"],
  refer: ["to*", "reason*"],
  whistle: ["lead*", "assists", "muster_minutes*", "task*"],
  escalate: ["reason*"],
  return: ["reason*"],
  extend: ["amount*", "reason*"],
  suspend: ["until*", "reason*"],
  resume: ["reason"],
  merge: ["into*", "reason*"],
  split: ["reason*"],
  reopen: ["reason*"],
  exempt_overtime: ["reason*"],
};

const PUBLIC_SOURCES = ["resident", "steward", "sensor"];
const isOffice = (unit) => !unit.includes("/");
const lies = (unit, area) => unit.split("/")[0].startsWith(area);
const isAbove = (units, unit) => units.some((own) => own !== unit && isOffice(own) && lies(unit, own));

/** How the person's units in one role may stand to a case, as domain/case_rules.py says it. */
const STANDS = {
  holder: (each, units) => units.includes(each.holder),
  supervisor: (each, units, role) => role === "officer" && isAbove(units, each.holder),
  registrar: (each, units) => units.includes(each.registrar ?? each.holder),
  over_registrar: (each, units, role) => role === "officer" && isAbove(units, each.registrar ?? each.holder),
  reporter: (each) => each.reporter === session.value.person,
  covering: (each, units) => units.some((unit) => isOffice(unit) && each.area.startsWith(unit)),
  subdistrict: (each, units) => units.includes(each.area.slice(0, 9)),
  called: (each, units) => (each.called ?? []).some((unit) => units.includes(unit)),
};

/** Handler, checker and evaluator of a case are different people, in its whole life. */
const DID = { handle: "handled", self_handle: "handled", check: "checked", evaluate: "evaluated" };
const DONE = { "case.handled": "handled", "case.self_handled": "handled", "case.checked": "checked", "case.evaluated": "evaluated" };

const last = (trail, ...topics) => trail.filter(({ topic }) => topics.includes(topic)).at(-1);

/** What must hold beside the table, told by the trail. */
const BESIDE = {
  verify: (each) => PUBLIC_SOURCES.includes(each.source),
  register: (each, trail) => !PUBLIC_SOURCES.includes(each.source) || last(trail, "case.verified")?.fields.found === true,
  muster: (each, trail, units) => unitsToMuster(each, trail, units).length > 0,
  extend: (each) => each.extensions < 2 && !isLate(each),
  suspend: (each, trail) => !last(trail, "case.suspended") && !isLate(each),
  return: (each, trail) => wayBack(trail) > 0,
  escalate: (each) => each.holder.split("/")[0].length > 6 && each.level !== "county",
  reopen: (each) => Boolean(each.registrar),
  evaluate: (each, trail) => !((last(trail, "case.evaluated")?.version ?? 0) > (last(trail, "case.handled", "case.self_handled", "case.reopened")?.version ?? 0)),
  exempt_overtime: (each) => !each.overtime_exempted && (each.overtime || isLate(each)),
};

const isLate = (each) => Boolean(each.due_at) && new Date(each.due_at) < new Date();

/** Units of the person that were called and have not come. */
export function unitsToMuster(each, trail, units) {
  const since = last(trail, "case.whistled")?.version ?? 0;
  const came = trail.filter(({ topic, version }) => topic === "case.mustered" && version > since).map(({ fields }) => fields.unit);
  return (each.called ?? []).filter((unit) => units.includes(unit) && !came.includes(unit));
}

/** How many units a case could be returned to, one after the other. */
function wayBack(trail) {
  let length = 0;
  for (const { topic, from_holder: from } of trail) {
    if (topic === "case.reopened") length = 0;
    else if (topic === "case.returned") length = Math.max(0, length - 1);
    else if (from && topic !== "case.reworked") length += 1;
  }
  return length;
}

function unitsIn(role) {
  return session.value.grants.filter((grant) => grant.role === role).map(({ unit }) => unit);
}

/** The units that the person acts for. */
export const ownUnits = () => [...new Set([...unitsIn("officer"), ...unitsIn("worker")])];

/** Names of the steps that this person may take now. table: of rules(). */
export function stepsOf(each, trail, table) {
  const did = new Set(trail.filter(({ by_person: by }) => by === session.value.person).map(({ topic }) => DONE[topic]).filter(Boolean));
  return Object.keys(FORMS).filter((step) => {
    const rule = table[step];
    if (!rule || !rule.statuses.includes(each.status)) return false;
    const role = rule.roles.find((name) => unitsIn(name).length && rule.who.some((who) => STANDS[who](each, unitsIn(name), name)));
    if (!role) return false;
    if (DID[step] && [...did].some((other) => other !== DID[step])) return false;
    return BESIDE[step]?.(each, trail, unitsIn(role)) ?? true;
  });
}

/** Whether a case of a list may be sent on by this person, as far as the list tells; the service decides. */
export function maySend(each, step, table) {
  const rule = table?.[step];
  return Boolean(rule?.statuses.includes(each.status)) && rule.roles.some((name) => rule.who.some((who) => STANDS[who](each, unitsIn(name), name)));
}
