/** What the views show: the worker who is logged in on this device, and signals that follow what is stored. */

import { computed, named, say, signal, t, today } from "../pages/ui.js";
import { closeDrafts, openDrafts } from "./drafts.js";
import { Full, storageState, Tablet } from "./gridtrail-sync.js";
import { Followed } from "./stored.js";

const LOCK_MS = 10 * 60_000;
const LONGEST_SYNC_MS = 90_000;
const LITTLE_ROOM = 100e6;
const PIN_ROUNDS = 600_000;
const FREE_TRIES = 5;
const PAUSE_MS = 30_000;
const KINDS = ["case", "visit", "area", "outline", "rulebook", "person", "tablet", "refusal"];

// ---- the workers of this device: each has databases of their own, which open with their PIN

const WORKERS = "gridtrail:workers";
const ENROLLING = "gridtrail:enrolling";
const coded = (bytes) => btoa(String.fromCharCode(...bytes));

export const workers = signal(JSON.parse(localStorage.getItem(WORKERS) ?? "[]"));
export const tablet = signal(null);
/** Whether a PIN is asked for before anything of the open tablet is shown. It goes on sending meanwhile. */
export const locked = signal(false);

function keepWorkers(list) {
  workers.value = list;
  localStorage.setItem(WORKERS, JSON.stringify(list));
}

async function pinHash(pin, salt) {
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(pin), "PBKDF2", false, ["deriveBits"]);
  const raw = Uint8Array.from(atob(salt), (each) => each.charCodeAt(0));
  return coded(new Uint8Array(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: raw, iterations: PIN_ROUNDS }, key, 256)));
}

/**
 * Enrols one more worker on this device and opens their tablet.
 *
 * The tablet's name is remembered until it worked: where an answer was lost, the same key asks again and is let in.
 */
export async function addWorker({ code, name, pin }) {
  const id = localStorage.getItem(ENROLLING) ?? crypto.randomUUID();
  localStorage.setItem(ENROLLING, id);
  const opened = await Tablet.open(id, { attempts: 2 });
  try {
    await opened.enrol(location.origin, code, name);
  } finally {
    opened.close();
  }
  const salt = coded(crypto.getRandomValues(new Uint8Array(16)));
  keepWorkers([...workers.value, { id, name, salt, pin: await pinHash(pin, salt) }]);
  localStorage.removeItem(ENROLLING);
  location.hash = "/";
  await enter(id);
}

/** How long a worker must wait before the next try of the PIN, in milliseconds. */
export const pauseOf = (worker) => Math.max(0, (worker?.until ?? 0) - Date.now());

/** Opens a worker's tablet, or what is locked. False where the PIN is not theirs; after five wrong ones each costs a longer pause. */
export async function logIn(worker, pin) {
  if (pauseOf(worker)) return false;
  const isRight = (await pinHash(pin, worker.salt)) === worker.pin;
  const wrong = isRight ? 0 : (worker.wrong ?? 0) + 1;
  const until = wrong < FREE_TRIES ? 0 : Date.now() + PAUSE_MS * 2 ** Math.min(wrong - FREE_TRIES, 7);
  keepWorkers(workers.value.map((each) => (each.id === worker.id ? { ...each, wrong, until } : each)));
  if (!isRight) return false;
  touched = Date.now();
  if (tablet.value?.name === worker.id) locked.value = false;
  else {
    // The address may name a household of whoever was here before.
    if (tablet.value) location.hash = "/";
    await enter(worker.id);
  }
  return true;
}

/** Locks the screen: the PIN is asked for, forms stay as they are, what waits is still sent. */
export function lock() {
  if (tablet.value) locked.value = true;
}

let touched = Date.now();
for (const touch of ["pointerdown", "keydown"]) addEventListener(touch, () => (touched = Date.now()), { capture: true, passive: true });
const lockIfIdle = () => Date.now() - touched > LOCK_MS && lock();

// ---- what is stored, as signals

const NOTHING = Object.fromEntries(KINDS.map((kind) => [kind, []]));
export const entries = signal([]);
export const items = signal(NOTHING);
export const person = signal("");
export const syncing = signal(false);
export const syncedAt = signal(null);
export const trouble = signal(null);
export const online = signal(navigator.onLine);
export const storage = signal(null);
/** What was not as the service had promised, and nobody has looked into yet. */
export const faults = signal([]);

export const waiting = computed(() => entries.value.reduce((count, { state }) => count + (state === "waiting"), 0));
export const refused = computed(() => entries.value.filter(({ state }) => state === "refused"));
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
/** Where the service says that this tablet was withdrawn, why. */
export const standing = computed(() => items.value.tablet.map(({ data }) => data).find(({ status }) => status !== "active"));

function newest(kind) {
  const books = items.value.rulebook.map(({ data }) => data).filter((book) => book.kind === kind && book.effective_from <= today());
  return books.sort((one, other) => (one.effective_from < other.effective_from ? -1 : 1)).at(-1)?.content;
}
export const categories = computed(() => newest("categories") ?? { scheme: "", version: "", codes: {} });
export const carePlan = computed(() => newest("care_plan") ?? { groups: {}, tiers: {} });

let followed = null;
let looking = null;
let next = null;

/** Follows what is stored, by a look that begins now; changes that come while it looks are looked at once, after it. */
function refresh() {
  const anew = () => {
    next = null;
    return refresh();
  };
  if (looking) return (next ??= looking.then(anew, anew));
  looking = look().finally(() => (looking = null));
  return looking;
}

async function look() {
  const here = followed;
  if (!here) return;
  const now = await here.look().catch((fault) => {
    // The tablet may be closed meanwhile, for another worker.
    if (here === followed) throw fault;
  });
  if (here !== followed) return;
  [items.value, entries.value, syncedAt.value, trouble.value, person.value, faults.value] = [now.items, now.entries, now.syncedAt, now.trouble, now.person, now.faults];
}

async function watchStorage() {
  const told = await storageState();
  if (told.quota) storage.value = { ...told, short: told.short || told.quota - told.usage < LITTLE_ROOM, percent: Math.round(100 * told.share) };
}

let patience;

async function enter(id) {
  tablet.value?.close();
  tablet.value = null;
  followed = null;
  syncing.value = false;
  [items.value, entries.value, syncedAt.value, trouble.value, person.value, faults.value] = [NOTHING, [], null, null, "", []];
  closeDrafts();
  const opened = await Tablet.open(id);
  opened.addEventListener("change", refresh);
  opened.addEventListener("syncing", () => {
    syncing.value = true;
    clearTimeout(patience);
    // The page that syncs may be killed before it says that it is done.
    patience = setTimeout(() => (syncing.value = false), LONGEST_SYNC_MS);
  });
  opened.addEventListener("synced", () => {
    syncing.value = false;
    watchStorage();
    if (asked) sync();
    asked = false;
  });
  followed = new Followed(opened, KINDS);
  await openDrafts(id);
  await refresh();
  locked.value = false;
  tablet.value = opened;
  opened.keepInSync();
  watchStorage();
}

/** Whether a sync was asked for while one was going: what was stored meanwhile may not be in it. */
let asked = false;

/** Syncs, quietly: what goes wrong shows in the bar, and is tried again. */
export async function sync() {
  const opened = tablet.value;
  if (!opened) return;
  if (syncing.value) {
    asked = true;
    return;
  }
  try {
    await opened.sync();
    await opened.prove();
  } catch {
    // It stands in the tablet's facts, and the bar shows it.
  }
}

/** Stores an entry; tells the worker. Gives its number, or null where it could not be stored. */
export async function record(kind, id, area, data, personal = []) {
  try {
    const seq = await tablet.value.record(kind, id, area, data, { personal });
    // Whoever goes on sees it: a patrol that was just started is not offered again.
    await refresh().catch(() => undefined);
    say(t("common.stored"));
    sync();
    return seq;
  } catch (fault) {
    say(fault instanceof Full ? t("storage.full") : t("common.wrong", { what: fault.message }));
    return null;
  }
}

addEventListener("online", () => (online.value = true));
addEventListener("offline", () => (online.value = false));
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && lockIfIdle());
setInterval(lockIfIdle, 15_000);

/** The name of a care group, as the city's plan has it. */
export const careName = (group) => named(carePlan.value.groups[group] ?? {}, group);
