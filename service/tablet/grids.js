/** The grid that an entry is about. */

import { html, t } from "../pages/ui.js";

/** Nothing is asked where the worker has one grid only. */
export function GridChoice({ grids, names, value, onChange }) {
  if (grids.length < 2) return null;
  return html`<label>
    ${t("visit.area")}
    <select value=${value} onChange=${(event) => onChange(event.target.value)}>
      ${grids.map((code) => html`<option value=${code} selected=${value === code}>${names.get(code) ?? code}</option>`)}
    </select>
  </label>`;
}
