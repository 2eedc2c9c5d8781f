/** How far off a deadline is, in few words: "in 2 h", "3 d overdue". Read by the lists and the case page. */

import { html, showTime, signal, t } from "../pages/ui.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SOON = 2 * HOUR;

const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), MINUTE / 2);

/** The words, and whether it is late or soon. */
export function untilWords(moment, from = Date.now()) {
  const away = new Date(moment) - from;
  const size = Math.abs(away);
  const [unit, count] = size < HOUR ? ["minutes", Math.ceil(size / MINUTE)] : size < 2 * DAY ? ["hours", Math.floor(size / HOUR)] : ["days", Math.floor(size / DAY)];
  return { words: away < 0 ? t(`cases.late.${unit}`, { count }) : t(`cases.in.${unit}`, { count }), tone: away < 0 ? "late" : away < SOON ? "soon" : "" };
}

/** A deadline. Nothing runs: "—". */
export function Until({ moment }) {
  if (!moment) return "—";
  const { words, tone } = untilWords(moment, now.value);
  return html`<time class=${tone} datetime=${moment} title=${showTime(moment)}>${words}</time>`;
}
