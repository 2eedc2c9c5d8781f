/** Periods and shares as people read them: weeks, months, quarters, years; percentages, and "—" where nothing was due. */

import { language, locale, showDay, showNumber, t } from "../pages/ui.js";

/** "2026-Q3" → "2026年第3季度", "2026-11" → "2026年11月", "2026-W47" → "2026年第47周". */
export function periodName(name) {
  const [year, rest] = name.split("-");
  if (!rest) return t("summary.year", { year });
  if (rest.startsWith("Q")) return t("summary.quarter", { year, number: rest.slice(1) });
  if (rest.startsWith("W")) return t("summary.week", { year, number: Number(rest.slice(1)) });
  return new Date(`${name}-15T12:00:00`).toLocaleDateString(locale(), { year: "numeric", month: "long" });
}

/** The same where there is little room. */
export function shortName(name) {
  const [year, rest] = name.split("-");
  if (!rest) return year;
  if (/^[QW]/.test(rest)) return `${year.slice(2)}${rest}`;
  return `${year.slice(2)}-${rest}`;
}

/** The quarters up to today's, newest first. */
export function lastQuarters(count, day) {
  let [year, quarter] = [Number(day.slice(0, 4)), Math.ceil(Number(day.slice(5, 7)) / 3)];
  return Array.from({ length: count }, () => {
    const name = `${year}-Q${quarter}`;
    [year, quarter] = quarter === 1 ? [year - 1, 4] : [year, quarter - 1];
    return name;
  });
}

const PERCENT = { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 };
/** A share of the service's answers: null where nothing was due. */
export const shareOf = ({ numerator, denominator }) => (denominator ? numerator / denominator : null);
export const showShare = (share) => showNumber(share, PERCENT);

/** The last day that a period holds: its end is the first day after it. */
export function showDays({ first_day: first, end_day: end }) {
  const last = new Date(`${end}T12:00:00Z`);
  last.setUTCDate(last.getUTCDate() - 1);
  return t("summary.days", { first: showDay(first), last: showDay(last.toISOString().slice(0, 10)) });
}

/** A name that comes in both languages, with the data. */
export const wordsOf = ({ zh, en }) => (language.value === "zh" ? zh : en);

/** The shares and the weighted total of counts, by a book's definitions: as the service reckons them, for sums that it does not give. */
export function reckon(counts, { indicators }) {
  const sum = (names) => names.reduce((all, name) => all + (counts[name] ?? 0), 0);
  const shares = indicators.map(({ code, of, per }) => ({ code, numerator: sum(of), denominator: sum(per) }));
  let [shared, weight] = [0, 0];
  indicators.forEach((each, at) => {
    const share = shareOf(shares[at]);
    if (share === null || !each.weight) return;
    shared += each.weight * (each.better === "high" ? share : 1 - share);
    weight += each.weight;
  });
  return { counts, indicators: shares, total: { value: weight ? shared / weight : null, weight } };
}

/** Counts added up, name by name. */
export function added(rows) {
  const all = {};
  for (const { counts } of rows) for (const [name, number] of Object.entries(counts)) all[name] = (all[name] ?? 0) + number;
  return all;
}
