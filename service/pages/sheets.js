/** Tables as files: CSV with a mark for Excel, XLSX in the few parts that a plain sheet needs, GeoJSON. Made in the page, of what it shows. */

const encode = (text) => new TextEncoder().encode(text);
const FORMULA = /^[=+\-@\t\r]/;
/** What a spreadsheet would run as a formula gets an apostrophe; numbers stay as they are. */
const guarded = (value) => (typeof value === "string" && FORMULA.test(value) ? `'${value}` : value);

/** rows: lists of cells, the first being the titles. */
export function csv(rows) {
  const cell = (value) => {
    const text = String(guarded(value ?? ""));
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return new Blob(["\ufeff", ...rows.map((row) => `${row.map(cell).join(",")}\r\n`)], { type: "text/csv;charset=utf-8" });
}

/** features: [{geometry, properties}], positions being WGS-84, [lon, lat]. */
export function geojson(features) {
  const whole = { type: "FeatureCollection", features: features.map((each) => ({ type: "Feature", ...each })) };
  return new Blob([JSON.stringify(whole)], { type: "application/geo+json" });
}

// ---- XLSX (ECMA-376): a ZIP of five small XML parts, stored without compression; texts stand in the cells

const MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE = "http://schemas.openxmlformats.org/package/2006";
const HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>';
const TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml";

/** What XML 1.0 cannot say is left out: control characters, and halves of a surrogate pair. */
const escaped = (text) =>
  String(text)
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "")
    .replace(/[&<>"]/g, (each) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[each]);

function sheet(rows) {
  const cell = (value, style) =>
    typeof value === "number" && Number.isFinite(value)
      ? `<c><v>${value}</v></c>`
      : `<c t="inlineStr"${style}><is><t xml:space="preserve">${escaped(guarded(value ?? ""))}</t></is></c>`;
  const lines = rows.map((row, number) => `<row>${row.map((value) => cell(value, number ? "" : ' s="1"')).join("")}</row>`);
  const frozen = '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" state="frozen"/></sheetView></sheetViews>';
  const widths = (rows[0] ?? []).map((_, at) => `<col min="${at + 1}" max="${at + 1}" width="${width(rows, at)}" customWidth="1"/>`).join("");
  return `${HEAD}<worksheet xmlns="${MAIN}">${frozen}${widths && `<cols>${widths}</cols>`}<sheetData>${lines.join("")}</sheetData></worksheet>`;
}

/** As wide as the longest of the first cells, a Chinese character counting twice. */
function width(rows, at) {
  const lengths = rows.slice(0, 200).map((row) => [...String(row[at] ?? "")].reduce((sum, each) => sum + (each > "\u2e7f" ? 2 : 1), 0));
  return Math.min(60, Math.max(8, ...lengths) + 2);
}

const STYLES =
  `${HEAD}<styleSheet xmlns="${MAIN}"><fonts count="2"><font/><font><b/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill>` +
  '<fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>' +
  '<cellXfs count="2"><xf/><xf fontId="1" applyFont="1"/></cellXfs></styleSheet>';

/** rows: lists of cells, the first being the titles; name: that of the sheet. */
export function xlsx(rows, name = "Sheet1") {
  const title = escaped(name.replace(/[\\/?*[\]:']/g, " ").slice(0, 31)) || "Sheet1";
  const type = (part, kind) => `<Override PartName="${part}" ContentType="${TYPE}.${kind}+xml"/>`;
  const related = (id, kind, target) => `<Relationship Id="${id}" Type="${OFFICE}/${kind}" Target="${target}"/>`;
  const relations = (inner) => `${HEAD}<Relationships xmlns="${PACKAGE}/relationships">${inner}</Relationships>`;
  const types = `<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>${type("/xl/workbook.xml", "sheet.main")}${type("/xl/worksheets/sheet1.xml", "worksheet")}${type("/xl/styles.xml", "styles")}`;
  return zip(
    {
      "[Content_Types].xml": `${HEAD}<Types xmlns="${PACKAGE}/content-types">${types}</Types>`,
      "_rels/.rels": relations(related("rId1", "officeDocument", "xl/workbook.xml")),
      "xl/workbook.xml": `${HEAD}<workbook xmlns="${MAIN}" xmlns:r="${OFFICE}"><sheets><sheet name="${title}" sheetId="1" r:id="rId1"/></sheets></workbook>`,
      "xl/_rels/workbook.xml.rels": relations(related("rId1", "worksheet", "worksheets/sheet1.xml") + related("rId2", "styles", "styles.xml")),
      "xl/worksheets/sheet1.xml": sheet(rows),
      "xl/styles.xml": STYLES,
    },
    `${TYPE}.sheet`,
  );
}

const CRC = Uint32Array.from({ length: 256 }, (_, each) => {
  for (let bit = 0; bit < 8; bit += 1) each = each & 1 ? 0xedb88320 ^ (each >>> 1) : each >>> 1;
  return each;
});
const crc32 = (bytes) => ~bytes.reduce((sum, byte) => CRC[(sum ^ byte) & 0xff] ^ (sum >>> 8), -1) >>> 0;

function zip(files, type) {
  const [parts, entries] = [[], []];
  let offset = 0;
  for (const [name, text] of Object.entries(files)) {
    const [title, content] = [encode(name), encode(text)];
    // Version 2.0, names in UTF-8, stored as they are, of the year 1980.
    const common = little([[20, 2], [0x0800, 2], [0, 2], [0, 2], [0x21, 2], [crc32(content), 4], [content.length, 4], [content.length, 4], [title.length, 2], [0, 2]]);
    parts.push(little([[0x04034b50, 4]]), common, title, content);
    entries.push(little([[0x02014b50, 4], [20, 2]]), common, little([[0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]]), title);
    offset += 4 + common.length + title.length + content.length;
  }
  const size = entries.reduce((sum, each) => sum + each.length, 0);
  const count = Object.keys(files).length;
  const end = little([[0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [size, 4], [offset, 4], [0, 2]]);
  return new Blob([...parts, ...entries, end], { type });
}

/** Numbers as bytes, the lowest first: [[value, length], …]. */
const little = (numbers) => Uint8Array.from(numbers.flatMap(([value, length]) => Array.from({ length }, (_, at) => (value / 2 ** (8 * at)) & 0xff)));
