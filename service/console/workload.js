/** Who did what on which day, so that work can be spread and people relieved: no score, no rank, no order of counts. Read by officers. */

import { html, showDay, showNumber, t } from "../pages/ui.js";
import { dayOr, dayPlus, everyRow, picked, shortDay, today, usePages, useWorkers, workerFilter } from "./field.js";
import { Empty, Exports, Filters, More, PersonName, personName, Table, Trouble } from "./parts.js";

const COUNTS = ["patrols", "checkpoints", "visits", "cases_reported", "cases_handled"];
const WEEK = 7;

export function Workload({ query }) {
  const to = dayOr(query.get("to_day"), today());
  const from = dayOr(query.get("from_day"), dayPlus(to, 1 - WEEK));
  const asked = { ...picked(query, "area", "person"), from_day: from, to_day: to };
  const { first, items: days, next, more, busy, problem, loading } = usePages("/v1/workload", asked);
  const workers = useWorkers(query.get("area"));
  const columns = columnsOf();
  const items = days.filter(didSomething);
  return html`
    <h1>${t("workload.title")}</h1>
    <p class="note">${t("workload.purpose")}</p>
    <${Filters}
      path="workload"
      query=${query}
      fields=${[
        { name: "area", label: t("visits.area"), kind: "area" },
        workerFilter("person", workers),
        { name: "from_day", label: t("visits.from"), kind: "day" },
        { name: "to_day", label: t("visits.to"), kind: "day" },
      ].filter(Boolean)}
    />
    <div class="toolbar">
      <p>${t("workload.period", { from: showDay(from), to: showDay(to) })}</p>
      <span class="end"><${Exports} name=${`workload-${from}-${to}`} columns=${columns} rows=${async () => (await everyRow("/v1/workload", asked)()).filter(didSomething)} /></span>
    </div>
    <${Trouble} problem=${problem} />
    ${items.length > 0 && html`<div class="stays"><${Table} caption=${t("workload.title")} columns=${columns} rows=${items} rowKey=${({ day, person }) => `${day} ${person}`} /></div>`}
    ${first && !items.length && html`<${Empty} />`}
    ${!first && loading && html`<p aria-busy="true">${t("console.loading")}</p>`}
    <${More} next=${next} onMore=${more} busy=${busy} />
    ${first?.desk?.length > 0 && html`<h2>${t("workload.desk")}</h2><p class="muted">${t("workload.desk_explain")}</p><div class="stays"><${Table} caption=${t("workload.desk")} columns=${deskColumns()} rows=${first.desk} rowKey=${({ person }) => person} /></div>`}
  `;
}

/** In the order of day and person, which no count changes: none of these columns can be sorted by. */
const columnsOf = () => [
  { key: "day", title: t("workload.day"), text: ({ day }) => day, cell: ({ day }) => html`<span class="whole" title=${showDay(day)}>${shortDay(day)}</span>` },
  who(),
  ...COUNTS.map((name) => ({ key: name, title: t(`workload.${name}`), numeric: true, cell: (row) => showNumber(row[name]) })),
];

/** A day on which only a late step is on record has nothing to show here. */
const didSomething = (row) => COUNTS.some((name) => row[name]);

const who = () => ({ key: "person", title: t("workload.person"), text: ({ person }) => personName(person), cell: ({ person }) => html`<${PersonName} person=${person} />` });

const deskColumns = () => [
  who(),
  { key: "held", title: t("workload.held"), numeric: true },
  { key: "overdue", title: t("workload.overdue"), numeric: true, cell: ({ overdue }) => html`<span class=${overdue ? "late" : ""}>${showNumber(overdue)}</span>` },
];
