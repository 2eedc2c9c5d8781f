/** How the service is for administrators: in plain words, what it means, and what to do. The same numbers stand in /metrics for machines. */

import { html, showNumber, t } from "../pages/ui.js";
import { useData } from "./api.js";
import { Coming, Facts, Mark, showBytes, showMoment, showSpan, Verbatim } from "./office.js";
import { AreaName, Table, Trouble } from "./parts.js";

const EVERY_MS = 10_000;
const LITTLE_ROOM = 2e9;
const OLD_COSIGNATURE_S = 3600;

export function Health() {
  const { data, problem, reload, loading } = useData("/v1/health", {}, { every: EVERY_MS });
  return html`<h1>${t("health.title")}</h1>
    <div class="toolbar">
      ${data && (data.status === "ready" && !advice(data).length ? html`<${Mark} tone="done">${t("health.ready")}</>` : html`<${Mark} tone="late">${t("health.degraded")}</>`)}
      ${data && html`<span class="muted">${t("health.at", { when: showMoment(data.at) })}</span>`}
      <button type="button" class="outline end" aria-busy=${loading} onClick=${reload}>${t("health.again")}</button>
    </div>
    <${Coming} data=${data} problem=${problem} />
    <${Trouble} problem=${problem} />
    ${data && html`<${Advice} items=${advice(data)} /><${Engine} data=${data} /><${Stores} stores=${data.stores} /><${Admission} said=${data.admission} /><${Publishing} said=${data.publishing} />
      <p class="muted">${t("health.version", { version: data.version, migration: data.migration })}</p>`}`;
}

/** What an administrator should do now: [{key, said, command}], the gravest first. */
function advice({ read_models, stores, admission, publishing, late_after_s }) {
  const found = [];
  for (const { ledger, signed, held } of publishing.history_behind) found.push({ key: "halted", said: { ledger, signed: showNumber(signed), held: showNumber(held) }, command: "gridtrail ledger continue --new-incarnation --reason '…' --approved-by '…'" });
  for (const { store, ok, free_bytes } of stores) {
    if (!ok) found.push({ key: `away_${store}`, said: {} });
    else if (free_bytes !== null && free_bytes < LITTLE_ROOM) found.push({ key: "little_room", said: { store: t(`health.store.${store}`), size: showBytes(free_bytes) } });
  }
  for (const { read_model, parked } of read_models) for (const { ledger, position } of parked) found.push({ key: "parked", said: { read_model, ledger, position: showNumber(position) }, command: `gridtrail engine status\ngridtrail engine resume ${read_model} ${ledger}` });
  const late = read_models.filter(({ behind_seconds }) => behind_seconds > late_after_s);
  if (late.length) found.push({ key: "late", said: { span: showSpan(Math.max(...late.map(({ behind_seconds }) => behind_seconds))) }, command: "gridtrail engine run" });
  if (publishing.witnesses_silent) found.push({ key: "witness_silent", said: { count: showNumber(publishing.witnesses_silent) } });
  else if (publishing.oldest_cosignature_s > OLD_COSIGNATURE_S) found.push({ key: "witness_old", said: { span: showSpan(publishing.oldest_cosignature_s) } });
  if (admission.waiting > 0 && admission.running >= admission.slots * admission.processes) found.push({ key: "full", said: { waiting: showNumber(admission.waiting) } });
  return found;
}

const Advice = ({ items }) =>
  items.length
    ? html`<section aria-live="polite"><h2>${t("health.to_do")}</h2>${items.map(({ key, said, command }, at) => html`<div class="office-note warn" key=${at}><p><strong>${t(`health.advice.${key}`, said)}</strong></p>${command && html`<${Verbatim} label=${t("health.command")} text=${command} />`}</div>`)}</section>`
    : html`<p class="office-note">${t("health.nothing_to_do")}</p>`;

function Engine({ data: { read_models, late_after_s } }) {
  const columns = [
    { key: "read_model", title: t("health.read_model"), cell: ({ read_model }) => html`<span class="mono">${read_model}</span>` },
    { key: "state", title: t("health.state"), cell: ({ parked, behind_seconds, behind_positions }) => (parked.length ? html`<${Mark} tone="late">${t("health.parked")}</>` : behind_seconds > late_after_s ? html`<${Mark} tone="warn">${t("health.behind")}</>` : html`<${Mark} tone="done">${t(behind_positions ? "health.catching_up" : "health.current")}</>`) },
    { key: "behind_positions", title: t("health.positions"), numeric: true, sort: true },
    { key: "behind_seconds", title: t("health.age"), sort: true, cell: ({ behind_seconds }) => (behind_seconds ? showSpan(behind_seconds) : "—") },
    { key: "behind_ledgers", title: t("health.ledgers"), numeric: true, sort: true },
    { key: "parked", title: t("health.parked_at"), cell: ({ parked }) => (parked.length ? parked.map(({ ledger, position }) => html`<div key=${ledger}>${ledger}:${position} <${AreaName} code=${ledger} /></div>`) : "—") },
  ];
  return html`<section><h2>${t("health.engine")}</h2><p class="muted">${t("health.engine_explain")}</p><${Table} caption=${t("health.engine")} columns=${columns} rows=${read_models} rowKey=${({ read_model }) => read_model} /></section>`;
}

const Stores = ({ stores }) => html`<section><h2>${t("health.stores")}</h2><div class="office-cards">
  ${stores.map(({ store, kind, ok, version, bytes, free_bytes }) => html`<article class="office-card" key=${store}>
    <h3>${t(`health.store.${store}`)} ${ok ? html`<${Mark} tone="done">${t("health.answers")}</>` : html`<${Mark} tone="late">${t("health.away")}</>`}</h3>
    <p class="muted">${t(`health.store_explain.${store}`)}</p>
    <${Facts} rows=${[[t("health.kind"), `${kind} ${version ?? ""}`], [t("health.bytes"), bytes === null ? null : showBytes(bytes)], [t("health.free"), free_bytes === null ? null : showBytes(free_bytes)]]} />
  </article>`)}
</div></section>`;

const Admission = ({ said }) => html`<section><h2>${t("health.admission")}</h2>
  <${Facts} rows=${[
    [t("health.running"), t("health.of", { count: showNumber(said.running), most: showNumber(said.slots * said.processes) })],
    [t("health.waiting"), showNumber(said.waiting)],
    [t("health.connections"), t("health.of", { count: showNumber(said.connections), most: showNumber(said.connections_limit) })],
    [t("health.turned_away"), said.turned_away.length ? said.turned_away.map(({ lane, code, count }) => html`<div key=${lane + code}>${showNumber(count)} × <span class="mono">${lane} ${code}</span></div>`) : t("health.nobody_turned_away")],
  ]} />
</section>`;

const Publishing = ({ said }) => html`<section><h2>${t("health.publishing")}</h2>
  <${Facts} rows=${[
    [t("health.logs"), showNumber(said.logs)],
    [t("health.unpublished"), showNumber(said.unpublished)],
    [t("health.witnesses"), said.witnesses ? t("health.witnesses_of", { count: showNumber(said.witnesses - said.witnesses_silent), all: showNumber(said.witnesses) }) : t("health.no_witness")],
    [t("health.cosigned"), said.oldest_cosignature_s === null ? null : t("ledgers.ago", { span: showSpan(said.oldest_cosignature_s) })],
  ]} />
  <p><a href="#/keys">${t("health.to_keys")}</a></p>
</section>`;
