/** How far off a deadline is, in few words: "in 2 h", "3 d overdue". Read by the lists and the case page. */

import { html, showTime, t, useEffect, useState } from "../pages/ui.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SOON = 2 * HOUR;

/** The words, and whether it is late or soon. */
export function untilWords(moment, now = Date.now()) {
  const away = new Date(moment) - now;
  const size = Math.abs(away);
  const [unit, count] = size < HOUR ? ["minutes", Math.ceil(size / MINUTE)] : size < 2 * DAY ? ["hours", Math.floor(size / HOUR)] : ["days", Math.floor(size / DAY)];
  return { words: away < 0 ? t(`cases.late.${unit}`, { count }) : t(`cases.in.${unit}`, { count }), tone: away < 0 ? "late" : away < SOON ? "soon" : "" };
}

/** A deadline. Nothing runs: "—". */
export function Until({ moment }) {
  useMinutes();
  if (!moment) return "—";
  const { words, tone } = untilWords(moment);
  return html`<time class=${tone} datetime=${moment} title=${showTime(moment)}>${words}</time>`;
}

/** Draws anew as time passes. */
export function useMinutes() {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), MINUTE / 2);
    return () => clearInterval(timer);
  }, []);
}
