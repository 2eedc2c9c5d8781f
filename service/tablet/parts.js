/** Components that several views of the tablet share: a choice of grids, long lists, the state of a form that was begun. */

import { html, locale, showTime, t, useEffect, useMemo, useRef, useState } from "../pages/ui.js";

const STEP = 40;
const AHEAD = "600px";
const BY_ITSELF = 400;

/** The grid that an entry is about; nothing is asked where the worker has one. */
export function GridChoice({ grids, names, value, onChange }) {
  if (grids.length < 2) return null;
  return html`<label>
    ${t("visit.area")}
    <select value=${value} onChange=${(event) => onChange(event.target.value)}>
      ${grids.map((code) => html`<option value=${code} selected=${value === code}>${names.get(code) ?? code}</option>`)}
    </select>
  </label>`;
}

/**
 * A list of any length: it grows while it is scrolled, a few rows at a time, up to some hundreds, then when it is asked to; rows that did
 * not change are not made anew.
 *
 * rows: what is listed; row: one of them as an <li> with a key; empty: what is said where there is none.
 */
export function Long({ rows, row, empty }) {
  const [most, setMost] = useState(STEP);
  const end = useRef(null);
  const isMore = rows.length > most;
  useEffect(() => {
    if (!isMore || most >= BY_ITSELF) return undefined;
    const watch = new IntersectionObserver(([seen]) => seen.isIntersecting && setMost((now) => now + STEP), { rootMargin: AHEAD });
    watch.observe(end.current);
    return () => watch.disconnect();
  }, [isMore, most]);
  if (!rows.length) return html`<p>${empty}</p>`;
  const parts = [];
  for (let at = 0; at < Math.min(most, rows.length); at += STEP) parts.push(rows.slice(at, at + STEP));
  return html`<ul class="list">${parts.map((part, at) => html`<${Part} key=${at} rows=${part} row=${row} />`)}</ul>
    ${isMore && html`<button ref=${end} type="button" class="secondary" onClick=${() => setMost(most + (most < BY_ITSELF ? STEP : BY_ITSELF))}>${t("common.more", { count: rows.length - most })}</button>`}`;
}

function Part({ rows, row }) {
  const held = useRef([]);
  const isSame = held.current.length === rows.length && rows.every((each, at) => each === held.current[at]);
  if (!isSame) held.current = rows;
  return useMemo(() => rows.map(row), [held.current, row]);
}

/** Says that this form was begun earlier, and offers to begin it anew. */
export function Begun({ form }) {
  const at = form.begunAt.value;
  return at && html`<p class="begun" role="note">${t("draft.here", { when: showTime(at) })} <button type="button" class="plain" onClick=${form.clear}>${t("draft.discard")}</button></p>`;
}

/** A field to narrow a list with. */
export function Search({ label, value, onInput }) {
  return html`<input type="search" aria-label=${label} placeholder=${label} value=${value} onInput=${(event) => onInput(event.target.value)} maxlength="64" autocomplete="off" autocapitalize="off" spellcheck=${false} />`;
}

/** When something was: of today, the time alone. */
export function showWhen(moment) {
  const at = new Date(moment);
  return at.toDateString() === new Date().toDateString() ? at.toLocaleTimeString(locale(), { timeStyle: "short" }) : showTime(moment);
}
