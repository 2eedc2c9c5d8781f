/**
 * Forms that were begun: kept on the tablet while they are filled in, and offered again after the page was killed.
 *
 * Each worker's drafts lie in an IndexedDB database of their own, with the photos that were taken for them: nothing of a form leaves the
 * tablet before the worker stores it. Opened with the worker's tablet, closed with it.
 */

import { signal } from "../pages/ui.js";

const hex = (bytes) => Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");

function asked(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

let database = null;

/** Every form that was begun, oldest first: {name, at, route, held}. */
export const drafts = signal([]);

/** Opens the drafts of a worker; whatever was open before is closed. */
export async function openDrafts(worker) {
  closeDrafts();
  const request = indexedDB.open(`gridtrail-drafts:${worker}`, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("drafts", { keyPath: "name" });
    request.result.createObjectStore("photos", { keyPath: "name" });
  };
  database = await asked(request);
  drafts.value = (await asked(database.transaction("drafts").objectStore("drafts").getAll())).sort((one, other) => one.at - other.at);
}

export function closeDrafts() {
  database?.close();
  database = null;
  drafts.value = [];
}

const writing = (store) => database.transaction(store, "readwrite").objectStore(store);

/**
 * The form of a name: what was held of it, or first. held and begunAt (null: not begun before) are signals.
 *
 * Each change is written at once, so that a page may be killed between two letters.
 */
export function draft(name, first) {
  const before = drafts.value.find((each) => each.name === name);
  const held = signal({ ...first, ...before?.held });
  const begunAt = signal(before?.at ?? null);
  const at = before?.at ?? Date.now();
  const route = location.hash;
  return {
    held,
    begunAt,
    set(change) {
      held.value = { ...held.value, ...change };
      const kept = { name, at, route, held: held.value };
      const store = writing("drafts");
      store.put(kept);
      store.transaction.commit?.();
      drafts.value = [...drafts.value.filter((each) => each.name !== name), kept];
    },
    clear() {
      discard(name);
      held.value = { ...first };
      begunAt.value = null;
    },
  };
}

/** Forgets a form that was begun, and its photos. */
export function discard(name) {
  const [gone] = drafts.value.filter((each) => each.name === name);
  writing("drafts").delete(name);
  for (const photo of gone?.held.photos ?? []) writing("photos").delete(photo);
  drafts.value = drafts.value.filter((each) => each.name !== name);
}

/** Keeps a photo beside the forms; gives its name, the SHA-256 of its bytes. */
export async function keepPhoto(blob) {
  const content = await blob.arrayBuffer();
  const name = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", content)));
  const request = writing("photos").put({ name, content });
  await asked(request);
  return name;
}

/** Forgets a photo that was taken out of a form. */
export const dropPhoto = (name) => writing("photos").delete(name);

/** The bytes of a photo that was kept, as a blob; null where they are gone. */
export async function photoOf(name) {
  const found = await asked(database.transaction("photos").objectStore("photos").get(name));
  return found ? new Blob([found.content], { type: "image/jpeg" }) : null;
}
