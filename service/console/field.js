/** What the pages of field work share: lists that grow page by page, the choice of a worker, days, a batch of decisions. */

import { html, locale, say, showNumber, t, useEffect, useMemo, useRef, useState } from "../pages/ui.js";
import { addressOf, allOf, get, hasRole, session, useData } from "./api.js";
import { areaKnown, areaName, Dialog, personKnown, personName, Reason, Select, sentenceOf } from "./parts.js";

const EVERY_MS = 60_000;
const PAGE = 100;

// ---- lists

/**
 * A list page by page: {first, items, next, more, busy, problem, loading, reload}. first: the first page's whole answer. It is asked anew
 * every minute as long as only one page is shown: what somebody is reading further down does not move.
 */
export function usePages(path, query) {
  const address = addressOf(path, query);
  const [added, setAdded] = useState({ address, pages: [] });
  const pages = added.address === address ? added.pages : [];
  const { data, problem, loading, reload } = useData(path, { ...query, limit: PAGE }, { every: pages.length ? undefined : EVERY_MS });
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState(null);
  const last = pages.at(-1) ?? data;
  async function more() {
    setBusy(true);
    setFault(null);
    try {
      const page = await get(path, { ...query, limit: PAGE, cursor: last.next });
      setAdded({ address, pages: [...pages, page] });
    } catch (wrong) {
      setFault(wrong);
    }
    setBusy(false);
  }
  const again = () => (setAdded({ address, pages: [] }), reload());
  const items = useMemo(() => [data, ...pages].flatMap((page) => page?.items ?? []), [data, added]);
  return { first: data, items, next: last?.next ?? null, more, busy, problem: problem ?? fault, loading, reload: again };
}

const PATIENCE = [0, 200, 400, 800, 1600, 3200, 6400];

/** Waits, bounded, until what was just recorded stands where a path reads it. saved: {ledger, position} of the answer. */
export async function settled(path, saved, query = {}) {
  for (const pause of saved ? PATIENCE : []) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const behind = await get(path, { ...query, min_position: `${saved.ledger}:${saved.position}` }).then(() => false, ({ code }) => code === "read_model_behind");
    if (!behind) return;
  }
}

const MOST_IN_A_FILE = 5000;

/** All items, as far as a file goes; the reader is told where it ends before the list does. */
export async function wholeList(path, query) {
  const rows = await allOf(path, query, { most: MOST_IN_A_FILE });
  if (rows.length === MOST_IN_A_FILE) say(t("visits.file_most", { count: showNumber(MOST_IN_A_FILE) }));
  return rows;
}

/** All rows under the same filters, for a file: what is shown, and what would be shown by "more"; with the names that it needs. */
export const everyRow = (path, query) => async () => {
  const rows = await wholeList(path, query);
  await Promise.all([...rows.map(({ area }) => area && areaKnown(area)), ...rows.map(({ person }) => person && personKnown(person))]);
  return rows;
};

/** The columns of a table: a file has more, where a cell says two things. */
export const shown = (columns) => columns.filter(({ onlyInFile }) => !onlyInFile);

/** The filters that the service knows, of those in the address. */
export const picked = (query, ...names) => Object.fromEntries(names.map((name) => [name, query.get(name) ?? ""]));

// ---- people

const SUBDISTRICT = 9;
const MOST_WORKERS = 500;

/** Whether the workers of an area can be offered as a list: a city has tens of thousands. No area is all that one sees. */
function isNarrow(area) {
  const roots = session.value.grants.map(({ unit }) => unit.split("/")[0]);
  return area ? area.length >= SUBDISTRICT : roots.every((root) => root.length >= SUBDISTRICT);
}

/** The workers of an area on this day: [{person, units}], by person; null where that are too many to choose from. Nobody for a worker. */
export function useWorkers(area) {
  const [found, setFound] = useState([]);
  const may = hasRole("officer", "auditor", "administrator");
  const wanted = may && isNarrow(area);
  useEffect(() => {
    let current = true;
    setFound([]);
    if (wanted) allOf("/v1/people", { role: "worker", area, day: today() }, { most: MOST_WORKERS }).then((rows) => current && setFound(byPerson(rows)), () => undefined);
    return () => (current = false);
  }, [area, wanted]);
  return may && !wanted ? null : found;
}

function byPerson(rows) {
  const found = new Map();
  for (const { person, unit } of rows) found.set(person, [...(found.get(person) ?? []), unit]);
  return [...found].map(([person, units]) => ({ person, units }));
}

const named = ({ person, units }) => [person, `${personName(person)} · ${units.slice(0, 2).map(areaName).join(t("visits.comma"))}${units.length > 2 ? "…" : ""}`];

/** The filter by a worker, with the grids of each; nothing where there is nobody to choose. Where they are too many, an area comes first. */
export function workerFilter(name, workers) {
  if (!workers) return { name, label: t("visits.worker"), first: t("visits.area_first") };
  return workers.length > 0 && { name, label: t("visits.worker"), options: workers.map(named) };
}

export function WorkerChoice({ workers, value, onChange, label }) {
  return html`<label>${label} <${Select} value=${value} onChange=${onChange} required options=${[["", t("tablets.choose_worker")], ...workers.map(named)]} /></label>`;
}

// ---- days

const DAY_MS = 86_400_000;
const noon = (day) => new Date(`${day}T12:00:00Z`).getTime();
/** Today where this browser is; what the service answers says what day it is in the city. */
export const today = () => new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
export const dayPlus = (day, days) => new Date(noon(day) + days * DAY_MS).toISOString().slice(0, 10);
export const daysBetween = (one, other) => Math.round((noon(other) - noon(one)) / DAY_MS);
/** A day that an address may hold, or what stands for it. */
export const dayOr = (said, otherwise) => (/^\d{4}-\d{2}-\d{2}$/.test(said ?? "") && !Number.isNaN(noon(said)) ? said : otherwise);

/** A day of these weeks in few letters, with its weekday; whole beside it where there is room. */
export const shortDay = (day) => new Date(`${day}T12:00:00`).toLocaleDateString(locale(), { month: "numeric", day: "numeric", weekday: "short" });

const unit = (name) => (count) => showNumber(count, { style: "unit", unit: name, unitDisplay: "long" });
/** "1 day", "4 days", 4天: as the language counts. */
export const [days, minutes, seconds] = ["day", "minute", "second"].map(unit);

/** A share in words: "—" where nothing was due. */
export const share = (part, whole) => (whole ? showNumber(part / whole, { style: "percent", maximumFractionDigits: 0 }) : "—");

// ---- one decision on many things

/**
 * Asks for a reason and does one thing after the other, in the order given; says what could not be done, and why.
 *
 * rows     what it is done to; act(row, reason): a promise of {body}, where it was recorded; needed: whether a reason must be given
 * onClose  is told done(count), "" where nothing was done, and where the last of them was recorded
 */
export function Decide({ title, explain, rows, act, label, needed = true, done, onClose }) {
  const [reason, setReason] = useState("");
  const [at, setAt] = useState(null);
  const [wrong, setWrong] = useState([]);
  const [finished, setFinished] = useState(false);
  const answer = useRef();
  const saved = useRef(null);
  useEffect(() => void (finished && answer.current?.focus()), [finished]);
  async function decide(event) {
    event.preventDefault();
    const faults = [];
    for (const [number, row] of rows.entries()) {
      setAt(number);
      await act(row, reason.trim() || undefined).then(({ body }) => (saved.current = body), (problem) => faults.push([row, problem]));
    }
    setAt(null);
    setWrong(faults);
    if (faults.length) return setFinished(true);
    onClose(done(rows.length), saved.current);
  }
  if (finished)
    return html`<${Dialog} title=${title} onClose=${() => onClose(rows.length > wrong.length ? done(rows.length - wrong.length) : "", saved.current)}>
      <p tabindex="-1" ref=${answer}>${t("refusals.some_failed", { count: wrong.length, all: rows.length })}</p>
      <ul>${wrong.map(([row, problem]) => html`<li><strong>${label(row)}</strong>: ${sentence(problem)}</li>`)}</ul>
    <//>`;
  return html`<${Dialog} title=${title} onClose=${() => at === null && onClose("")}>
    <form onSubmit=${decide}>
      ${explain && html`<p>${explain}</p>`}
      ${rows.length === 1 ? html`<p class="muted">${label(rows[0])}</p>` : html`<p class="muted">${t("refusals.chosen", { count: rows.length })}</p>`}
      <${Reason} value=${reason} onInput=${setReason} required=${needed} />
      <footer>
        <button type="button" class="secondary" disabled=${at !== null} onClick=${() => onClose("")}>${t("common.cancel")}</button>
        <button aria-busy=${at !== null} disabled=${at !== null}>${at !== null && rows.length > 1 ? t("refusals.progress", { at: at + 1, all: rows.length }) : title}</button>
      </footer>
    </form>
  <//>`;
}

/** A problem in words: that of the rule, in the reader's language, where a rule said no. */
export function sentence(problem) {
  const ours = t(`refusal.${problem.code}`);
  return ours.startsWith("refusal.") ? sentenceOf(problem) : ours;
}
