/** Who read what, for auditors: the record of reads, which holds this look at it as well. */

import { html, showNumber, t } from "../pages/ui.js";
import { allOf } from "./api.js";
import { nextDay, showMoment, startOf, usePages } from "./office.js";
import { AreaName, Empty, Exports, Filters, More, PersonName, Table, Trouble } from "./parts.js";

const MOST = 5000;
const KINDS = ["session", "api", "tablet", "os"];

/** #/reads?area=&person=&subject=&act=&object=&from=&to= */
export function Reads({ query }) {
  const named = Object.fromEntries(["area", "person", "subject", "act", "object"].map((name) => [name, query.get(name) ?? ""]));
  const asked = { ...named, read_from: startOf(query.get("from")), read_to: query.get("to") ? startOf(nextDay(query.get("to"))) : "" };
  const pages = usePages("/v1/access-log", asked);
  const fields = [
    { name: "area", label: t("reads.area"), kind: "area" },
    { name: "from", label: t("reads.from_day"), kind: "day" },
    { name: "to", label: t("reads.to_day"), kind: "day" },
    { name: "person", label: t("reads.person"), kind: "text" },
    { name: "subject", label: t("reads.subject"), kind: "text" },
    { name: "act", label: t("reads.act"), kind: "text" },
    { name: "object", label: t("reads.object"), kind: "text" },
  ];
  const columns = [
    { key: "at", title: t("reads.at"), cell: ({ at }) => html`<span class="office-whole">${showMoment(at)}</span>` },
    { key: "account", title: t("reads.who"), text: ({ account, person }) => `${account} ${person ?? ""}`, cell: ({ account, person, role, token_kind }) => html`${account}<small><${PersonName} person=${person} /> · ${role} · ${KINDS.includes(token_kind) ? t(`reads.kind.${token_kind}`) : token_kind}</small>` },
    { key: "act", title: t("reads.act"), cell: ({ act }) => html`<span class="mono office-whole">${act}</span>` },
    { key: "ledger", title: t("reads.ledger"), cell: ({ ledger }) => html`${ledger}<small><${AreaName} code=${ledger} /></small>` },
    { key: "object", title: t("reads.object"), cell: ({ object, subject }) => html`<span class="mono">${object ?? "—"}</span>${subject && html`<small>${t("reads.of_subject", { subject })}</small>`}` },
    { key: "rows", title: t("reads.rows"), numeric: true },
    { key: "purpose", title: t("reads.purpose"), cell: ({ purpose }) => purpose ?? "—" },
    { key: "filters", title: t("reads.filters"), text: ({ filters }) => JSON.stringify(filters), cell: ({ filters }) => html`<${Said} filters=${filters} />` },
    { key: "address", title: t("reads.address"), text: ({ address, request_id }) => `${address ?? ""} ${request_id ?? ""}`, cell: ({ address, request_id }) => html`<span title=${request_id}>${address ?? "—"}</span>` },
  ];
  return html`<h1>${t("reads.title")}</h1>
    <p class="muted">${t("reads.explain")}</p>
    <${Filters} fields=${fields} query=${query} path="reads" />
    <div class="toolbar">
      <span>${pages.items.length > 0 && t(pages.next ? "reads.shown_more" : "reads.shown", { count: showNumber(pages.items.length) })}</span>
      <span class="end"><${Exports} name="reads" columns=${columns} rows=${() => (pages.next ? allOf("/v1/access-log", asked, { most: MOST }) : pages.items)} /></span>
    </div>
    <${Trouble} problem=${pages.problem} />
    ${pages.items.length > 0 && html`<${Table} caption=${t("reads.title")} columns=${columns} rows=${pages.items} rowKey=${({ id }) => id} />`}
    ${!pages.loading && !pages.problem && !pages.items.length && html`<${Empty} />`}
    <${More} next=${pages.next} onMore=${pages.more} busy=${pages.loading} />`;
}

/** What narrowed the read: names and values, one after the other. */
const Said = ({ filters }) => {
  const said = Object.entries(filters ?? {});
  return said.length ? html`<span class="mono">${said.map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`).join(" ")}</span>` : "—";
};
