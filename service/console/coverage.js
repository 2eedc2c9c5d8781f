/** Patrol coverage by grid and day, told by stops: a calendar with numbers, and the map of one day. Read by officers who plan patrols. */

import { html, locale, showDay, showNumber, t, useCallback, useEffect, useMemo, useRef, useState } from "../pages/ui.js";
import { allOf } from "./api.js";
import { dayOr, dayPlus, share, today, usePages, wholeList } from "./field.js";
import { Map } from "./map.js";
import { Empty, Exports, Filters, More, setQuery, Trouble } from "./parts.js";

const SPANS = { week: 7, fortnight: 14, month: 31 };
const MOST_ON_A_MAP = 600;

export function Coverage({ query }) {
  const now = today();
  const said = dayOr(query.get("until"), now);
  const until = said > now ? now : said;
  const from = dayPlus(until, 1 - (SPANS[query.get("span")] ?? SPANS.fortnight));
  const asked = { area: query.get("area") ?? "", from_day: from, to_day: until };
  const { first, items, next, more, busy, problem, loading } = usePages("/v1/coverage/days", asked);
  const days = first?.days ?? [];
  const day = days.some((each) => each.day === query.get("day")) ? query.get("day") : until;
  const choose = useCallback((chosen) => setQuery("coverage", { ...Object.fromEntries(query), day: chosen }), [query.toString()]);
  const rows = useMemo(() => items.map((grid) => ({ ...grid, on: new globalThis.Map(grid.days.map((each) => [each.day, each])) })), [items]);
  const columns = columnsOf(days);
  return html`
    <h1>${t("coverage.title")}</h1>
    <p class="muted">${t("coverage.explain")}</p>
    <${Filters}
      path="coverage"
      query=${query}
      fields=${[
        { name: "area", label: t("visits.area"), kind: "area" },
        { name: "until", label: t("coverage.until"), kind: "day", max: now },
        { name: "span", label: t("coverage.span"), first: t("coverage.span.fortnight"), options: ["week", "month"].map((each) => [each, t(`coverage.span.${each}`)]) },
      ]}
    />
    <div class="toolbar">
      <p class="legend"><${Legend} /></p>
      <span class="end"><${Exports} name=${`coverage-${from}-${until}`} columns=${columns} rows=${() => everyGrid(asked)} /></span>
    </div>
    <${Trouble} problem=${problem} />
    ${rows.length > 0 && html`<${Calendar} rows=${rows} days=${days} chosen=${day} onDay=${choose} />`}
    ${first && !rows.length && html`<${Empty}>${t("coverage.no_grids")}<//>`}
    ${!first && loading && html`<p aria-busy="true">${t("console.loading")}</p>`}
    <${More} next=${next} onMore=${more} busy=${busy} />
    ${rows.length > 0 && html`<${OneDay} area=${asked.area} day=${day} total=${days.find((each) => each.day === day)} />`}
  `;
}

// ---- the calendar

const wasThere = (grid, day) => grid.effective_from <= day && (!grid.effective_to || day <= grid.effective_to);
const patrols = (grid, day) => grid.on.get(day) ?? { started: 0, finished: 0, checkpoints: 0 };
const heatOf = ({ started }) => `heat-${Math.min(started, 3)}`;
const whole = (day) => new Date(`${day}T12:00:00`);
const dayNumber = (day, first) => whole(day).toLocaleDateString(locale(), first || day.endsWith("-01") ? { month: "numeric", day: "numeric" } : { day: "numeric" });
const weekday = (day) => whole(day).toLocaleDateString(locale(), { weekday: "short" });
const isWeekend = (day) => [0, 6].includes(whole(day).getDay());

function Calendar({ rows, days, chosen, onDay }) {
  const box = useRef();
  // The latest days are what is asked for most: where there is no room for all, those are in sight.
  useEffect(() => void (box.current.scrollLeft = box.current.scrollWidth), [days.at(-1).day, days.length]);
  return html`<div class="table calendar" ref=${box} role="region" tabindex="0" aria-label=${t("coverage.title")}>
    <table>
      <caption>${t("coverage.caption", { from: showDay(days[0].day), to: showDay(days.at(-1).day) })}</caption>
      <thead>
        <tr>
          <th scope="col">${t("coverage.grid")}</th>
          ${days.map(
            ({ day }, at) => html`<th scope="col" key=${day} class=${isWeekend(day) ? "weekend" : ""}>
              <button type="button" class="sort" aria-pressed=${day === chosen} title=${t("coverage.show_day", { day: showDay(day) })} onClick=${() => onDay(day)}>
                ${dayNumber(day, at === 0)}<small>${weekday(day)}</small>
              </button>
            </th>`,
          )}
          <th scope="col" class="numeric">${t("coverage.days")}</th>
        </tr>
      </thead>
      <tbody>
        ${rows.map((grid) => html`<${GridLine} key=${grid.area} grid=${grid} days=${days} chosen=${chosen} />`)}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">${t("coverage.patrolled_of_due")}</th>
          ${days.map(({ day, patrolled, due }) => html`<td key=${day} class=${day === chosen ? "chosen" : ""}>${due ? `${showNumber(patrolled)}/${showNumber(due)}` : "—"}<small>${share(patrolled, due)}</small></td>`)}
          <td class="numeric">${share(sum(days, "patrolled"), sum(days, "due"))}</td>
        </tr>
      </tfoot>
    </table>
  </div>`;
}

const sum = (rows, name) => rows.reduce((total, row) => total + row[name], 0);

function GridLine({ grid, days, chosen }) {
  const due = days.filter(({ day }) => wasThere(grid, day));
  const done = due.filter(({ day }) => grid.on.has(day)).length;
  return html`<tr>
    <th scope="row" title=${grid.area}>${grid.name}</th>
    ${days.map(({ day }) => html`<${Cell} key=${day} grid=${grid} day=${day} chosen=${day === chosen} />`)}
    <td class="numeric">${due.length ? `${done}/${due.length}` : "—"}</td>
  </tr>`;
}

function Cell({ grid, day, chosen }) {
  const there = wasThere(grid, day);
  const { started, checkpoints } = patrols(grid, day);
  const tone = `heat ${there ? heatOf(patrols(grid, day)) : "off"} ${chosen ? "chosen" : ""}`;
  if (!there) return html`<td class=${tone} title=${t("coverage.not_there")}>—</td>`;
  return html`<td class=${tone} title=${started ? t("coverage.did", { patrols: started, stops: checkpoints }) : t("coverage.not_patrolled")}>
    ${started}${started > 0 && html`<small>${checkpoints}<span class="unseen"> ${t("coverage.stops")}</span></small>`}
  </td>`;
}

const Legend = () => html`
  ${[0, 1, 2, 3].map((count) => html`<span key=${count}><i class=${`heat heat-${count}`}>${count === 3 ? "3+" : count}</i></span>`)}
  <span>${t("coverage.legend")}</span>
`;

// ---- the map of one day

function OneDay({ area, day, total }) {
  const [told, tell] = useState({ grids: null, problem: null });
  const many = (total?.due ?? 0) > MOST_ON_A_MAP;
  useEffect(() => {
    let wanted = true;
    tell({ grids: null, problem: null });
    if (many) return undefined;
    const period = { area, from_day: day, to_day: day };
    Promise.all([allOf("/v1/areas", { area, level: "grid", day }), allOf("/v1/coverage/days", period)]).then(
      ([areas, days]) => wanted && tell({ grids: joined(areas, days), problem: null }),
      (problem) => wanted && tell({ grids: null, problem }),
    );
    return () => (wanted = false);
  }, [area, day, many]);
  const { problem } = told;
  const grids = many ? null : told.grids;
  const missing = (grids ?? []).filter(({ started }) => !started);
  return html`<section aria-labelledby="one-day">
    <h2 id="one-day">${t("coverage.on_day", { day: showDay(day) })}</h2>
    <p role="status">${t("coverage.rate", { patrolled: showNumber(total?.patrolled ?? 0), due: showNumber(total?.due ?? 0), share: share(total?.patrolled ?? 0, total?.due ?? 0) })}</p>
    <${Trouble} problem=${problem} />
    ${!many && !grids && !problem && html`<p aria-busy="true">${t("console.loading")}</p>`}
    ${many && html`<${Empty}>${t("coverage.too_many", { most: showNumber(MOST_ON_A_MAP) })}<//>`}
    ${grids && html`<${Map} label=${t("coverage.map", { day: showDay(day) })} areas=${grids} look=${look} />`}
    ${grids && html`<div class="toolbar"><span class="end"><${Exports} name=${`coverage-${day}`} columns=${mapColumns(day)} rows=${grids} formats=${["geojson"]} /></span></div>`}
    ${grids && html`<h3>${t("coverage.left")}</h3>`}
    ${grids && (missing.length ? html`<ul class="inline">${missing.map(({ code, name }) => html`<li key=${code}>${name}</li>`)}</ul>` : html`<p>${t(grids.length ? "coverage.none_left" : "coverage.no_grids")}</p>`)}
  </section>`;
}

function joined(areas, days) {
  const found = new globalThis.Map(days.map((grid) => [grid.area, grid.days[0]]));
  return areas.map((area) => ({ ...area, geometry: area.polygon, started: 0, checkpoints: 0, ...found.get(area.code) }));
}

const look = ({ started, checkpoints }) => ({
  class: started > 1 ? "many" : started ? "some" : "none",
  text: started ? t("coverage.did", { patrols: started, stops: checkpoints }) : t("coverage.not_patrolled"),
});

// ---- files

async function everyGrid(asked) {
  const grids = await wholeList("/v1/coverage/days", asked);
  return grids.map((grid) => ({ ...grid, on: new globalThis.Map(grid.days.map((each) => [each.day, each])) }));
}

const columnsOf = (days) => [
  { key: "area", title: t("coverage.code") },
  { key: "name", title: t("coverage.grid") },
  ...days.map(({ day }) => ({ key: day, title: day, text: (grid) => (wasThere(grid, day) ? patrols(grid, day).started : "—") })),
];

const mapColumns = (day) => [
  { key: "code", title: t("coverage.code") },
  { key: "name", title: t("coverage.grid") },
  { key: "day", title: t("coverage.day"), text: () => day },
  { key: "started", title: t("coverage.patrols") },
  { key: "checkpoints", title: t("coverage.stops") },
];
