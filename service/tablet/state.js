/** What the views show: the worker who is logged in on this device, and signals that follow what is stored. */

import { Tablet } from "./gridtrail-sync.js";
import { computed, say, signal, t, today } from "../pages/ui.js";

const EVERY_MS = 5 * 60_000;
const SHORT_OF_STORAGE = 0.8;
const PIN_ROUNDS = 600_000;

// ---- the workers of this device: each has a database of their own, which opens with their PIN

const WORKERS = "gridtrail:workers";
const coded = (bytes) => btoa(String.fromCharCode(...bytes));

export const workers = signal(JSON.parse(localStorage.getItem(WORKERS) ?? "[]"));
export const tablet = signal(null);

async function pinHash(pin, salt) {
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(pin), "PBKDF2", false, ["deriveBits"]);
  const raw = Uint8Array.from(atob(salt), (each) => each.charCodeAt(0));
  return coded(new Uint8Array(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: raw, iterations: PIN_ROUNDS }, key, 256)));
}

/** Enrols one more worker on this device and opens their tablet. */
export async function addWorker({ code, name, pin }) {
  const id = crypto.randomUUID();
  const opened = await Tablet.open(id);
  await opened.enrol(location.origin, code, name);
  const salt = coded(crypto.getRandomValues(new Uint8Array(16)));
  workers.value = [...workers.value, { id, name, salt, pin: await pinHash(pin, salt) }];
  localStorage.setItem(WORKERS, JSON.stringify(workers.value));
  await enter(opened);
}

/** Opens a worker's tablet. False where the PIN is not theirs. */
export async function logIn(worker, pin) {
  if ((await pinHash(pin, worker.salt)) !== worker.pin) return false;
  await enter(await Tablet.open(worker.id));
  return true;
}

/** Closes the tablet: the next worker sees nothing of it. */
export function leave() {
  tablet.value?.close();
  tablet.value = null;
  location.hash = "/";
}

// ---- what is stored, as signals

export const entries = signal([]);
export const items = signal({ case: [], visit: [], area: [], outline: [], rulebook: [], person: [], tablet: [], refusal: [] });
export const person = signal("");
export const syncing = signal(false);
export const syncedAt = signal(null);
export const trouble = signal(null);
export const online = signal(navigator.onLine);
export const storage = signal(null);

export const waiting = computed(() => entries.value.filter(({ state }) => state === "waiting").length);
const assignments = computed(() =>
  items.value.person
    .flatMap(({ data }) => Object.values(data.assigned ?? {}))
    .filter(({ from_day: from, to_day: to }) => from <= today() && (!to || today() <= to)),
);
export const units = computed(() => [...new Set(assignments.value.map(({ unit }) => unit))]);
export const areaNames = computed(() => new Map(items.value.area.map(({ id, data }) => [id, data.name])));
/** The grids that this worker may name: those worked in, or all that lie in a larger unit. */
export const grids = computed(() => {
  const all = items.value.area.map(({ id }) => id).filter((code) => code.length === 15);
  const mine = all.filter((code) => units.value.some((unit) => !unit.includes("/") && code.startsWith(unit)));
  return mine.length ? mine.sort() : units.value.filter((unit) => unit.length === 15);
});

function newest(kind) {
  const books = items.value.rulebook.map(({ data }) => data).filter((book) => book.kind === kind && book.effective_from <= today());
  return books.sort((one, other) => (one.effective_from < other.effective_from ? -1 : 1)).at(-1)?.content;
}
export const categories = computed(() => newest("categories") ?? { scheme: "", version: "", codes: {} });
export const carePlan = computed(() => newest("care_plan") ?? { groups: {} });

async function refresh() {
  const opened = tablet.value;
  if (!opened) return;
  const kinds = Object.keys(items.value);
  const found = await Promise.all(kinds.map((kind) => opened.items(kind)));
  const [made, at, wrong, enrolment] = await Promise.all([
    opened.entries(),
    opened.store.fact("syncedAt"),
    opened.store.fact("trouble"),
    opened.enrolment(),
  ]);
  if (opened !== tablet.value) return;
  items.value = Object.fromEntries(kinds.map((kind, at) => [kind, found[at]]));
  entries.value = made;
  syncedAt.value = at ?? null;
  trouble.value = wrong ?? null;
  person.value = enrolment.person;
}

async function watchStorage() {
  const told = await navigator.storage?.estimate?.();
  const kept = (await navigator.storage?.persisted?.()) || (await navigator.storage?.persist?.());
  if (told) storage.value = { short: told.usage / told.quota > SHORT_OF_STORAGE, percent: Math.round((100 * told.usage) / told.quota), quota: told.quota, kept };
}

async function enter(opened) {
  opened.addEventListener("change", refresh);
  opened.addEventListener("syncing", () => (syncing.value = true));
  opened.addEventListener("synced", () => (syncing.value = false));
  tablet.value = opened;
  await refresh();
  await watchStorage();
  sync();
}

/** Syncs, quietly: what goes wrong shows in the bar, and is tried again. */
export async function sync() {
  const opened = tablet.value;
  if (!opened || syncing.value) return;
  try {
    await opened.sync();
    await opened.prove?.();
  } catch {
    // It stands in the tablet's facts, and the bar shows it.
  }
  await watchStorage();
}

/** Stores an entry; tells the worker. Gives its number, or null where it could not be stored. */
export async function record(kind, id, area, data, personal = []) {
  try {
    const seq = await tablet.value.record(kind, id, area, data, { personal });
    say(t("common.stored"));
    sync();
    return seq;
  } catch (fault) {
    say(t("common.wrong", { what: fault.message }));
    return null;
  }
}

addEventListener("online", () => {
  online.value = true;
  sync();
});
addEventListener("offline", () => (online.value = false));
addEventListener("focus", sync);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && sync());
setInterval(sync, EVERY_MS);

// ---- drafts: a form that was begun is there again after the page was killed

export function draft(name, first) {
  const held = signal({ ...first, ...JSON.parse(sessionDraft(name) ?? "{}") });
  return {
    held,
    set(change) {
      held.value = { ...held.value, ...change };
      localStorage.setItem(draftKey(name), JSON.stringify(held.value));
    },
    clear() {
      held.value = { ...first };
      localStorage.removeItem(draftKey(name));
    },
  };
}
const draftKey = (name) => `gridtrail:${tablet.value?.name}:draft:${name}`;
const sessionDraft = (name) => localStorage.getItem(draftKey(name));
