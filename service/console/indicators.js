/** The indicators over time: one small chart each, and the same numbers as a table. Read by officers and auditors. */

import uPlot from "../vendor/uplot.js";
import { html, language, showNumber, t, useEffect, useRef, useState } from "../pages/ui.js";
import { session, useData } from "./api.js";
import { AreaChoice, areaName, Empty, Exports, Filters, setQuery, Table, Trouble } from "./parts.js";
import { periodName, shareOf, shortName, showShare, wordsOf } from "./periods.js";

const KINDS = ["week", "month", "quarter", "year"];
const HEIGHT = 150;
const SERIES_FROM = 9;

/** The area that is shown where none was chosen: the person's own, if it is a subdistrict or community. */
const ownArea = () => {
  const own = session.value.grants.filter(({ role }) => ["officer", "auditor"].includes(role)).map(({ unit }) => unit.split("/")[0]);
  return own.find((code) => code.length === 9 || code.length === 12) ?? "";
};

export function Indicators({ query }) {
  const area = query.get("area") || ownArea();
  const kind = KINDS.includes(query.get("kind")) ? query.get("kind") : "month";
  const fits = area.length === 9 || area.length === 12;
  const { data, problem, loading } = useData(fits ? "/v1/summaries/series" : null, { area, kind });
  return html`
    <h1>${t("indicator.title")}</h1>
    <${Filters} path="indicators" query=${query} fields=${[{ name: "kind", label: t("indicator.kind"), first: t("indicator.kind.month"), options: KINDS.filter((each) => each !== "month").map((each) => [each, t(`indicator.kind.${each}`)]) }]}>
      <label>${t("indicator.area")} <${AreaChoice} value=${area} onChange=${(code) => setQuery("indicators", { ...Object.fromEntries(query), area: code })} /></label>
    <//>
    <${Trouble} problem=${problem} />
    ${!fits && html`<${Empty}>${t(area.length > SERIES_FROM ? "indicator.too_small" : "indicator.choose")}<//>`}
    ${fits && !data && loading && html`<p aria-busy="true">${t("console.loading")}</p>`}
    ${fits && data && html`<${Charts} data=${data} area=${area} kind=${kind} />`}
  `;
}

function Charts({ data, area, kind }) {
  const { items, book } = data;
  const shares = (code) => items.map(({ indicators }) => indicators.find((each) => each.code === code) ?? { numerator: 0, denominator: 0 });
  const columns = tableColumns(book);
  const known = book.indicators.filter(({ code }) => shares(code).some(({ denominator }) => denominator));
  const empty = book.indicators.filter((each) => !known.includes(each));
  return html`
    <div class="toolbar">
      <p class="muted">${t("indicator.explain")}</p>
      <span class="end"><${Exports} name=${`indicators-${area}-${kind}`} columns=${columns} rows=${items} /></span>
    </div>
    <div class="charts">${known.map((each) => html`<${Chart} key=${`${each.code} ${area} ${kind}`} indicator=${each} periods=${items.map(({ period }) => period)} shares=${shares(each.code)} />`)}</div>
    ${!known.length && html`<${Empty}>${t("indicator.nothing")}<//>`}
    ${known.length > 0 && empty.length > 0 && html`<p class="muted">${t("indicator.without", { names: empty.map(wordsOf).join(t("visits.comma")) })}</p>`}
    <h2>${t("indicator.table")}</h2>
    <div class="rates"><${Table} caption=${t("indicator.caption", { area: areaName(area) })} columns=${columns} rows=${[...items].reverse()} rowKey=${({ period }) => period.name} /></div>
  `;
}

function tableColumns(book) {
  const of = (code) => (row) => row.indicators.find((each) => each.code === code) ?? { numerator: 0, denominator: 0 };
  return [
    { key: "period", title: t("indicator.period"), cell: ({ period }) => html`${periodName(period.name)}${period.complete ? "" : html` <small>${t("indicator.goes_on")}</small>`}`, text: ({ period }) => period.name },
    ...book.indicators.map((each) => ({
      key: each.code,
      title: wordsOf(each),
      numeric: true,
      cell: (row) => html`<span title=${t("summary.fraction", { numerator: showNumber(of(each.code)(row).numerator), denominator: showNumber(of(each.code)(row).denominator) })}>${showShare(shareOf(of(each.code)(row)))}</span>`,
      text: (row) => shareOf(of(each.code)(row)) ?? "—",
    })),
  ];
}

// ---- one chart

/** A line through the periods that have a share; a period without one is a gap. What the pointer or the arrow keys stand on is told above. */
function Chart({ indicator, periods, shares }) {
  const box = useRef();
  const last = shares.findLastIndex(({ denominator }) => denominator);
  const [at, setAt] = useState(null);
  const shown = at ?? last;
  useEffect(() => {
    const place = box.current;
    const ink = getComputedStyle(place);
    const muted = ink.getPropertyValue("--pico-muted-color").trim();
    const line = ink.getPropertyValue("--pico-primary").trim();
    const grid = { stroke: ink.getPropertyValue("--pico-muted-border-color").trim(), width: 1 };
    const font = `11px ${ink.fontFamily}`;
    const sized = () => ({ width: Math.max(160, place.clientWidth), height: HEIGHT });
    const options = {
      ...sized(),
      legend: { show: false },
      cursor: { y: false, points: { size: 8 }, drag: { x: false, y: false } },
      scales: { x: { time: false, range: [-0.4, periods.length - 0.6] }, y: { range: [0, 1] } },
      axes: [
        { stroke: muted, font, grid: { show: false }, ticks: grid, size: 26, space: 56, incrs: [1, 2, 3, 4, 6, 12], values: (_, splits) => splits.map((each) => (Number.isInteger(each) && periods[each] ? shortName(periods[each].name) : "")) },
        { stroke: muted, font, grid, ticks: { show: false }, size: 42, splits: [0, 0.25, 0.5, 0.75, 1], values: (_, splits) => splits.map((each) => showNumber(each, { style: "percent" })) },
      ],
      series: [{}, { stroke: line, width: 2, spanGaps: false, points: { show: true, size: 6, fill: line } }],
      hooks: { setCursor: [(drawn) => setAt(drawn.cursor.left >= 0 ? drawn.cursor.idx : null)] },
    };
    const plot = new uPlot(options, [periods.map((_, number) => number), shares.map(shareOf)], place);
    const watch = new ResizeObserver(() => plot.setSize(sized()));
    watch.observe(place);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [JSON.stringify(shares), periods.length, language.value]);
  const share = shares[shown] ?? { numerator: 0, denominator: 0 };
  return html`<figure class="chart">
    <figcaption>
      <b>${wordsOf(indicator)}</b> <span class="now">${showShare(shareOf(share))}</span>
      <small>${periods[shown] ? t("indicator.at", { period: periodName(periods[shown].name), numerator: showNumber(share.numerator), denominator: showNumber(share.denominator) }) : ""}${indicator.better === "low" ? ` · ${t("summary.low_is_good")}` : ""}</small>
    </figcaption>
    <div ref=${box} role="img" aria-label=${t("indicator.chart", { name: wordsOf(indicator), share: showShare(shareOf(shares[last] ?? share)), period: periods[last] ? periodName(periods[last].name) : "" })}></div>
  </figure>`;
}
