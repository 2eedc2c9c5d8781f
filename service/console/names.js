/** What areas, units, people, statuses and categories are called. Names are asked for together, and kept while the person is here. */

import { html, named, signal, t, useEffect } from "../pages/ui.js";
import { allOf, get, hasRole, session } from "./api.js";

// ---- areas and units

const areas = signal({});
const coming = new Map();
let queue = [];
let whose = null;
const TOGETHER = 100;
export const LEVELS = { 4: "city", 6: "county", 9: "subdistrict", 12: "community", 15: "grid", 17: "micro_grid" };

/** A promise that the name of an area is there, for who cannot wait for the signal. */
export function areaKnown(code) {
  if (areas.peek()[code] !== undefined) return Promise.resolve();
  if (!coming.has(code)) {
    if (!queue.length) setTimeout(askForNames, 20);
    queue.push(code);
    let resolve;
    coming.set(code, { promise: new Promise((settle) => (resolve = settle)), resolve: () => resolve() });
  }
  return coming.get(code).promise;
}

async function askForNames() {
  const [codes, reader] = [queue, whose];
  queue = [];
  const found = Object.fromEntries(codes.map((code) => [code, null]));
  for (let at = 0; at < codes.length; at += TOGETHER) {
    const some = codes.slice(at, at + TOGETHER);
    const page = await get("/v1/areas", { codes: some.join(","), outlines: false, limit: TOGETHER }).catch(() => ({ items: [] }));
    for (const area of page.items) found[area.code] = area;
  }
  if (reader === whose) areas.value = { ...areas.value, ...found };
  for (const code of codes) {
    coming.get(code)?.resolve();
    coming.delete(code);
  }
}

/** Names that one person may see are not shown to the next. */
session.subscribe((now) => {
  if (now?.person !== whose) areas.value = {};
  whose = now?.person ?? null;
});

/** The name of an area as far as it is known yet; its code otherwise. */
export const areaName = (code) => {
  areaKnown(code);
  const known = areas.value[code];
  // An office above what the person may see has no name for them.
  return known?.name ?? (known === null && LEVELS[code.length] ? `${t(`console.level.${LEVELS[code.length]}`)} ${code}` : code);
};
export const AreaName = ({ code }) => (code ? html`<span class="area" title=${code}>${areaName(code)}</span>` : "—");

/** A unit: an area's own office, or a department of it. */
export const unitName = (unit) => {
  const [area, department] = unit.split("/");
  return department ? `${departmentName(department)} · ${areaName(area)}` : areaName(area);
};
/** What a department is called. */
export const departmentName = (word) => {
  const ours = t(`console.department.${word}`);
  return ours.startsWith("console.") ? word.replaceAll("_", " ") : ours;
};
export const UnitName = ({ unit }) => (unit ? html`<span class="area" title=${unit}>${unitName(unit)}</span>` : "—");

// ---- people, by what their offices call them: asked for together, of those whose area one runs; the id's beginning stands for others

const people = signal({});
let asked = new Map();
let asking = [];

async function askForPeople() {
  const [some, told] = [asking.splice(0, TOGETHER), asked];
  if (asking.length) setTimeout(askForPeople);
  const { items } = await get("/v1/people/names", { persons: some.join(",") }).catch(() => ({ items: [] }));
  if (told === asked) people.value = { ...people.value, ...Object.fromEntries(items.map(({ person, label }) => [person, label])) };
  for (const person of some) told.get(person).resolve();
}

/** A promise, for who cannot wait for the signal. */
export function personKnown(person) {
  if (!hasRole("officer", "auditor", "administrator")) return Promise.resolve();
  if (!asked.has(person)) {
    if (!asking.length) setTimeout(askForPeople, 20);
    asking.push(person);
    let resolve;
    asked.set(person, { promise: new Promise((settle) => (resolve = settle)), resolve });
  }
  return asked.get(person).promise;
}

let reader = null;
session.subscribe((now) => {
  if (now?.person !== reader) [people.value, asked, asking] = [{}, new Map(), []];
  reader = now?.person ?? null;
});

/** What a person is called, as far as it is known yet. */
export const personName = (person) => {
  if (!person) return "—";
  if (person === session.value?.person) return t("console.me");
  personKnown(person);
  return people.value[person] ?? person.slice(0, 8);
};
export const PersonName = ({ person }) => (person ? html`<span class="person-name" title=${person}>${personName(person)}</span>` : "—");

// ---- statuses and categories

const TONES = { reported: "new", verified: "new", accepted: "new", rework: "warn", check_failed: "warn", mustering: "warn", suspended: "still", merged: "still", rejected: "over", closed: "over", checked: "done", handled: "done", self_handled: "done" };
export const Status = ({ status }) => html`<span class=${`status ${TONES[status] ?? "going"}`}>${t(`status.${status}`)}</span>`;

/** The newest category books: {code: {name, zh, private}}, by scheme/version. */
const books = signal(null);
export function useCategories() {
  useEffect(() => {
    if (books.value) return;
    books.value = {};
    allOf("/v1/rulebooks", { kind: "categories" })
      .then((found) => (books.value = Object.fromEntries(found.map(({ content }) => [`${content.scheme}/${content.version}`, content]))))
      .catch(() => (books.value = null));
  }, []);
  return books.value ?? {};
}
export function categoryName(category) {
  const at = category.lastIndexOf("/");
  const code = category.slice(at + 1);
  return named(books.value?.[category.slice(0, at)]?.codes[code] ?? {}, code);
}
