/** A list that follows what happens: asked again while the page is visible, keeping the reader's place. Read by the list of cases. */

import { useEffect, useRef, useState } from "../pages/ui.js";
import { ask, get, hasRole, session } from "./api.js";

const EVERY_MS = 10_000;
const MARKED_MS = 8_000;
const HOPS = 20;

let last = {};
/** What the same person saw last of the same list: shown at once on the way back, and then asked for again. */
export const kept = (path, query) => (last.person === session.value?.person && last.list === JSON.stringify([path, query]) ? last : null);

/**
 * {rows, next, problem, loading, stale, changed, fresh, reload}: rows of as many pages as it takes to have so many, and whether there are more.
 *
 * stale: the rows are still those of the filters before.
 * changed: keys of the rows that are new or differ since the time before, for a while; fresh: how many those were.
 * An auditor's reads are on record one by one: for an auditor nothing is asked on a timer.
 */
export function useLive(path, query, { wanted, rowKey, version }) {
  const asked = JSON.stringify([path, query, wanted]);
  const list = JSON.stringify([path, query]);
  const seen = kept(path, query);
  const [told, tell] = useState({ list, asked, rows: seen?.rows ?? null, next: seen?.next ?? null, problem: null, loading: true, changed: new Set(), fresh: 0 });
  const held = useRef(seen ?? {});
  const [turn, setTurn] = useState(0);

  useEffect(() => {
    let current = true;
    const known = held.current.asked === asked ? held.current : {};
    tell((before) => ({ ...before, loading: true }));
    rowsOf(path, query, wanted, known)
      .then((found) => {
        if (!current) return;
        if (!found.same) held.current = last = { person: session.value?.person, list, asked, wanted, ...found };
        const { rows, next } = held.current;
        tell((before) => {
          // Other rows because the reader asked for others, or for more, are not news.
          const news = before.asked === asked && before.rows && !found.same ? differing(before.rows, rows, rowKey, version) : new Set();
          return { list, asked, rows, next, problem: null, loading: false, changed: news.size || !found.same ? news : before.changed, fresh: news.size };
        });
      })
      .catch((problem) => current && tell((before) => ({ ...before, problem, loading: false, rows: before.list === list ? before.rows : null, list })));
    return () => (current = false);
  }, [asked, turn]);

  useEffect(() => {
    if (!told.changed.size) return undefined;
    const timer = setTimeout(() => tell((before) => ({ ...before, changed: new Set() })), MARKED_MS);
    return () => clearTimeout(timer);
  }, [told.changed]);

  useEffect(() => {
    if (hasRole("auditor")) return undefined;
    const again = () => document.visibilityState === "visible" && setTurn((count) => count + 1);
    const timer = setInterval(again, EVERY_MS);
    document.addEventListener("visibilitychange", again);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", again);
    };
  }, []);

  return { ...told, stale: told.list !== list, reload: () => setTurn((count) => count + 1) };
}

/** A page may be short before the end of the list, so further ones are asked for; {same: true} where nothing changed since. */
async function rowsOf(path, query, wanted, known) {
  const first = await ask(path, { ...query, limit: wanted }, { etag: known.pages === 1 ? known.etag : undefined });
  if (first.data === undefined) return { same: true };
  const rows = first.data.items;
  let next = first.data.next;
  let pages = 1;
  for (; next && rows.length < wanted && pages < HOPS; pages += 1) {
    const page = await get(path, { ...query, limit: wanted, cursor: next });
    rows.push(...page.items);
    next = page.next;
  }
  return { rows: rows.slice(0, wanted), next: next ?? (rows.length > wanted ? "more" : null), pages, etag: first.etag };
}

function differing(before, after, rowKey, version) {
  const known = new Map(before.map((row) => [rowKey(row), version(row)]));
  return new Set(after.filter((row) => known.get(rowKey(row)) !== version(row)).map(rowKey));
}
