/** The quarterly roll-up 每季度汇总: all subdistricts of a quarter, and the sheet of one, sealed, printed, sent. Read by officers and auditors. */

import { html, say, showNumber, showTime, t, useEffect, useState } from "../pages/ui.js";
import { fetchFile, send, session, useData } from "./api.js";
import { everyRow, today, usePages } from "./field.js";
import { AreaName, areaName, Dialog, Empty, Exports, Filters, More, PersonName, save, Table, Trouble } from "./parts.js";
import { added, lastQuarters, periodName, reckon, shareOf, showDays, showShare, wordsOf } from "./periods.js";
import { signedBy } from "./notes.js";

const SHOWN_QUARTERS = 9;

export function Summary({ rest, query }) {
  return rest.length === 2 ? html`<${Sheet} ledger=${rest[0]} name=${rest[1]} />` : html`<${Overview} query=${query} />`;
}

// ---- all subdistricts of a period

/** Whether the person looks after no whole subdistrict, but communities of one. */
const inCommunities = () => session.value.grants.every(({ unit }) => unit.includes("/") || unit.length > 9);

function Overview({ query }) {
  const quarters = lastQuarters(SHOWN_QUARTERS, today());
  const period = query.get("period") || quarters[0];
  const by = query.get("by") || (inCommunities() ? "community" : "subdistrict");
  const asked = { period, by, area: query.get("area") ?? "" };
  const { first, items, next, more, busy, problem, loading } = usePages("/v1/summaries", asked);
  const columns = first ? columnsOf(first.book, by, period) : [];
  const rows = items.length > 1 && !next ? [...items, { area: "", ...reckon(added(items), first.book) }] : items;
  return html`
    <h1>${t("summary.title")}</h1>
    <${Filters}
      path="summary"
      query=${query}
      fields=${[
        { name: "period", label: t("summary.period"), first: periodName(quarters[0]), options: quarters.slice(1).map((each) => [each, periodName(each)]) },
        { name: "by", label: t("summary.by"), first: t(`summary.by.${inCommunities() ? "community" : "subdistrict"}`), options: (inCommunities() ? [] : ["community"]).map((each) => [each, t(`summary.by.${each}`)]) },
        { name: "area", label: t("summary.area"), kind: "area" },
      ]}
    />
    <${Trouble} problem=${problem} />
    ${first &&
    html`<p class="muted"><strong>${periodName(period)}</strong> · <${Counted} period=${first.period} /> · ${weightsOf(first.book)}</p>
      <div class="toolbar">
        <span class="end"><${Exports} name=${`summary-${period}`} columns=${forFile(columns, first)} rows=${everyRow("/v1/summaries", asked)} /></span>
        <button type="button" class="outline no-print" onClick=${() => print()}>${t("summary.print")}</button>
      </div>
      ${rows.length
        ? html`<div class="rates"><${Table} caption=${t("summary.caption", { period: periodName(period) })} columns=${columns} rows=${rows} rowKey=${({ area }) => area} mark=${({ area }) => (area ? "" : "sum")} /></div>`
        : html`<${Empty}>${t("summary.no_areas")}<//>`}
      <p class="muted">${t("summary.explain")}</p>`}
    ${!first && loading && html`<p aria-busy="true">${t("console.loading")}</p>`}
    <${More} next=${next} onMore=${more} busy=${busy} />
  `;
}

function columnsOf(book, by, period) {
  const share = (code) => (row) => row.indicators.find((each) => each.code === code);
  const areaCell = ({ area }) => (!area ? html`<strong>${t("summary.sum")}</strong>` : by === "community" ? html`<${AreaName} code=${area} />` : html`<a href=${`#/summary/${area}/${period}`}><${AreaName} code=${area} /></a>`);
  return [
    { key: "area", title: t("summary.area"), cell: areaCell, text: ({ area }) => areaName(area) },
    ...(by === "community" ? [] : [{ key: "sealed", title: t("summary.sealed"), cell: ({ sealed, area }) => area && stateOf(sealed), text: ({ sealed }) => sealed?.sealed_at ?? "" }]),
    ...book.indicators.map((each) => ({
      key: each.code,
      title: wordsOf(each),
      numeric: true,
      cell: (row) => html`<span title=${fraction(share(each.code)(row))}>${showShare(shareOf(share(each.code)(row)))}</span>`,
      text: (row) => shareOf(share(each.code)(row)) ?? "—",
    })),
    { key: "total", title: t("summary.total"), numeric: true, cell: ({ total }) => html`<strong title=${t("summary.total_of", { weight: showNumber(total.weight) })}>${showShare(numberOf(total.value))}</strong>`, text: ({ total }) => numberOf(total.value) ?? "—" },
  ];
}

/** A file has the area's code and the counts beside the shares. */
function forFile(columns, { names }) {
  const counts = Object.entries(names).map(([name, words]) => ({ key: name, title: wordsOf(words), text: ({ counts: all }) => all[name] }));
  return [{ key: "code", title: t("summary.code"), text: ({ area }) => area }, ...columns, ...counts];
}

const numberOf = (value) => (value === null ? null : Number(value));
const fraction = ({ numerator, denominator }) => t("summary.fraction", { numerator: showNumber(numerator), denominator: showNumber(denominator) });
const weightsOf = ({ name, version, effective_from: from }) => t("summary.weights", { book: `${name}@${version}`, from });

function stateOf(sealed) {
  if (!sealed) return html`<span class="status still">${t("summary.not_sealed")}</span>`;
  return html`<span class=${`status ${sealed.differs ? "warn" : "done"}`} title=${showTime(sealed.sealed_at)}>${t(sealed.differs ? "summary.sealed_differs" : "summary.is_sealed")}</span>`;
}

const Counted = ({ period }) => html`${showDays(period)}${period.complete ? "" : ` · ${t("summary.so_far", { when: showTime(period.until) })}`}`;

// ---- the sheet of one subdistrict

function Sheet({ ledger, name }) {
  const { data, problem, loading, reload } = useData(`/v1/summaries/${ledger}/${name}`);
  if (!data) return html`<h1>${t("summary.title")}</h1><${Trouble} problem=${problem} />${loading && html`<p aria-busy="true">${t("console.loading")}</p>`}`;
  const { period, sealed, differences } = data;
  return html`
    <p class="back no-print"><a href=${`#/summary?period=${name}`}>← ${t("summary.title")}</a></p>
    <h1>${t("summary.of", { area: areaName(ledger), period: periodName(name) })}</h1>
    <${Trouble} problem=${problem} />
    <${Facts} data=${data} />
    <div class="toolbar no-print">
      ${!sealed && html`<${Sealing} data=${data} onSealed=${reload} />`}
      <button type="button" class="outline" onClick=${() => print()}>${t("summary.print")}</button>
    </div>
    <h2>${t("summary.indicators")}</h2>
    <${Indicators} data=${data} />
    ${differences.length > 0 && html`<h2>${t("summary.differences")}</h2><p>${t("summary.differences_why")}</p><${Differences} data=${data} />`}
    <h2>${t("summary.counts")}</h2>
    <${Counts} data=${data} />
    ${sealed && html`<${Files} ledger=${ledger} name=${name} data=${data} />`}
    ${period.complete || html`<p class="muted">${t("summary.goes_on")}</p>`}
  `;
}

function Facts({ data: { period, book, sealed, key } }) {
  const facts = [
    ["summary.period", html`<${Counted} period=${period} />`],
    ["summary.weights_title", `${book.name}@${book.version}`],
    ["summary.state", stateOf(sealed && { ...sealed })],
    ...(sealed
      ? [
          ["summary.sealed_at", html`${showTime(sealed.sealed_at)} · ${sealed.sealed_by === "system" ? t("summary.system") : html`<${PersonName} person=${sealed.sealed_by} />`}`],
          ["summary.checkpoint", html`<span class="mono">${sealed.origin}</span><br />${t("summary.entries", { count: showNumber(sealed.size) })} · <span class="mono">${sealed.root}</span>`],
          ["summary.digest", html`<span class="mono">${sealed.digest}</span>`],
          ["summary.key", html`<span class="mono">${key}</span>`],
        ]
      : []),
  ];
  return html`<dl class="facts">${facts.map(([title, value]) => html`<div key=${title} class=${["summary.checkpoint", "summary.digest", "summary.key"].includes(title) ? "wide" : ""}><dt>${t(title)}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** A table of few columns, which stays one on a phone: what it compares is to be seen side by side. */
function Compared({ caption, columns, rows }) {
  return html`<table class="compared">
    <caption class="unseen">${caption}</caption>
    <thead><tr>${columns.map(([title, , words]) => html`<th key=${title} scope="col" class=${words ? "" : "numeric"}>${title}</th>`)}</tr></thead>
    <tbody>
      ${rows.map((row) => html`<tr key=${row.code} class=${row.code === "total" ? "sum" : ""}>${columns.map(([title, cell, words]) => (words ? html`<th key=${title} scope="row">${cell(row)}</th>` : html`<td key=${title} class="numeric">${cell(row)}</td>`))}</tr>`)}
    </tbody>
  </table>`;
}

function Indicators({ data }) {
  const { book, sealed } = data;
  const shown = sealed ?? data;
  const now = Object.fromEntries(data.indicators.map((each) => [each.code, each]));
  const rows = book.indicators.map((each) => ({ ...each, ...(shown.indicators.find(({ code }) => code === each.code) ?? { numerator: 0, denominator: 0 }) }));
  const isTotal = ({ code }) => code === "total";
  const columns = [
    [t("summary.indicator"), (row) => (isTotal(row) ? t("summary.total") : html`${wordsOf(row)}${row.better === "low" ? html` <small>${t("summary.low_is_good")}</small>` : ""}`), true],
    [t("summary.numerator"), (row) => (isTotal(row) ? "" : showNumber(row.numerator))],
    [t("summary.denominator"), (row) => (isTotal(row) ? "" : showNumber(row.denominator))],
    [t(sealed ? "summary.value_sealed" : "summary.value"), (row) => html`<strong>${showShare(isTotal(row) ? numberOf(shown.total.value) : shareOf(row))}</strong>`],
    ...(sealed?.differs ? [[t("summary.value_now"), (row) => showShare(isTotal(row) ? numberOf(data.total.value) : shareOf(now[row.code]))]] : []),
    [t("summary.weight"), ({ weight }) => showNumber(weight)],
  ];
  return html`<${Compared} caption=${t("summary.indicators")} columns=${columns} rows=${[...rows, { code: "total", weight: shown.total.weight }]} />`;
}

function Differences({ data: { differences, names } }) {
  const columns = [
    [t("summary.count"), ({ count }) => wordsOf(names[count] ?? { zh: count, en: count }), true],
    [t("summary.sealed"), ({ sealed }) => showNumber(sealed)],
    [t("summary.present"), ({ present }) => showNumber(present)],
    [t("summary.change"), ({ sealed, present }) => showNumber(present - sealed, { signDisplay: "always" })],
  ];
  return html`<${Compared} caption=${t("summary.differences")} columns=${columns} rows=${differences.map((each) => ({ code: each.count, ...each }))} />`;
}

function Counts({ data }) {
  const { counts } = data.sealed ?? data;
  return html`<ul class="tally">${Object.entries(data.names)
    .filter(([name]) => name in counts)
    .map(([name, words]) => html`<li key=${name}><span>${wordsOf(words)}</span> <b>${showNumber(counts[name])}</b></li>`)}</ul>`;
}

/** Sealing is for an officer of the whole subdistrict, once the quarter is over. The service decides; this only spares a vain try. */
function Sealing({ data, onSealed }) {
  const { area, period } = data;
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const mine = session.value.grants.some(({ role, unit }) => role === "officer" && area.startsWith(unit));
  if (!mine || period.kind !== "quarter" || !period.complete) return null;
  async function seal() {
    setBusy(true);
    try {
      await send("POST", `/v1/summaries/${area}/${period.name}/seal`);
      setAsking(false);
      say(t("summary.was_sealed"));
      onSealed();
    } catch (wrong) {
      setProblem(wrong);
    }
    setBusy(false);
  }
  return html`<button type="button" onClick=${() => setAsking(true)}>${t("summary.seal")}</button>
    ${asking &&
    html`<${Dialog} title=${t("summary.seal_title", { area: areaName(area), period: periodName(period.name) })} onClose=${() => setAsking(false)}>
      <p>${t("summary.seal_why")}</p>
      <${Trouble} problem=${problem} />
      <footer>
        <button type="button" class="secondary" onClick=${() => setAsking(false)}>${t("common.cancel")}</button>
        <button type="button" aria-busy=${busy} disabled=${busy} onClick=${seal}>${t("summary.seal")}</button>
      </footer>
    <//>`}`;
}

// ---- the files for the recipients, and whether the signature holds

function Files({ ledger, name, data }) {
  const place = `/v1/summaries/${ledger}/${name}/file`;
  const [state, setState] = useState("looking");
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    let wanted = true;
    fetchFile(place)
      .then((file) => file.text())
      .then((note) => signedBy(note, data.key))
      .then((found) => wanted && setState(found), () => wanted && setState("unknown"));
    return () => (wanted = false);
  }, [place, data.key]);
  async function give(recipient) {
    setProblem(null);
    try {
      save(await fetchFile(place, { recipient }), `summary-${ledger}-${name}-${recipient}.note`);
    } catch (wrong) {
      setProblem(wrong);
    }
  }
  return html`<section aria-labelledby="files">
    <h2 id="files">${t("summary.files")}</h2>
    <p class=${state === "wrong" ? "note warn" : "note"} role="status">${t(`summary.signature.${state}`)}</p>
    <div class="buttons start no-print">
      ${data.recipients.map((each) => html`<button type="button" class="outline" key=${each.code} onClick=${() => give(each.code)}>${t("summary.file_for", { recipient: wordsOf(each) })}</button>`)}
    </div>
    <${Trouble} problem=${problem} />
    <p>${t("summary.verify")}</p>
    <pre class="command"><code>gridtrail summary verify FILE --key '${data.key}' --from COPY</code></pre>
  </section>`;
}
