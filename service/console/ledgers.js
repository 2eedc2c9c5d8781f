/** The ledgers for auditors: how each stands, what was signed and cosigned, who verified it, and how to verify it on another machine. */

import { Field, html, say, showNumber, t, useState } from "../pages/ui.js";
import { fetchFile, send, useData } from "./api.js";
import { Coming, Copy, Deciding, Facts, Hash, Mark, showMoment, showSpan, useAction, Verbatim } from "./office.js";
import { AreaName, Dialog, Empty, PersonName, save, Table, Trouble } from "./parts.js";

/** #/ledgers, and #/ledgers/<code> for one. */
export const Ledgers = ({ rest }) => (rest[0] ? html`<${One} code=${rest[0]} />` : html`<${All} />`);

const Going = ({ ledger }) => (ledger.halted ? html`<${Mark} tone="late">${t("ledgers.halted")}</>` : html`<${Mark} tone="done">${t("ledgers.going")}</>`);

function Published({ ledger }) {
  if (ledger.published_size === null) return t("ledgers.not_published");
  const waiting = ledger.size - ledger.published_size;
  return html`${showMoment(ledger.published_at)}<small>${waiting ? t("ledgers.unpublished", { count: showNumber(waiting) }) : t("ledgers.all_published")}</small>`;
}

function Verified({ word }) {
  if (!word) return html`<${Mark} tone="still">${t("ledgers.never_verified")}</>`;
  return html`<${Outcome} word=${word} /><small>${t("ledgers.verified_line", { size: showNumber(word.size), when: showMoment(word.at), who: word.account })}</small>`;
}

const Outcome = ({ word }) =>
  !word.holds
    ? html`<${Mark} tone="late">${t("ledgers.has_faults", { count: showNumber(word.faults) })}</>`
    : word.same_root
      ? html`<${Mark} tone="done">${t("ledgers.holds")}</>`
      : html`<${Mark} tone="late">${t("ledgers.another_root")}</>`;

// ---- all of them

function All() {
  const { data, problem } = useData("/v1/ledgers");
  const signing = useData("/v1/signing");
  const columns = [
    { key: "ledger", title: t("ledgers.ledger"), sort: true, cell: ({ ledger }) => html`<a href=${`#/ledgers/${ledger}`}>${ledger}</a><small><${AreaName} code=${ledger} /></small>` },
    { key: "size", title: t("ledgers.size"), numeric: true, sort: true },
    { key: "recorded_at", title: t("ledgers.last_at"), sort: true, cell: ({ recorded_at }) => showMoment(recorded_at) },
    { key: "published_at", title: t("ledgers.published"), cell: (row) => html`<${Published} ledger=${row} />` },
    { key: "halted", title: t("ledgers.state"), sort: true, cell: (row) => html`<${Going} ledger=${row} />` },
    { key: "verified", title: t("ledgers.verified"), sort: ({ verified }) => verified?.at, cell: ({ verified }) => html`<${Verified} word=${verified} />` },
    { key: "root", title: t("ledgers.root"), cell: ({ root }) => html`<${Hash} value=${root} />` },
  ];
  const halted = data?.items.filter(({ halted }) => halted) ?? [];
  return html`<h1>${t("ledgers.title")}</h1>
    <p class="muted">${t("ledgers.explain")}</p>
    <${Coming} data=${data} problem=${problem} />
    <${Trouble} problem=${problem} />
    ${halted.length > 0 && html`<p role="alert" class="trouble">${t("ledgers.halted_why", { ledgers: halted.map(({ ledger }) => ledger).join(", ") })}</p>`}
    ${data && (data.items.length ? html`<${Table} caption=${t("ledgers.title")} columns=${columns} rows=${data.items} rowKey=${({ ledger }) => ledger} />` : html`<${Empty} />`)}
    <${Trouble} problem=${signing.problem} />
    ${signing.data && html`<${RootLog} signing=${signing.data} /><${Outside} signing=${signing.data} />`}`;
}

/** The root log, and who else vouches for it. Read by the administrator's page of keys as well. */
export function RootLog({ signing: { root_log: root, witnesses, timestamping, timestamp } }) {
  const columns = [
    { key: "name", title: t("ledgers.witness") },
    { key: "size", title: t("ledgers.cosigned_size"), numeric: true },
    { key: "cosigned_at", title: t("ledgers.cosigned_at"), cell: ({ cosigned_at, age_s }) => (cosigned_at ? html`${showMoment(cosigned_at)}<small>${t("ledgers.ago", { span: showSpan(age_s) })}</small>` : "—") },
    { key: "in_note", title: t("ledgers.state"), cell: ({ in_note, cosigned_at }) => (in_note ? html`<${Mark} tone="done">${t("ledgers.witness_current")}</>` : cosigned_at ? html`<${Mark} tone="warn">${t("ledgers.witness_behind")}</>` : html`<${Mark} tone="warn">${t("ledgers.witness_silent")}</>`) },
    { key: "key", title: t("ledgers.witness_key"), cell: ({ key }) => html`<${Copy} text=${key} label=${t("ledgers.copy_key")} />` },
  ];
  return html`<section>
    <h2>${t("ledgers.root_log")}</h2>
    <p class="muted">${t("ledgers.root_log_explain")}</p>
    ${root
      ? html`<${Facts} rows=${[
          [t("ledgers.size"), showNumber(root.size)],
          [t("ledgers.published"), html`<${Published} ledger=${root} />`],
          [t("ledgers.timestamp"), !timestamping ? t("ledgers.no_timestamping") : timestamp ? t("ledgers.stamped", { size: showNumber(timestamp.size), when: showMoment(timestamp.stamped_at) }) : t("ledgers.not_stamped")],
        ]} />`
      : html`<p>${t("ledgers.no_root_log")}</p>`}
    ${witnesses.length ? html`<${Table} caption=${t("ledgers.witnesses")} columns=${columns} rows=${witnesses} rowKey=${({ key }) => key} />` : html`<p class="office-note warn">${t("ledgers.no_witness")}</p>`}
  </section>`;
}

/** How to verify on a machine that is not the service's, with addresses and keys that can be copied as they are. */
function Outside({ signing, ledger }) {
  const [making, setMaking] = useState(false);
  const url = location.origin;
  const witnesses = signing.witnesses.map(({ key }) => ` \\\n    --witness '${key}'`).join("");
  const only = ledger ? ` --log ${ledger} --log root` : "";
  const ours = `export GRIDTRAIL_AUDIT_TOKEN='…'\ngridtrail audit fetch ${url} copy${only} --key '${signing.key}'\ngridtrail audit verify copy --key '${signing.key}'${witnesses}`;
  const others = `curl -H "Authorization: Bearer $GRIDTRAIL_AUDIT_TOKEN" ${url}/log/${ledger ?? "root"}/checkpoint\ncurl -H "Authorization: Bearer $GRIDTRAIL_AUDIT_TOKEN" ${url}/log/${ledger ?? "root"}/vkey`;
  return html`<section>
    <h2>${t("ledgers.outside")}</h2>
    <p>${t("ledgers.outside_explain")}</p>
    <p class="office-note warn">${t("ledgers.key_another_way")}</p>
    <p><button type="button" class="outline" onClick=${() => setMaking(true)}>${t("ledgers.make_token")}</button></p>
    <${Verbatim} label=${t("ledgers.with_gridtrail")} text=${ours} />
    <${Verbatim} label=${t("ledgers.with_others")} text=${others} />
    ${making && html`<${NewToken} onClose=${() => setMaking(false)} />`}
  </section>`;
}

function NewToken({ onClose }) {
  const [name, setName] = useState(t("ledgers.token_name"));
  const [days, setDays] = useState(7);
  const [made, setMade] = useState(null);
  const { busy, problem, run } = useAction();
  const make = (event) => {
    event.preventDefault();
    run(async () => setMade((await send("POST", "/v1/tokens", { name, days: Number(days) })).body));
  };
  return html`<${Dialog} title=${t("ledgers.make_token")} onClose=${onClose}>
    ${made
      ? html`<p>${t("ledgers.token_once", { when: showMoment(made.expires_at) })}</p><${Verbatim} label=${t("ledgers.token")} text=${made.token} />`
      : html`<form onSubmit=${make}>
          <p>${t("ledgers.token_explain")}</p>
          <${Field} label=${t("ledgers.token_called")} value=${name} onInput=${setName} required maxlength="80" />
          <${Field} label=${t("ledgers.token_days")} value=${days} onInput=${setDays} required type="number" min="1" max="366" />
          <${Deciding} busy=${busy} problem=${problem} go=${t("ledgers.make_token")} onClose=${onClose} />
        </form>`}
  </>`;
}

// ---- one of them

function One({ code }) {
  const { data, problem, reload } = useData(`/v1/ledgers/${code}`);
  const signing = useData("/v1/signing");
  const [stating, setStating] = useState(false);
  if (!data) return html`<h1>${t("ledgers.one", { ledger: code })}</h1><${Coming} data=${data} problem=${problem} /><${Trouble} problem=${problem} />`;
  const point = data.checkpoint;
  return html`<h1>${t("ledgers.one", { ledger: code })}</h1>
    <div class="toolbar">
      <span><${AreaName} code=${code} /></span>
      <a href=${`#/history/${code}`}>${t("ledgers.to_history")}</a>
      ${code.length === 9 && html`<a href=${`#/past?area=${code}`}>${t("ledgers.to_past")}</a>`}
      <a href="#/ledgers">${t("ledgers.to_all")}</a>
    </div>
    ${data.halted && html`<p role="alert" class="trouble">${t("ledgers.halted_one", { signed: showNumber(data.signed_size), held: showNumber(data.size) })}</p>`}
    <${Facts} rows=${[
      [t("ledgers.state"), html`<${Going} ledger=${data} />`],
      [t("ledgers.size"), showNumber(data.size)],
      [t("ledgers.root"), html`<span class="mono">${data.root}</span>`],
      [t("ledgers.begun_at"), showMoment(data.begun_at)],
      [t("ledgers.last_at"), showMoment(data.recorded_at)],
      [t("ledgers.published"), html`<${Published} ledger=${data} />`],
      [t("ledgers.rooted"), point ? (point.rooted === null ? t("ledgers.not_rooted") : t("ledgers.rooted_at", { size: showNumber(point.rooted) })) : null],
      [t("ledgers.cosigned_by"), data.cosigned_by.length ? data.cosigned_by.join(", ") : t("ledgers.nobody_cosigned")],
      [t("ledgers.verified"), html`<${Verified} word=${data.verified} />`],
    ]} />
    ${point && html`<${Verbatim} label=${t("ledgers.checkpoint")} text=${point.note} name=${`${code}.checkpoint`} />`}
    ${point && html`<${Verbatim} label=${t("ledgers.vkey")} text=${point.vkey} />`}
    ${point && html`<${Grew} code=${code} size=${point.size} />`}
    <${Words} words=${data.verifications} />
    <p><button type="button" onClick=${() => setStating(true)}>${t("ledgers.state_verification")}</button></p>
    ${data.incarnations.length > 1 && html`<${Incarnations} rows=${data.incarnations} />`}
    ${signing.data && html`<${Outside} signing=${signing.data} ledger=${code} />`}
    ${stating && html`<${State} code=${code} onClose=${() => setStating(false)} onStated=${() => (setStating(false), reload())} />`}`;
}

function Words({ words }) {
  const columns = [
    { key: "at", title: t("ledgers.when"), cell: ({ at }) => showMoment(at) },
    { key: "account", title: t("ledgers.who"), cell: ({ account, person }) => html`${account}<small><${PersonName} person=${person} /></small>` },
    { key: "size", title: t("ledgers.size"), numeric: true },
    { key: "holds", title: t("ledgers.outcome"), cell: (word) => html`<${Outcome} word=${word} />` },
    { key: "how", title: t("ledgers.how") },
    { key: "root", title: t("ledgers.root"), cell: ({ root }) => html`<${Hash} value=${root} />` },
  ];
  return html`<section>
    <h2>${t("ledgers.verifications")}</h2>
    <p class="muted">${t("ledgers.verifications_explain")}</p>
    ${words.length ? html`<${Table} caption=${t("ledgers.verifications")} columns=${columns} rows=${words} rowKey=${({ at, account }) => at + account} />` : html`<${Empty}>${t("ledgers.never_verified")}</>`}
  </section>`;
}

function Incarnations({ rows }) {
  const columns = [
    { key: "origin", title: t("ledgers.origin"), cell: ({ origin, present }) => html`<span class="mono">${origin}</span>${present && html`<small>${t("ledgers.present")}</small>`}` },
    { key: "size", title: t("ledgers.published_size"), numeric: true },
    { key: "signed_at", title: t("ledgers.published"), cell: ({ signed_at }) => showMoment(signed_at) },
    { key: "root", title: t("ledgers.root"), cell: ({ root }) => html`<${Hash} value=${root} />` },
  ];
  return html`<section><h2>${t("ledgers.incarnations")}</h2><p class="muted">${t("ledgers.incarnations_explain")}</p>
    <${Table} caption=${t("ledgers.incarnations")} columns=${columns} rows=${rows} rowKey=${({ incarnation }) => incarnation} /></section>`;
}

/** The proof that nothing was changed or removed since a size that the auditor saw. */
function Grew({ code, size }) {
  const [from, setFrom] = useState("");
  const { busy, problem, run } = useAction();
  const fetchIt = (event) => {
    event.preventDefault();
    run(async () => save(await fetchFile(`/v1/ledgers/${code}/consistency`, { from }), `${code}-${from}-${size}.consistency`));
  };
  return html`<form class="filters" onSubmit=${fetchIt}>
    <label>${t("ledgers.since_size")} <input type="number" required min="1" max=${size} value=${from} onInput=${({ target }) => setFrom(target.value)} /></label>
    <button class="outline" aria-busy=${busy} disabled=${busy}>${t("ledgers.consistency")}</button>
    <${Trouble} problem=${problem} />
  </form>`;
}

/** Size and root that a checkpoint names: its second and third line. */
function readCheckpoint(text) {
  const [, size, root] = text.trim().split("\n").map((line) => line.trim());
  return /^[1-9]\d{0,15}$/.test(size ?? "") && /^[A-Za-z0-9+/]{43}=$/.test(root ?? "") ? { size: Number(size), root } : null;
}

function State({ code, onClose, onStated }) {
  const [note, setNote] = useState("");
  const [holds, setHolds] = useState(true);
  const [faults, setFaults] = useState(1);
  const [how, setHow] = useState("gridtrail audit verify");
  const { busy, problem, run } = useAction();
  const found = readCheckpoint(note);
  const stateIt = async (event) => {
    event.preventDefault();
    const done = await run(async () => {
      if (!found) throw Object.assign(new Error(t("ledgers.no_checkpoint")), { detail: t("ledgers.no_checkpoint") });
      const { body } = await send("POST", `/v1/ledgers/${code}/verifications`, { ...found, holds, faults: holds ? 0 : Number(faults), how });
      say(t(body.same_root ? "ledgers.stated" : "ledgers.stated_another"));
    });
    if (done) onStated();
  };
  return html`<${Dialog} title=${t("ledgers.state_verification")} onClose=${onClose}>
    <form onSubmit=${stateIt}>
      <p>${t("ledgers.state_explain")}</p>
      <${Field} label=${t("ledgers.your_checkpoint", { path: `copy/${code}/checkpoint` })} value=${note} onInput=${setNote} long rows="6" required spellcheck=${false} />
      ${found && html`<p class="muted">${t("ledgers.found_checkpoint", { size: showNumber(found.size), root: found.root.slice(0, 12) })}</p>`}
      <fieldset>
        <legend>${t("ledgers.outcome")}</legend>
        <label><input type="radio" name="holds" checked=${holds} onChange=${() => setHolds(true)} /> ${t("ledgers.all_holds")}</label>
        <label><input type="radio" name="holds" checked=${!holds} onChange=${() => setHolds(false)} /> ${t("ledgers.faults_found")}</label>
      </fieldset>
      ${!holds && html`<${Field} label=${t("ledgers.faults")} value=${faults} onInput=${setFaults} type="number" min="1" required />`}
      <${Field} label=${t("ledgers.how")} value=${how} onInput=${setHow} required maxlength="200" />
      <${Deciding} busy=${busy} problem=${problem} go=${t("ledgers.state_it")} onClose=${onClose} />
    </form>
  </>`;
}
