/** Visits: which households are due, the longest overdue first, and the log of those that were made. Read by officers and workers. */

import { html, named, showDay, showNumber, showTime, t } from "../pages/ui.js";
import { AreaName, areaName, Empty, Exports, Filters, More, PersonName, personName, Table, Trouble } from "./parts.js";
import { dayPlus, days, daysBetween, everyRow, picked, shown, today, usePages, useWorkers, workerFilter } from "./field.js";

const OUTCOMES = ["met", "no_one_home", "refused"];
const AHEAD = { week: 7, month: 30, quarter: 90 };

export const Visits = ({ rest, query }) => (rest[0] === "log" ? html`<${Log} query=${query} />` : html`<${Due} query=${query} />`);

/** The two pages, one beside the other. */
function Tabs({ at }) {
  const pages = { due: "#/visits", log: "#/visits/log" };
  return html`<nav class="tabs" aria-label=${t("visits.title")}>
    ${Object.entries(pages).map(([name, address]) => html`<a href=${address} aria-current=${name === at ? "page" : undefined}>${t(`visits.tab.${name}`)}</a>`)}
  </nav>`;
}

// ---- due

function Due({ query }) {
  const ahead = AHEAD[query.get("ahead")];
  const asked = { ...picked(query, "area", "worker", "tier", "care_group"), due_by: ahead ? dayPlus(today(), ahead) : "" };
  const { first, items, next, more, busy, problem, loading } = usePages("/v1/visits/due", asked);
  const workers = useWorkers(query.get("area"));
  const groups = new Map((first?.care_groups ?? []).map((group) => [group.care_group, group]));
  const columns = dueColumns(first?.today ?? today(), groups);
  const tiers = [...new Set([...groups.values()].map(({ tier }) => tier))];
  return html`
    <h1>${t("visits.due")}</h1>
    <${Tabs} at="due" />
    <${Filters}
      path="visits"
      query=${query}
      fields=${[
        { name: "area", label: t("visits.area"), kind: "area" },
        workerFilter("worker", workers),
        { name: "tier", label: t("visits.tier"), options: tiers.map((tier) => [tier, tierName(tier)]) },
        { name: "care_group", label: t("visits.care_group"), options: [...groups.values()].map((group) => [group.care_group, groupName(group)]) },
        { name: "ahead", label: t("visits.ahead"), first: t("visits.until_today"), options: Object.keys(AHEAD).map((each) => [each, t(`visits.next.${each}`)]) },
      ].filter(Boolean)}
    />
    <div class="toolbar">
      ${first?.counts && html`<p role="status" class="counts"><${Counts} counts=${first.counts} /></p>`}
      <span class="end"><${Exports} name=${`visits-due-${first?.today ?? ""}`} columns=${columns} rows=${everyRow("/v1/visits/due", asked)} /></span>
    </div>
    <${Trouble} problem=${problem} />
    ${items.length > 0 && html`<${Table} caption=${t("visits.due")} columns=${shown(columns)} rows=${items} rowKey=${({ ledger, household }) => `${ledger}/${household}`} />`}
    ${first && !items.length && html`<${Empty}>${t(narrowed(query, "area", "worker", "tier", "care_group") ? "visits.none_here" : "visits.none_due")}<//>`}
    ${!first && loading && html`<p aria-busy="true">${t("console.loading")}</p>`}
    <${More} next=${next} onMore=${more} busy=${busy} />
    ${groups.size > 0 && html`<p class="muted"><small>${t("visits.rhythm", { groups: [...groups.values()].map((group) => t("visits.every", { group: groupName(group), days: days(group.days) })).join(t("visits.comma")) })}</small></p>`}
  `;
}

const narrowed = (query, ...names) => names.some((name) => query.get(name));

const Counts = ({ counts }) =>
  html`<span class=${counts.overdue ? "late" : ""}>${t("visits.count.overdue", { count: showNumber(counts.overdue) })}</span> · ${t("visits.count.today", { count: showNumber(counts.today) })}${counts.later ? html` · ${t("visits.count.later", { count: showNumber(counts.later) })}` : ""}`;

/** The care group's name in the reader's language: the book's own, or the shipped one's English. */
function groupName({ care_group: code, zh, name }) {
  const ours = t(`care.${code}`);
  return ours.startsWith("care.") ? named({ zh, name }, code) : ours;
}
const tierName = (tier) => (t(`visits.tier.${tier}`).startsWith("visits.") ? tier.replaceAll("_", " ") : t(`visits.tier.${tier}`));

/** When it is due, in words: the day alone says little at a glance. */
function whenDue(day, now) {
  const late = daysBetween(day, now);
  return late > 0 ? t("visits.overdue_by", { days: days(late) }) : late === 0 ? t("visits.due_today") : t("visits.due_in", { days: days(-late) });
}

function dueColumns(now, groups) {
  const groupOf = ({ care_group: code }) => (code ? groupName(groups.get(code) ?? { care_group: code }) : "");
  const tierOf = ({ care_group: code }) => (groups.get(code) ? tierName(groups.get(code).tier) : "");
  return [
    { key: "next_due", title: t("visits.due_on"), text: ({ next_due }) => next_due, cell: ({ next_due: day }) => html`<span class="whole">${showDay(day)}</span> <small class=${day < now ? "late" : day === now ? "soon" : ""}>${whenDue(day, now)}</small>` },
    { key: "household", title: t("visits.household"), text: ({ household }) => household, cell: ({ household }) => html`<a class="whole" href=${`#/visits/log?household=${encodeURIComponent(household)}`}>${household}</a>` },
    { key: "care_group", title: t("visits.care_group"), text: groupOf, cell: (row) => html`${groupOf(row) || "—"}${tierOf(row) && html`<small>${tierOf(row)}</small>`}` },
    { key: "tier", title: t("visits.tier"), text: tierOf, onlyInFile: true },
    { key: "area", title: t("visits.area"), text: ({ area }) => areaName(area), cell: ({ area }) => html`<${AreaName} code=${area} />` },
    { key: "visited_on", title: t("visits.last"), text: ({ visited_on }) => visited_on, cell: ({ visited_on: day, outcome, channel }) => html`<span class="whole">${showDay(day)}</span> <small>${t(`visit.${outcome}`)}${outcome === "met" ? ` · ${t(`visit.${channel}`)}` : ""}</small>` },
    { key: "outcome", title: t("visits.outcome"), text: ({ outcome }) => t(`visit.${outcome}`), onlyInFile: true },
    { key: "met_on", title: t("visits.met_on"), text: ({ met_on }) => met_on ?? "", cell: ({ met_on: day }) => (day ? html`<span class="whole">${showDay(day)}</span>` : t("visits.never_met")) },
    { key: "person", title: t("visits.by"), text: ({ person }) => personName(person), cell: ({ person }) => html`<${PersonName} person=${person} />` },
  ];
}

// ---- the log

function Log({ query }) {
  const asked = picked(query, "area", "person", "care_group", "outcome", "household", "from_day", "to_day");
  const { first, items, next, more, busy, problem, loading } = usePages("/v1/visits", asked);
  const workers = useWorkers(query.get("area"));
  const columns = logColumns();
  return html`
    <h1>${t("visits.log")}</h1>
    <${Tabs} at="log" />
    <${Filters}
      path="visits/log"
      query=${query}
      fields=${[
        { name: "area", label: t("visits.area"), kind: "area" },
        workerFilter("person", workers),
        { name: "outcome", label: t("visits.outcome"), options: OUTCOMES.map((each) => [each, t(`visit.${each}`)]) },
        { name: "household", label: t("visits.household"), kind: "text" },
        { name: "from_day", label: t("visits.from"), kind: "day" },
        { name: "to_day", label: t("visits.to"), kind: "day" },
      ].filter(Boolean)}
    />
    <div class="toolbar"><span class="end"><${Exports} name="visits" columns=${columns} rows=${everyRow("/v1/visits", asked)} /></span></div>
    <${Trouble} problem=${problem} />
    ${items.length > 0 && html`<${Table} caption=${t("visits.log")} columns=${shown(columns)} rows=${items} rowKey=${({ visit_id }) => visit_id} />`}
    ${first && !items.length && html`<${Empty} />`}
    ${!first && loading && html`<p aria-busy="true">${t("console.loading")}</p>`}
    <${More} next=${next} onMore=${more} busy=${busy} />
  `;
}

function logColumns() {
  return [
    { key: "happened_at", title: t("visits.when"), text: ({ happened_at }) => happened_at, cell: ({ happened_at }) => showTime(happened_at) },
    { key: "household", title: t("visits.household"), text: ({ household }) => household, cell: ({ household }) => html`<a class="whole" href=${`#/visits/log?household=${encodeURIComponent(household)}`}>${household}</a>` },
    { key: "area", title: t("visits.area"), text: ({ area }) => areaName(area), cell: ({ area }) => html`<${AreaName} code=${area} />` },
    { key: "outcome", title: t("visits.outcome"), text: ({ outcome }) => t(`visit.${outcome}`), cell: ({ outcome }) => t(`visit.${outcome}`) },
    { key: "channel", title: t("visits.channel"), text: ({ channel }) => t(`visit.${channel}`), cell: ({ channel }) => t(`visit.${channel}`) },
    { key: "care_group", title: t("visits.care_group"), text: ({ care_group: code }) => (code ? groupName({ care_group: code }) : ""), cell: ({ care_group: code }) => (code ? groupName({ care_group: code }) : "—") },
    { key: "next_due", title: t("visits.next_due"), text: ({ next_due }) => next_due ?? "", cell: ({ next_due: day }) => (day ? showDay(day) : "—") },
    { key: "person", title: t("visits.by"), text: ({ person }) => personName(person), cell: ({ person }) => html`<${PersonName} person=${person} />` },
  ];
}
