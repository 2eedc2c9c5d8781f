/** What the auditor's and the administrator's pages share: pages of lists, facts, texts to copy, actions that may fail. */

import { html, locale, showNumber, t, useEffect, useRef, useState } from "../pages/ui.js";
import { addressOf, get } from "./api.js";
import { save, Trouble } from "./parts.js";

/** A list that grows page by page: {items, next, more, loading, problem, reload}. Asked anew when path or query change; no path, no question. */
export function usePages(path, query = {}, { limit = 50 } = {}) {
  const address = path ? addressOf(path, query) : null;
  const [told, tell] = useState({ address: null, items: [], next: null, loading: Boolean(path), problem: null });
  const [turn, setTurn] = useState(0);
  const wanted = useRef(null);
  const ask = async (cursor, before) => {
    const mine = (wanted.current = {});
    tell((held) => ({ ...held, loading: true, problem: null }));
    try {
      const page = await get(path, { ...query, limit, cursor });
      if (wanted.current === mine) tell({ address, items: [...before, ...page.items], next: page.next, loading: false, problem: null });
    } catch (problem) {
      if (wanted.current === mine) tell((held) => ({ ...held, items: before, loading: false, problem }));
    }
  };
  useEffect(() => {
    if (address) ask(undefined, []);
    else tell({ address, items: [], next: null, loading: false, problem: null });
    return () => (wanted.current = null);
  }, [address, turn]);
  return { ...told, more: () => ask(told.next, told.items), reload: () => setTurn((before) => before + 1) };
}

/** Something that is done at a press of a button: {busy, problem, run}. run gives true where it went well. */
export function useAction() {
  const [state, setState] = useState({ busy: false, problem: null });
  const run = async (action) => {
    setState({ busy: true, problem: null });
    try {
      await action();
      setState({ busy: false, problem: null });
      return true;
    } catch (problem) {
      setState({ busy: false, problem });
      return false;
    }
  };
  return { ...state, run };
}

/** The same value, once it has stood still for a while: what is asked of the service while something is dragged. */
export function useStill(value, pause = 250) {
  const [still, setStill] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setStill(value), pause);
    return () => clearTimeout(timer);
  }, [value, pause]);
  return still;
}

/** Stands where something is on its way, until it or what went wrong is there. */
export const Coming = ({ data, problem }) => (data || problem ? null : html`<p aria-busy="true">${t("console.loading")}</p>`);

/** Pairs of a name and a value, one below the other. rows: [[name, value], …]; what is null or undefined is left out. */
export const Facts = ({ rows }) => html`<dl class="office-facts">
  ${rows.filter(([, value]) => value !== null && value !== undefined && value !== false).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
</dl>`;

/** A button that copies a text, and says so. */
export function Copy({ text, label }) {
  const [said, setSaid] = useState("");
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setSaid(t("office.copied"));
    } catch {
      setSaid(t("office.not_copied"));
    }
    setTimeout(() => setSaid(""), 4000);
  }
  return html`<span class="office-copy"><button type="button" class="outline" onClick=${copy}>${label ?? t("office.copy")}</button> <span role="status" class="muted">${said}</span></span>`;
}

/** A text of machines as it is, to be copied, or saved under a name. */
export const Verbatim = ({ text, label, name, type = "text/plain" }) => html`<figure class="office-verbatim">
  <figcaption>${label}</figcaption>
  <pre tabindex="0" role="region" aria-label=${label}>${text}</pre>
  <div class="buttons">
    <${Copy} text=${text} />
    ${name && html`<button type="button" class="outline" onClick=${() => save(new Blob([text], { type }), name)}>${t("office.save")}</button>`}
  </div>
</figure>`;

/** Buttons of a form in a dialog: what it does, and the way out. */
export const Deciding = ({ busy, disabled, problem, go, onClose }) => html`<${Trouble} problem=${problem} />
  <footer>
    <button type="button" class="secondary" onClick=${onClose}>${t("common.cancel")}</button>
    <button aria-busy=${busy} disabled=${busy || disabled}>${go}</button>
  </footer>`;

/** A word with a sign before it, so that colour is not the only one. tone: done, warn, late, still. */
export const Mark = ({ tone, children }) => html`<span class=${`status ${tone}`}><span aria-hidden="true">${SIGNS[tone] ?? ""} </span>${children}</span>`;
const SIGNS = { done: "✓", warn: "!", late: "✕", still: "–" };

/** The beginning of a hash, the whole in its title. */
export const Hash = ({ value }) => (value ? html`<span class="mono" title=${value}>${value.slice(0, 12)}…</span>` : "—");

const STEPS = [[60, "second", 1], [3600, "minute", 60], [86_400, "hour", 3600], [Infinity, "day", 86_400]];
/** A length of time in its largest unit that is not a fraction: "3 minutes". */
export function showSpan(seconds) {
  if (seconds === null || seconds === undefined) return "—";
  const [, unit, size] = STEPS.find(([below]) => seconds < below);
  return new Intl.NumberFormat(locale(), { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: unit === "second" ? 1 : 0 }).format(unit === "second" ? seconds : Math.round(seconds / size));
}

const SIZES = [[1e3, "byte", 1], [1e6, "kilobyte", 1e3], [1e9, "megabyte", 1e6], [Infinity, "gigabyte", 1e9]];
export function showBytes(count) {
  if (count === null || count === undefined) return "—";
  const [, unit, size] = SIZES.find(([below]) => count < below);
  return showNumber(count / size, { style: "unit", unit, maximumFractionDigits: size >= 1e6 ? 1 : 0 });
}

/** A moment to the second, as auditors compare them. */
export const showMoment = (moment) => (moment ? new Date(moment).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "medium" }) : "—");

/** What an <input type="datetime-local" step="1"> holds for a moment, in the reader's own time; and back. */
export const localText = (moment) => {
  const at = new Date(moment);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
};
export const momentOf = (text) => (text && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : "");

/** The day after a day, as text. */
export function nextDay(day) {
  const at = new Date(`${day}T12:00:00Z`);
  at.setUTCDate(at.getUTCDate() + 1);
  return at.toISOString().slice(0, 10);
}

/** The beginning of a day in the reader's own time, as a moment; "" for none. */
export const startOf = (day) => (day ? new Date(`${day}T00:00:00`).toISOString() : "");
