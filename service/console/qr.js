/** A QR code drawn as a picture that is sharp at any size, from the rows of 0 and 1 that the service answers. Read by whoever shows codes. */

import { html } from "../pages/ui.js";

const QUIET = 4;

/** rows: ["1011…", …], one text per line of the code; label: what the code is for. Always dark on light: scanners ask for it. */
export function Qr({ rows, label }) {
  const side = rows.length + 2 * QUIET;
  return html`<svg class="qr" viewBox=${`0 0 ${side} ${side}`} role="img" aria-label=${label} shape-rendering="crispEdges">
    <rect width=${side} height=${side} fill="#fff" />
    <path d=${pathOf(rows)} fill="#000" />
  </svg>`;
}

/** One path for all dark runs: a picture of some thousand squares would be slow to print. */
export function pathOf(rows) {
  const runs = rows.flatMap((row, y) => [...row.matchAll(/1+/g)].map(({ 0: run, index }) => `M${index + QUIET} ${y + QUIET}h${run.length}v1h-${run.length}z`));
  return runs.join("");
}
