/** What the console's pages are made of: tables, filters in the address, choices, dialogs; names.js and files.js come along. */

import { Field, html, language, route, showNumber, t, useEffect, useId, useLayoutEffect, useRef, useState } from "../pages/ui.js";
import { allOf, session } from "./api.js";
import { areaName, LEVELS } from "./names.js";

export { Exports, exportRows, save } from "./files.js";
export * from "./names.js";

// ---- tables

/**
 * A table; on a phone each row becomes a card.
 *
 * columns  [{key, title, cell?, numeric?, sort?, text?}]: cell(row) gives the markup; sort: true or (row) => value where the rows that are
 *          shown may be sorted by it; text(row) is what an export says
 * rowKey   (row) => what a row is known by; select: {chosen: Set of keys, onChange(Set), label(row)}; mark: (row) => class of the row
 */
export function Table({ caption, columns, rows, rowKey, select, mark }) {
  const [order, setOrder] = useState({ key: "", down: false });
  const by = columns.find(({ key }) => key === order.key);
  const value = by && (by.sort === true ? (row) => row[by.key] : by.sort);
  const shown = by ? [...rows].sort((one, other) => compare(value(one), value(other)) * (order.down ? -1 : 1)) : rows;
  const toggle = (key) => setOrder(order.key === key ? (order.down ? { key: "", down: false } : { key, down: true }) : { key, down: false });
  return html`<div class="table" role="region" aria-label=${caption} tabindex="0">
    <table role="table">
      <caption>${caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          ${select && html`<th role="columnheader" scope="col" class="choose"><${ChooseAll} rows=${rows} rowKey=${rowKey} select=${select} /></th>`}
          ${columns.map(
            ({ key, title, numeric, sort }) => html`<th role="columnheader" scope="col" class=${numeric ? "numeric" : ""} aria-sort=${key === order.key ? (order.down ? "descending" : "ascending") : undefined}>
              ${sort ? html`<button type="button" class="sort" onClick=${() => toggle(key)}>${title}<span aria-hidden="true">${key === order.key ? (order.down ? " ▾" : " ▴") : " ▹"}</span></button>` : title}
            </th>`,
          )}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${shown.map(
          (row) => html`<tr role="row" key=${rowKey(row)} class=${mark?.(row) ?? ""}>
            ${select && html`<td role="cell" class="choose"><${ChooseOne} row=${row} rowKey=${rowKey} select=${select} /></td>`}
            ${columns.map(({ key, title, cell, numeric }) => html`<td role="cell" class=${`of-${key}${numeric ? " numeric" : ""}`} data-title=${title}>${cell ? cell(row) : shownValue(row[key])}</td>`)}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

const shownValue = (value) => (typeof value === "number" ? showNumber(value) : (value ?? "—"));
const compare = (one, other) =>
  (one ?? "") === (other ?? "") ? 0 : (one ?? null) === null ? 1 : (other ?? null) === null ? -1 : typeof one === "number" ? one - other : String(one).localeCompare(String(other), language.value);

function ChooseAll({ rows, rowKey, select: { chosen, onChange } }) {
  const keys = rows.map(rowKey);
  const all = keys.length > 0 && keys.every((key) => chosen.has(key));
  return html`<input type="checkbox" aria-label=${t("console.choose_all")} checked=${all} indeterminate=${!all && chosen.size > 0} onChange=${() => onChange(new Set(all ? [] : keys))} />`;
}

function ChooseOne({ row, rowKey, select: { chosen, onChange, label } }) {
  const key = rowKey(row);
  const toggle = () => {
    const next = new Set(chosen);
    if (!next.delete(key)) next.add(key);
    onChange(next);
  };
  return html`<input type="checkbox" aria-label=${t("console.choose", { what: label?.(row) ?? key })} checked=${chosen.has(key)} onChange=${toggle} />`;
}

/** The button under a list that has more; nothing where it has not. */
export function More({ next, onMore, busy }) {
  return next ? html`<p class="more"><button type="button" class="secondary" aria-busy=${Boolean(busy)} disabled=${Boolean(busy)} onClick=${onMore}>${t("console.more")}</button></p>` : null;
}

export const Empty = ({ children }) => html`<p class="empty">${children ?? t("console.empty")}</p>`;

/** What went wrong, in a sentence. */
export function Trouble({ problem }) {
  if (!problem) return null;
  return html`<p role="alert" class="trouble">${sentenceOf(problem)}</p>`;
}

/** The sentence of a problem: ours where there is one for its code, else what the service said. */
export function sentenceOf(problem) {
  const ours = t(`console.problem.${problem.code}`);
  if (!ours.startsWith("console.")) return ours;
  const rule = t(`refusal.${problem.code}`);
  if (!rule.startsWith("refusal.")) return rule;
  const fields = Object.entries(problem.fields ?? {}).map(([name, said]) => `${name}: ${said}`);
  return [t("console.problem"), problem.detail ?? problem.title ?? problem.message, ...fields].filter(Boolean).join(" ");
}

// ---- filters, which live in the address

/** The address with other filters. No new step in the browser's history: "back" leads to the page before. */
export function setQuery(path, said) {
  const left = [...new URLSearchParams(said)].filter(([, value]) => value !== "");
  history.replaceState(history.state, "", `#/${path}${left.length ? `?${new URLSearchParams(left)}` : ""}`);
  route.value = location.hash.slice(1);
}

/** fields: [{name, label, kind: "choice" | "text" | "area" | "day" | "flag", options: [[value, text]], first: text of "any", more: true for those that fold away}]. */
export function Filters({ fields, query, path, children }) {
  const set = (name, value) => setQuery(path, { ...Object.fromEntries(query), [name]: value });
  const one = ({ more, ...field }) => html`<${Filter} key=${field.name} ...${field} value=${query.get(field.name) ?? ""} onChange=${(value) => set(field.name, value)} />`;
  const folded = fields.filter(({ more }) => more);
  const narrowed = fields.some(({ name }) => query.get(name));
  return html`<form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
    ${fields.filter(({ more }) => !more).map(one)}
    ${folded.length > 0 && html`<details class="more-filters" open=${folded.some(({ name }) => query.get(name))}><summary>${t("console.more_filters")}</summary><div>${folded.map(one)}</div></details>`}
    ${narrowed && html`<button type="button" class="outline" onClick=${() => setQuery(path, Object.fromEntries([...query].filter(([name]) => !fields.some((field) => field.name === name))))}>${t("console.clear")}</button>`}
    ${children}
  </form>`;
}

function Filter({ label, kind, value, onChange, options = [], first, ...more }) {
  if (kind === "flag") return html`<label class="flag"><input type="checkbox" checked=${value === "true"} onChange=${(event) => onChange(event.target.checked ? "true" : "")} /> ${label}</label>`;
  if (kind === "area") return html`<label>${label} <${AreaChoice} value=${value} onChange=${onChange} ...${more} /></label>`;
  if (kind === "day") return html`<label>${label} <input type="date" value=${value} onChange=${(event) => onChange(event.target.value)} ...${more} /></label>`;
  if (kind === "text") return html`<label>${label} <${Typed} value=${value} onChange=${onChange} ...${more} /></label>`;
  return html`<label>${label} <${Select} value=${value} onChange=${onChange} options=${[["", first ?? t("console.any")], ...options]} /></label>`;
}

/** A choice of [value, text], or of {group, options}. */
export function Select({ value, onChange, options, ...more }) {
  const one = ([each, text]) => html`<option key=${each} value=${each} selected=${each === value}>${text}</option>`;
  return html`<select value=${value} onChange=${(event) => onChange(event.target.value)} ...${more}>
    ${options.map((each) => (Array.isArray(each) ? one(each) : html`<optgroup key=${each.group} label=${each.group}>${each.options.map(one)}</optgroup>`))}
  </select>`;
}

const PAUSE_MS = 400;
/** A text that is asked for once its writer pauses. */
function Typed({ value, onChange, ...more }) {
  const [said, setSaid] = useState(value);
  const timer = useRef();
  useEffect(() => setSaid(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const later = ({ target }) => {
    setSaid(target.value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange(target.value), PAUSE_MS);
  };
  return html`<input type="search" value=${said} onInput=${later} maxlength="100" ...${more} />`;
}

// ---- an area, chosen step by step down the tree

const LENGTHS = [4, 6, 9, 12, 15, 17];
const below = (code) => LENGTHS[LENGTHS.indexOf(code.length) + 1];
const children = new Map();

function childrenOf(code) {
  const key = `${session.value.person}:${code}`;
  if (!children.has(key)) {
    const asked = below(code) ? allOf("/v1/areas", { area: code, level: LEVELS[below(code)], outlines: false }) : Promise.resolve([]);
    children.set(key, asked);
    asked.catch(() => children.delete(key));
  }
  return children.get(key);
}

/**
 * One list: everything, the way down to what is chosen, and what lies in it.
 *
 * kinds: of grids; none but these are offered. first: what choosing nothing is called. also: codes outside of what the person may see.
 */
export function AreaChoice({ value, onChange, kinds, first, also = [], ...more }) {
  const roots = [...new Set(session.value.grants.map(({ unit }) => unit.split("/")[0]))].sort();
  const at = value || (roots.length === 1 ? roots[0] : "");
  const [inside, setInside] = useState([]);
  useEffect(() => {
    let wanted = true;
    setInside([]);
    if (at) childrenOf(at).then((found) => wanted && setInside(found), () => undefined);
    return () => (wanted = false);
  }, [at]);
  const root = roots.find((each) => at.startsWith(each));
  const way = root ? LENGTHS.filter((length) => root.length <= length && length <= at.length).map((length) => at.slice(0, length)) : at ? [at].filter((code) => !also.includes(code)) : roots;
  const offered = inside.filter(({ kind }) => !kinds || !kind || kinds.includes(kind));
  const indented = (depth, text) => `${"\u2003".repeat(depth)}${text}`;
  const options = [
    ["", first ?? t("console.all_areas")],
    ...also.map((code) => [code, areaName(code)]),
    ...way.map((code, depth) => [code, indented(root ? depth : 0, areaName(code))]),
    ...offered.filter(({ code }) => !way.includes(code)).map(({ code, name }) => [code, indented(way.length, name)]),
  ];
  return html`<${Select} value=${value} onChange=${onChange} options=${options} ...${more} />`;
}

// ---- dialogs

/** A dialog above the page: Escape closes it, the keyboard stays inside, and the focus goes back where it was. */
export function Dialog({ title, onClose, children }) {
  const box = useRef();
  const id = useId();
  useLayoutEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.isConnected && before.focus();
  }, []);
  return html`<dialog ref=${box} aria-labelledby=${id} onCancel=${(event) => (event.preventDefault(), onClose())} onClose=${onClose}>
    <article>
      <header>
        <h2 id=${id}>${title}</h2>
        <button type="button" class="close" aria-label=${t("console.close")} onClick=${onClose}>×</button>
      </header>
      ${children}
    </article>
  </dialog>`;
}

/** A reason in words. */
export const Reason = ({ value, onInput, label, required = true, ...more }) =>
  html`<${Field} label=${label ?? t("console.reason")} value=${value} onInput=${onInput} long required=${required} maxlength="2000" rows="3" ...${more} />`;
