/** Files of what a page shows, for the reader to keep. Read by every page with a table. */

import { csv, geojson, xlsx } from "../pages/sheets.js";
import { html, t, useState } from "../pages/ui.js";
import { Trouble } from "./parts.js";

/** Gives a file to the reader. */
export function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/**
 * Saves rows as they are shown. columns: those of the table (text(row) where there is one, else row[key]); format: "csv", "xlsx", or
 * "geojson", for which a row has geometry, or lat and lon, and features without a place have a null geometry.
 */
export function exportRows(name, columns, rows, format) {
  const cell = ({ key, text }, row) => (text ? text(row) : row[key]) ?? "";
  const file = `${name}.${format}`;
  if (format === "geojson") return save(geojson(rows.map((row) => ({ geometry: geometryOf(row), properties: Object.fromEntries(columns.map((column) => [column.key, cell(column, row)])) }))), file);
  const table = [columns.map(({ title }) => title), ...rows.map((row) => columns.map((column) => cell(column, row)))];
  return save(format === "csv" ? csv(table) : xlsx(table, name), file);
}

function geometryOf({ geometry, lat, lon }) {
  if (geometry) return geometry;
  return typeof lat === "number" && typeof lon === "number" ? { type: "Point", coordinates: [lon, lat] } : null;
}

/** Buttons that save what is shown. rows: a list, or (format) => a promise of one. */
export function Exports({ name, columns, rows, formats = ["csv", "xlsx"] }) {
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState(null);
  async function saveAs(format) {
    setBusy(format);
    setProblem(null);
    try {
      exportRows(name, columns, typeof rows === "function" ? await rows(format) : rows, format);
    } catch (wrong) {
      setProblem(wrong);
    }
    setBusy("");
  }
  return html`<div class="exports" role="group" aria-label=${t("console.export")}>
    ${formats.map((format) => html`<button type="button" class="outline" aria-busy=${busy === format} disabled=${Boolean(busy)} onClick=${() => saveAs(format)}>${t(`console.as.${format}`)}</button>`)}
    <${Trouble} problem=${problem} />
  </div>`;
}
