/** People for administrators: who is assigned where on a day, one person with every assignment, and their account. Ids stand in the record; names do not. */

import { Field, go, html, say, showDay, t, today, useEffect, useRef, useState } from "../pages/ui.js";
import { get, send, useData } from "./api.js";
import { Coming, Deciding, Facts, Mark, showMoment, useAction, usePages, useStill } from "./office.js";
import { AreaChoice, AreaName, Dialog, Empty, Exports, Filters, More, Select, Table, Trouble, UnitName } from "./parts.js";

const ROLES = ["worker", "officer", "auditor", "administrator"];
const TOGETHER = 50;
const DEPARTMENT = "[a-z0-9_]{1,64}";

/** #/people?area=&role=&day=, #/people/<id>, #/people/new?unit=. */
export function People({ rest: [part], query }) {
  if (part === "new") return html`<${New} query=${query} />`;
  return part ? html`<${One} key=${part} person=${part} />` : html`<${All} query=${query} />`;
}

/** How people are called: {id: {label, login}} of those whose accounts an administrator may see. */
export function useNames(persons) {
  const [names, setNames] = useState({});
  const missing = [...new Set(persons)].filter((each) => !(each in names));
  useEffect(() => {
    if (!missing.length) return;
    const some = missing.slice(0, TOGETHER);
    const blank = Object.fromEntries(some.map((each) => [each, null]));
    get("/v1/accounts", { persons: some.join(","), limit: TOGETHER }).then(
      ({ items }) => setNames((known) => ({ ...known, ...blank, ...Object.fromEntries(items.map((each) => [each.person, each])) })),
      () => setNames((known) => ({ ...known, ...blank })),
    );
  }, [missing.join()]);
  return names;
}

const Named = ({ person, names }) => html`<a href=${`#/people/${person}`}>${names[person]?.label ?? t("people.without_account")}</a><small class="mono">${names[person]?.login ?? person.slice(0, 8)}</small>`;

// ---- all of them

function All({ query }) {
  const day = query.get("day") || today();
  const asked = { area: query.get("area") ?? "", role: query.get("role") ?? "", day };
  const pages = usePages("/v1/people", asked);
  const names = useNames(pages.items.map(({ person }) => person));
  const fields = [
    { name: "area", label: t("past.area"), kind: "area" },
    { name: "role", label: t("people.role"), options: ROLES.map((role) => [role, t(`console.role.${role}`)]) },
    { name: "day", label: t("people.day"), kind: "day" },
  ];
  const columns = [
    { key: "person", title: t("people.person"), text: ({ person }) => names[person]?.label ?? person, cell: ({ person }) => html`<${Named} person=${person} names=${names} />` },
    { key: "role", title: t("people.role"), sort: true, text: ({ role }) => t(`console.role.${role}`), cell: ({ role }) => t(`console.role.${role}`) },
    { key: "unit", title: t("people.unit"), sort: true, cell: ({ unit }) => html`<${UnitName} unit=${unit} /><small class="mono">${unit}</small>` },
    { key: "from_day", title: t("people.from"), sort: true, cell: ({ from_day }) => showDay(from_day) },
    { key: "to_day", title: t("people.to"), sort: true, cell: ({ to_day }) => (to_day ? showDay(to_day) : t("people.open_end")) },
  ];
  return html`<h1>${t("people.title")}</h1>
    <div class="toolbar">
      <a role="button" href="#/people/new">${t("people.new")}</a>
      <span class="end"><${Exports} name=${`people-${day}`} columns=${columns} rows=${pages.items} /></span>
    </div>
    <${PersonSearch} label=${t("people.search")} onChoose=${(person) => go(`/people/${person}`)} />
    <h2>${t("people.assigned_on", { day: showDay(day) })}</h2>
    <${Filters} fields=${fields} query=${query} path="people" />
    <${Trouble} problem=${pages.problem} />
    ${pages.items.length > 0 && html`<${Table} caption=${t("people.title")} columns=${columns} rows=${pages.items} rowKey=${({ person, assignment }) => person + assignment} />`}
    ${!pages.loading && !pages.problem && !pages.items.length && html`<${Empty}>${t("people.nobody")}</>`}
    <${More} next=${pages.next} onMore=${pages.more} busy=${pages.loading} />`;
}

/** Finds a person by a part of the name or the login. */
export function PersonSearch({ label, onChoose }) {
  const [said, setSaid] = useState("");
  const still = useStill(said.trim(), 300);
  const { data, problem, loading } = useData(still ? "/v1/accounts" : null, { text: still, limit: 20 });
  return html`<form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
    <label>${label} <input type="search" value=${said} maxlength="64" onInput=${({ target }) => setSaid(target.value)} /></label>
    <div role="status">${still && data && !loading && !data.items.length ? t("people.none_found") : ""}</div>
    <${Trouble} problem=${problem} />
    ${still && data?.items.length > 0 && html`<ul class="office-found">
      ${data.items.map(({ person, label: name, login, disabled_at }) => html`<li key=${person}><button type="button" class="outline" onClick=${() => onChoose(person)}>${name} <span class="muted">${login}</span>${disabled_at && html` <span class="muted">${t("people.closed")}</span>`}</button></li>`)}
    </ul>`}
  </form>`;
}

// ---- one of them

function One({ person }) {
  const [place, setPlace] = useState("");
  const { data, problem, reload } = useData(`/v1/people/${person}`, { min_position: place });
  const account = useData("/v1/accounts", { persons: person });
  const tablets = useData("/v1/tablets", { person });
  const [open, setOpen] = useState(null);
  const recorded = ({ ledger, position }) => {
    setOpen(null);
    setPlace(`${ledger}:${position}`);
    reload();
    say(t("people.recorded"));
  };
  const close = () => setOpen(null);
  const known = account.data?.items[0];
  if (!data) return html`<h1>${t("people.one")}</h1><${Coming} data=${data} problem=${problem} /><${Trouble} problem=${problem} />`;
  const columns = [
    { key: "role", title: t("people.role"), cell: ({ role }) => t(`console.role.${role}`) },
    { key: "unit", title: t("people.unit"), cell: ({ unit }) => html`<${UnitName} unit=${unit} /><small class="mono">${unit}</small>` },
    { key: "from_day", title: t("people.from"), cell: ({ from_day }) => showDay(from_day) },
    { key: "to_day", title: t("people.to"), cell: ({ to_day }) => (to_day ? showDay(to_day) : t("people.open_end")) },
    { key: "state", title: t("people.state"), cell: (each) => html`<${Held} each=${each} />` },
    { key: "end", title: t("people.end"), cell: (each) => !isOver(each) && html`<button type="button" class="outline" onClick=${() => setOpen({ ending: each })}>${t("people.end")}</button>` },
  ];
  return html`<h1>${known?.label ?? t("people.one")}</h1>
    <${Facts} rows=${[
      [t("people.id"), html`<span class="mono">${person}</span>`],
      [t("people.home"), html`<${AreaName} code=${data.home} /> <span class="mono muted">${data.home}</span>`],
      [t("people.registered"), showDay(data.registered_on)],
      [t("people.left"), data.left_on && showDay(data.left_on)],
    ]} />
    <h2>${t("people.assignments")}</h2>
    ${data.assignments.length ? html`<${Table} caption=${t("people.assignments")} columns=${columns} rows=${data.assignments} rowKey=${({ assignment }) => assignment} />` : html`<${Empty}>${t("people.no_assignment")}</>`}
    ${!data.left_on && html`<div class="toolbar">
      <button type="button" onClick=${() => setOpen({ assigning: true })}>${t("people.assign")}</button>
      <a role="button" class="outline" href=${`#/codes?person=${person}`}>${t("people.code")}</a>
      <button type="button" class="outline secondary" onClick=${() => setOpen({ leaving: true })}>${t("people.leaves")}</button>
    </div>`}
    <${Account} person=${person} account=${known} loaded=${Boolean(account.data)} problem=${account.problem} onChanged=${account.reload} />
    <h2>${t("people.tablets")}</h2>
    <${Trouble} problem=${tablets.problem} />
    ${tablets.data && (tablets.data.items.length ? html`<ul>${tablets.data.items.map(({ tablet_id, label, status, last_contact }) => html`<li key=${tablet_id}>${label ?? tablet_id.slice(0, 8)} · ${t(`people.tablet.${status}`)} · ${last_contact ? t("people.last_contact", { when: showMoment(last_contact) }) : t("people.no_contact")}</li>`)}</ul>` : html`<p class="muted">${t("people.no_tablet")}</p>`)}
    ${open?.assigning && html`<${Assign} person=${person} onClose=${close} onDone=${recorded} />`}
    ${open?.ending && html`<${End} person=${person} assignment=${open.ending} onClose=${close} onDone=${recorded} />`}
    ${open?.leaving && html`<${Leave} person=${person} onClose=${close} onDone=${recorded} />`}`;
}

const isOver = ({ to_day }) => Boolean(to_day) && to_day < today();
const Held = ({ each }) => (isOver(each) ? html`<${Mark} tone="still">${t("people.over")}</>` : each.from_day > today() ? html`<${Mark} tone="new">${t("people.to_come")}</>` : html`<${Mark} tone="done">${t("people.in_force")}</>`);

/** Role, unit and days. said: {role, area, department, from_day, to_day}. */
function AssignmentFields({ said, set }) {
  return html`<label>${t("people.role")} <${Select} value=${said.role} onChange=${set("role")} options=${ROLES.map((role) => [role, t(`console.role.${role}`)])} /></label>
    <label>${t("people.unit_area")} <${AreaChoice} value=${said.area} onChange=${set("area")} first=${t("people.choose_area")} /></label>
    ${said.role === "officer" && html`<${Field} label=${t("people.department")} why=${t("people.department_why")} value=${said.department} onInput=${set("department")} pattern=${DEPARTMENT} maxlength="64" />`}
    <${Field} label=${t("people.from")} type="date" required value=${said.from_day} onInput=${set("from_day")} />
    <${Field} label=${t("people.to")} why=${t("people.to_why")} type="date" value=${said.to_day} onInput=${set("to_day")} min=${said.from_day} />`;
}

const blank = (area = "") => ({ role: "worker", area, department: "", from_day: today(), to_day: "" });
const bodyOf = ({ role, area, department, from_day, to_day }) => ({ role, unit: role === "officer" && department ? `${area}/${department}` : area, from_day, ...(to_day && { to_day }) });

function Assign({ person, onClose, onDone }) {
  const [said, setSaid] = useState(blank());
  // One id for this dialog: a second press after a lost answer assigns nothing twice.
  const id = useRef(crypto.randomUUID());
  const { busy, problem, run } = useAction();
  const set = (name) => (value) => setSaid({ ...said, [name]: value });
  const submit = async (event) => {
    event.preventDefault();
    await run(async () => onDone((await send("POST", `/v1/people/${person}/assignments`, { assignment: id.current, ...bodyOf(said) })).body));
  };
  return html`<${Dialog} title=${t("people.assign")} onClose=${onClose}>
    <form onSubmit=${submit}>
      <p class="muted">${t("people.assign_explain")}</p>
      <${AssignmentFields} said=${said} set=${set} />
      <${Deciding} busy=${busy} disabled=${!said.area} problem=${problem} go=${t("people.assign")} onClose=${onClose} />
    </form>
  </>`;
}

function End({ person, assignment: { assignment, unit, role, from_day }, onClose, onDone }) {
  const [day, setDay] = useState(today());
  const { busy, problem, run } = useAction();
  const submit = async (event) => {
    event.preventDefault();
    await run(async () => onDone((await send("POST", `/v1/people/${person}/assignments/${encodeURIComponent(assignment)}/end`, { to_day: day })).body));
  };
  return html`<${Dialog} title=${t("people.end")} onClose=${onClose}>
    <form onSubmit=${submit}>
      <p>${t(`console.role.${role}`)} · <${UnitName} unit=${unit} /></p>
      <${Field} label=${t("people.last_day")} why=${t("people.last_day_why")} type="date" required min=${from_day} value=${day} onInput=${setDay} />
      <${Deciding} busy=${busy} problem=${problem} go=${t("people.end")} onClose=${onClose} />
    </form>
  </>`;
}

function Leave({ person, onClose, onDone }) {
  const [day, setDay] = useState(today());
  const { busy, problem, run } = useAction();
  const submit = async (event) => {
    event.preventDefault();
    await run(async () => onDone((await send("POST", `/v1/people/${person}/leave`, { to_day: day })).body));
  };
  return html`<${Dialog} title=${t("people.leaves")} onClose=${onClose}>
    <form onSubmit=${submit}>
      <p>${t("people.leaves_explain")}</p>
      <${Field} label=${t("people.last_day")} type="date" required value=${day} onInput=${setDay} />
      <${Deciding} busy=${busy} problem=${problem} go=${t("people.leaves")} onClose=${onClose} />
    </form>
  </>`;
}

// ---- accounts

function Account({ person, account, loaded, problem, onChanged }) {
  const [open, setOpen] = useState("");
  const action = useAction();
  const done = (words) => {
    setOpen("");
    onChanged();
    say(t(words));
  };
  const disable = () => action.run(async () => (await send("POST", `/v1/people/${person}/account/disable`), done("people.account_closed")));
  if (!loaded) return html`<h2>${t("people.account")}</h2><${Trouble} problem=${problem} />`;
  return html`<h2>${t("people.account")}</h2>
    ${account
      ? html`<${Facts} rows=${[
          [t("console.name"), html`<span class="mono">${account.login}</span>`],
          [t("people.called"), account.label],
          [t("people.account_since"), showMoment(account.made_at)],
          [t("people.state"), account.disabled_at ? html`<${Mark} tone="still">${t("people.closed_at", { when: showMoment(account.disabled_at) })}</>` : html`<${Mark} tone="done">${t("people.account_open")}</>`],
        ]} />`
      : html`<p class="muted">${t("people.no_account")}</p>`}
    <${Trouble} problem=${action.problem} />
    <div class="toolbar">
      ${!account && html`<button type="button" class="outline" onClick=${() => setOpen("create")}>${t("people.create_account")}</button>`}
      ${account && !account.disabled_at && html`<button type="button" class="outline" onClick=${() => setOpen("password")}>${t("people.new_password")}</button>
        <button type="button" class="outline secondary" onClick=${() => setOpen("disable")}>${t("people.close_account")}</button>`}
    </div>
    ${(open === "create" || open === "password") && html`<${Secret} person=${person} creating=${open === "create"} onClose=${() => setOpen("")} onDone=${() => done(open === "create" ? "people.account_made" : "people.password_set")} />`}
    ${open === "disable" && html`<${Dialog} title=${t("people.close_account")} onClose=${() => setOpen("")}>
      <p>${t("people.close_explain")}</p>
      <${Trouble} problem=${action.problem} />
      <footer><button type="button" class="secondary" onClick=${() => setOpen("")}>${t("common.cancel")}</button><button type="button" aria-busy=${action.busy} onClick=${disable}>${t("people.close_account")}</button></footer>
    </>`}`;
}

const LETTERS = "abcdefghjkmnpqrstuvwxyz23456789";
/** A first password that can be read out: four groups of four, without letters that look alike. 19 bits a group. */
const invented = () => [...crypto.getRandomValues(new Uint32Array(16))].map((number) => LETTERS[number % LETTERS.length]).join("").match(/.{4}/g).join("-");

function Secret({ person, creating, onClose, onDone }) {
  const [said, setSaid] = useState({ login: "", label: "", password: invented() });
  const { busy, problem, run } = useAction();
  const set = (name) => (value) => setSaid({ ...said, [name]: value });
  const submit = async (event) => {
    event.preventDefault();
    const path = `/v1/people/${person}/account${creating ? "" : "/password"}`;
    const { login, label, password } = said;
    await run(async () => (await send("POST", path, creating ? { login, password, ...(label && { label }) } : { password }), onDone()));
  };
  return html`<${Dialog} title=${t(creating ? "people.create_account" : "people.new_password")} onClose=${onClose}>
    <form onSubmit=${submit}>
      ${creating && html`<${Field} label=${t("console.name")} value=${said.login} onInput=${set("login")} required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck=${false} />
        <${Field} label=${t("people.called")} why=${t("people.called_why")} value=${said.label} onInput=${set("label")} maxlength="120" autocomplete="off" />`}
      <${Field} label=${t("people.first_password")} why=${t(creating ? "people.first_password_why" : "people.new_password_why")} value=${said.password} onInput=${set("password")} required minlength="10" maxlength="256" autocomplete="off" spellcheck=${false} />
      <${Deciding} busy=${busy} problem=${problem} go=${t(creating ? "people.create_account" : "people.new_password")} onClose=${onClose} />
    </form>
  </>`;
}

// ---- a new one

function New({ query }) {
  const [said, setSaid] = useState(blank(query.get("unit") ?? ""));
  const id = useRef({ person: crypto.randomUUID(), assignment: crypto.randomUUID() });
  const { busy, problem, run } = useAction();
  const set = (name) => (value) => setSaid({ ...said, [name]: value });
  const unit = query.get("unit");
  const submit = (event) => {
    event.preventDefault();
    run(async () => {
      const { body } = await send("POST", "/v1/people", { ...id.current, ...bodyOf(said) });
      say(t("people.registered_now"));
      await get(`/v1/people/${body.person}`, { min_position: `${body.ledger}:${body.position}` });
      go(`/people/${body.person}`);
    });
  };
  const assignKnown = (person) =>
    run(async () => {
      const { body } = await send("POST", `/v1/people/${person}/assignments`, { assignment: id.current.assignment, ...bodyOf(said) });
      say(t("people.recorded"));
      await get(`/v1/people/${person}`, { min_position: `${body.ledger}:${body.position}` });
      go(`/people/${person}`);
    });
  return html`<h1>${t(unit ? "people.assign_to" : "people.new")}</h1>
    <form class="office-form" onSubmit=${submit}>
      <p class="muted">${t("people.new_explain")}</p>
      <${AssignmentFields} said=${said} set=${set} />
      <${Trouble} problem=${problem} />
      <button aria-busy=${busy} disabled=${busy || !said.area}>${t("people.register")}</button>
    </form>
    <h2>${t("people.or_known")}</h2>
    <${PersonSearch} label=${t("people.search")} onChoose=${assignKnown} />
    ${busy && html`<p aria-busy="true">${t("console.loading")}</p>`}`;
}
