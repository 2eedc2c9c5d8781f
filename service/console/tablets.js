/** Tablets: when each was last heard of, how its clock goes, what it still owes; taken out of use and given back, with a reason. */

import { html, locale, say, showNumber, showTime, t, useEffect, useState } from "../pages/ui.js";
import { hasRole, send, useData } from "./api.js";
import { everyRow, minutes, picked, seconds, sentence, settled, shown, usePages, useWorkers, WorkerChoice, workerFilter } from "./field.js";
import { AreaChoice, AreaName, areaName, Dialog, Empty, Exports, Filters, More, PersonName, personName, Reason, Table, Trouble } from "./parts.js";
import { Qr } from "./qr.js";

const STATES = ["active", "set_aside", "revoked"];
const TONES = { active: "done", set_aside: "warn", revoked: "over" };
const ODD_CLOCK_MS = 5 * 60_000;
const QUIET_MS = 3 * 86_400_000;

export const Tablets = ({ rest, query }) => (rest[0] ? html`<${OneTablet} id=${rest[0]} />` : html`<${All} query=${query} />`);

/** How far somebody can be trusted to give out and take back tablets is the service's to say; these are shown the buttons. */
const manages = () => hasRole("officer", "administrator");

// ---- all

function All({ query }) {
  const asked = picked(query, "area", "status", "person");
  const { first, items, next, more, busy, problem, loading } = usePages("/v1/tablets", asked);
  const workers = useWorkers(query.get("area"));
  const [giving, setGiving] = useState(false);
  const columns = columnsOf();
  return html`
    <h1>${t("tablets.title")}</h1>
    <${Filters}
      path="tablets"
      query=${query}
      fields=${[
        { name: "area", label: t("visits.area"), kind: "area" },
        { name: "status", label: t("tablets.status"), options: STATES.map((each) => [each, t(`tablets.status.${each}`)]) },
        workerFilter("person", workers),
      ].filter(Boolean)}
    />
    <div class="toolbar">
      ${manages() && html`<button type="button" onClick=${() => setGiving(true)}>${t("tablets.give")}</button>`}
      <span class="end"><${Exports} name="tablets" columns=${columns} rows=${everyRow("/v1/tablets", asked)} /></span>
    </div>
    <${Trouble} problem=${problem} />
    ${items.length > 0 && html`<${Table} caption=${t("tablets.title")} columns=${shown(columns)} rows=${items} rowKey=${({ tablet_id }) => tablet_id} />`}
    ${first && !items.length && html`<${Empty} />`}
    ${!first && loading && html`<p aria-busy="true">${t("console.loading")}</p>`}
    <${More} next=${next} onMore=${more} busy=${busy} />
    ${giving && html`<${GiveTablet} around=${query.get("area") ?? ""} onClose=${() => setGiving(false)} />`}
  `;
}

const nameOf = ({ label, tablet_id: id }) => label || id.slice(0, 8);
const Status = ({ status }) => html`<span class=${`status ${TONES[status] ?? ""}`}>${t(`tablets.status.${status}`)}</span>`;

function columnsOf() {
  return [
    { key: "label", title: t("tablets.name"), text: nameOf, cell: (row) => html`<a href=${`#/tablets/${row.tablet_id}`}>${nameOf(row)}</a>` },
    { key: "person", title: t("visits.worker"), text: ({ person }) => personName(person), cell: ({ person }) => html`<${PersonName} person=${person} />` },
    { key: "area", title: t("visits.area"), text: ({ area }) => areaName(area), cell: ({ area }) => html`<${AreaName} code=${area} />` },
    { key: "status", title: t("tablets.status"), text: ({ status }) => t(`tablets.status.${status}`), cell: ({ status }) => html`<${Status} status=${status} />` },
    { key: "last_contact", title: t("tablets.last_contact"), sort: true, text: ({ last_contact }) => last_contact ?? "", cell: contact },
    { key: "skew_ms", title: t("tablets.skew"), text: ({ skew_ms }) => skew_ms ?? "", cell: clock },
    { key: "waiting", title: t("tablets.owes"), text: ({ waiting }) => waiting ?? 0, cell: (row) => html`<span class=${owes(row).length ? "soon" : ""}>${owes(row).join(t("visits.comma")) || t("tablets.owes.nothing")}</span>` },
    { key: "size", title: t("tablets.size"), onlyInFile: true },
    { key: "refused", title: t("tablets.refused"), onlyInFile: true },
    { key: "photos_awaited", title: t("tablets.photos"), onlyInFile: true },
    { key: "values_awaited", title: t("tablets.values"), onlyInFile: true },
  ];
}

/** Since when nothing was heard, in words; the exact time beside it. */
function contact({ last_contact: at, status }) {
  if (!at) return html`<span class="soon">${t("tablets.never")}</span>`;
  const quiet = status === "active" && Date.now() - new Date(at) > QUIET_MS;
  return html`<span class=${quiet ? "soon" : ""}>${ago(at)}</span> <small>${showTime(at)}</small>`;
}

const UNITS = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]];
function ago(at) {
  const ms = Date.now() - new Date(at);
  const [unit, size] = UNITS.find(([, size]) => ms >= size) ?? ["minute", 60_000];
  return new Intl.RelativeTimeFormat(locale(), { numeric: "auto" }).format(-Math.floor(Math.max(ms, 0) / size), unit);
}

function clock({ skew_ms: ms }) {
  if (ms === null) return "—";
  const off = Math.round(Math.abs(ms) / 1000);
  if (off < 2) return t("tablets.clock.right");
  const said = off < 120 ? seconds(off) : minutes(Math.round(off / 60));
  return html`<span class=${Math.abs(ms) > ODD_CLOCK_MS ? "soon" : ""}>${t(ms > 0 ? "tablets.clock.fast" : "tablets.clock.slow", { by: said })}</span>`;
}

const OWED = ["waiting", "photos_awaited", "values_awaited"];
const owes = (row) => OWED.filter((name) => row[name]).map((name) => t(`tablets.owes.${name}`, { count: showNumber(row[name]) }));

// ---- one

function OneTablet({ id }) {
  const { data: tablet, problem, reload } = useData(`/v1/tablets/${encodeURIComponent(id)}`, {}, { every: 60_000 });
  const [doing, setDoing] = useState("");
  if (problem && !tablet) return html`<h1>${t("tablets.one")}</h1><${Trouble} problem=${problem} />`;
  if (!tablet) return html`<h1>${t("tablets.one")}</h1><p aria-busy="true">${t("console.loading")}</p>`;
  const close = async (saved) => {
    setDoing("");
    if (!saved) return;
    say(t("tablets.done"));
    await settled(`/v1/tablets/${id}`, saved);
    reload();
  };
  return html`
    <p class="way no-print"><a href="#/tablets">${t("tablets.title")}</a></p>
    <h1>${t("tablets.one")} ${nameOf(tablet)}</h1>
    <p class=${tablet.status === "active" ? "note" : "note warn"}><${Status} status=${tablet.status} /> ${t(`tablets.means.${tablet.status}`, { last: tablet.last_valid ?? "" })}</p>
    ${tablet.reason && tablet.reason !== "forked" && html`<p>${t("tablets.reason", { reason: tablet.reason })}</p>`}
    <dl class="facts">
      ${facts(tablet).map(([key, value]) => html`<div key=${key}><dt>${t(key)}</dt><dd>${value}</dd></div>`)}
    </dl>
    <h2>${t("tablets.owes")}</h2>
    <p>${t("tablets.sequence", { size: showNumber(tablet.size), claimed: showNumber(tablet.size + (tablet.waiting ?? 0)) })}</p>
    ${owes(tablet).length ? html`<ul>${owes(tablet).map((each) => html`<li key=${each}>${each}</li>`)}</ul>` : html`<p>${t("tablets.owes.all_here")}</p>`}
    <p class="muted"><small>${t("tablets.owes_explain")}</small></p>
    ${tablet.refused > 0 && hasRole("officer", "auditor") && html`<p><a href=${`#/refusals?tablet=${tablet.tablet_id}&state=all`}>${t("tablets.see_refused", { count: showNumber(tablet.refused) })}</a></p>`}
    ${manages() &&
    html`<div class="buttons start">
      ${tablet.status !== "active" && html`<button type="button" onClick=${() => setDoing("reinstate")}>${t("tablets.reinstate")}</button>`}
      ${tablet.status !== "revoked" && html`<button type="button" class="secondary" onClick=${() => setDoing("revoke")}>${t("tablets.revoke")}</button>`}
      <button type="button" class="outline" onClick=${() => setDoing("code")}>${t("tablets.new_code")}</button>
    </div>`}
    ${doing === "revoke" && html`<${Revoke} tablet=${tablet} onClose=${close} />`}
    ${doing === "reinstate" && html`<${Reinstate} tablet=${tablet} onClose=${close} />`}
    ${doing === "code" && html`<${GiveTablet} person=${tablet.person} area=${tablet.area} onClose=${() => setDoing("")} />`}
  `;
}

function facts(tablet) {
  return [
    ["visits.worker", html`<${PersonName} person=${tablet.person} />`],
    ["visits.area", html`<${AreaName} code=${tablet.area} />`],
    ["tablets.last_contact", contact(tablet)],
    ["tablets.skew", clock(tablet)],
    ["tablets.enrolled_at", showTime(tablet.enrolled_at)],
    ["tablets.recorded", showNumber(tablet.recorded)],
    ["tablets.refused", showNumber(tablet.refused)],
    ["tablets.id", html`<span class="mono">${tablet.tablet_id}</span>`],
  ];
}

/** A form in a dialog that sends one thing; the answer is given to onClose. */
function Act({ title, explain, path, body, onClose, children }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  async function act(event) {
    event.preventDefault();
    setBusy(true);
    try {
      onClose((await send("POST", path, body())).body);
    } catch (wrong) {
      setProblem(wrong);
      setBusy(false);
    }
  }
  return html`<${Dialog} title=${title} onClose=${() => onClose(null)}>
    <form onSubmit=${act}>
      <p>${explain}</p>
      ${children}
      ${problem && html`<p role="alert" class="trouble">${sentence(problem)}</p>`}
      <footer>
        <button type="button" class="secondary" onClick=${() => onClose(null)}>${t("common.cancel")}</button>
        <button aria-busy=${busy} disabled=${busy}>${title}</button>
      </footer>
    </form>
  <//>`;
}

function Revoke({ tablet, onClose }) {
  const [said, setSaid] = useState({ trust: "all", last: String(tablet.size - 1), reason: "" });
  const set = (name) => (value) => setSaid({ ...said, [name]: value });
  const last = () => ({ all: tablet.size - 1, some: Number(said.last), none: -1 })[said.trust];
  return html`<${Act} title=${t("tablets.revoke")} explain=${t("tablets.revoke_explain")} path=${`/v1/tablets/${tablet.tablet_id}/revoke`} body=${() => ({ last_valid: last(), reason: said.reason })} onClose=${onClose}>
    <fieldset>
      <legend>${t("tablets.trust")}</legend>
      ${["all", "some", "none"].map(
        (each) => html`<label key=${each}><input type="radio" name="trust" checked=${said.trust === each} onChange=${() => set("trust")(each)} /> ${t(`tablets.trust.${each}`, { count: showNumber(tablet.size) })}</label>`,
      )}
    </fieldset>
    ${said.trust === "some" && html`<label>${t("tablets.last_valid")} <input type="number" min="0" max=${Math.max(tablet.size - 1, 0)} required value=${said.last} onInput=${(event) => set("last")(event.target.value)} /></label>`}
    <${Reason} value=${said.reason} onInput=${set("reason")} />
  <//>`;
}

function Reinstate({ tablet, onClose }) {
  const [reason, setReason] = useState("");
  return html`<${Act} title=${t("tablets.reinstate")} explain=${t("tablets.reinstate_explain", { size: showNumber(tablet.size) })} path=${`/v1/tablets/${tablet.tablet_id}/reinstate`} body=${() => ({ reason })} onClose=${onClose}>
    <${Reason} value=${reason} onInput=${setReason} />
  <//>`;
}

// ---- a code for a new tablet

/** around: the area among whose workers to choose first; or person and area where it is known for whom. */
function GiveTablet({ around = "", person: known, area, onClose }) {
  const [person, setPerson] = useState(known ?? "");
  const [within, setWithin] = useState(around);
  const workers = useWorkers(within);
  const [code, setCode] = useState(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  async function make(event) {
    event?.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      setCode((await send("POST", "/v1/enrolment-codes", { person, ...(area && { area }) })).body);
    } catch (wrong) {
      setProblem(wrong);
    }
    setBusy(false);
  }
  useEffect(() => void (known && make()), []);
  return html`<${Dialog} title=${t("tablets.give")} onClose=${onClose}>
    ${!code &&
    html`<form onSubmit=${make}>
      <p>${t("tablets.give_explain")}</p>
      ${!known && html`<label>${t("visits.area")} <${AreaChoice} value=${within} onChange=${(chosen) => (setWithin(chosen), setPerson(""))} /></label>`}
      ${!known && (workers ? html`<${WorkerChoice} workers=${workers} value=${person} onChange=${setPerson} label=${t("visits.worker")} />` : html`<p class="muted">${t("tablets.area_first")}</p>`)}
      <${Trouble} problem=${problem} />
      <footer><button aria-busy=${busy} disabled=${busy || !person}>${t("tablets.make_code")}</button></footer>
    </form>`}
    ${code && html`<${CodeShown} code=${code} />`}
  <//>`;
}

/** A code as it is shown the one time that it is known: to be scanned, or typed. */
function CodeShown({ code }) {
  return html`<div class="code-shown">
    <${Qr} rows=${code.qr} label=${t("tablets.qr", { code: code.code })} />
    <div>
      <p>${t("tablets.scan_it")}</p>
      <p class="mono large">${code.code}</p>
      <p class="mono">${code.url}</p>
      <p>${t("tablets.code_until", { until: showTime(code.expires_at) })}</p>
      <p class="muted">${t("tablets.code_once")}</p>
    </div>
  </div>`;
}
