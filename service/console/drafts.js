/** What somebody began to write, kept in this page's memory: it is there again after a session ended and was begun anew. Read by the forms. */

import { effect, useState } from "../pages/ui.js";
import { farewell, session } from "./api.js";

const drafts = new Map();
const keyOf = (name) => `${session.value.person}:${name}`;

/** Who logs out leaves nothing behind. */
effect(() => farewell.value === "left" && drafts.clear());

/** As useState, for a value under a name; the third gives it up. */
export function useDraft(name, first) {
  const key = keyOf(name);
  const [value, set] = useState(() => (drafts.has(key) ? drafts.get(key) : typeof first === "function" ? first() : first));
  const keep = (next) =>
    set((before) => {
      const after = typeof next === "function" ? next(before) : next;
      drafts.set(key, after);
      return after;
    });
  return [value, keep, () => drafts.delete(key)];
}
