/** The console: pages of officers, auditors and administrators, on the public interface alone. This file: who is here, and where. */

import { render } from "../vendor/preact.js";
import { go, html, language, LANGUAGES, notice, route, speak, t, useEffect, useRef, useState } from "../pages/ui.js";
import { Arrival } from "./arrival.js";
import { farewell, hasRole, login, logout, session } from "./api.js";
import { Trouble, UnitName } from "./parts.js";
import { PasswordChange } from "./password.js";

/** A page whose file is fetched when it is first opened. */
function later(load) {
  let View;
  return function Later(given) {
    const [told, tell] = useState(View ? "there" : "");
    useEffect(() => {
      if (!View) load().then((found) => ((View = found), tell("there")), (problem) => tell(problem));
    }, []);
    if (View) return html`<${View} ...${given} />`;
    return told ? html`<${Trouble} problem=${told} />` : html`<p aria-busy="true">${t("console.loading")}</p>`;
  };
}

/** group: the heading in the navigation; a page without one is reached from others. roles: who sees it there; the service decides again. */
const PAGES = [
  { path: "cases", key: "nav.open_cases", group: "work", roles: ["officer", "auditor", "worker"], view: later(() => import("./cases.js").then(({ Cases }) => Cases)) },
  { path: "report", key: "report_page.title", under: "cases", roles: ["officer", "worker"], view: later(() => import("./report.js").then(({ Report }) => Report)) },
  { path: "case", key: "nav.one_case", under: "cases", roles: ["officer", "auditor", "worker"], view: later(() => import("./case.js").then(({ Case }) => Case)) },
  { path: "visits", key: "visits.title", group: "work", roles: ["officer", "auditor", "worker"], view: later(() => import("./visits.js").then(({ Visits }) => Visits)) },
  { path: "coverage", key: "coverage.title", group: "work", roles: ["officer", "auditor", "worker"], view: later(() => import("./coverage.js").then(({ Coverage }) => Coverage)) },
  { path: "workload", key: "workload.title", group: "work", roles: ["officer", "auditor", "worker"], view: later(() => import("./workload.js").then(({ Workload }) => Workload)) },
  { path: "tablets", key: "tablets.title", group: "work", roles: ["officer", "auditor", "administrator"], view: later(() => import("./tablets.js").then(({ Tablets }) => Tablets)) },
  { path: "refusals", key: "refusals.title", group: "work", roles: ["officer", "auditor", "worker"], view: later(() => import("./refusals.js").then(({ Refusals }) => Refusals)) },
  { path: "indicators", key: "indicator.title", group: "work", roles: ["officer", "auditor"], view: later(() => import("./indicators.js").then(({ Indicators }) => Indicators)) },
  { path: "summary", key: "summary.title", group: "work", roles: ["officer", "auditor"], view: later(() => import("./summary.js").then(({ Summary }) => Summary)) },
  { path: "past", key: "nav.past", group: "audit", roles: ["auditor"], view: later(() => import("./past.js").then(({ Past }) => Past)) },
  { path: "ledgers", key: "nav.ledgers", group: "audit", roles: ["auditor"], view: later(() => import("./ledgers.js").then(({ Ledgers }) => Ledgers)) },
  { path: "history", key: "nav.history", group: "audit", roles: ["auditor"], view: later(() => import("./history.js").then(({ History }) => History)) },
  { path: "reads", key: "nav.reads", group: "audit", roles: ["auditor"], view: later(() => import("./reads.js").then(({ Reads }) => Reads)) },
  { path: "areas", key: "nav.areas", group: "office", roles: ["administrator"], view: later(() => import("./areas.js").then(({ Areas }) => Areas)) },
  { path: "people", key: "nav.people", group: "office", roles: ["administrator"], view: later(() => import("./people.js").then(({ People }) => People)) },
  { path: "codes", key: "nav.codes", group: "office", roles: ["administrator"], view: later(() => import("./codes.js").then(({ Codes }) => Codes)) },
  { path: "rulebooks", key: "nav.rulebooks", group: "office", roles: ["administrator"], view: later(() => import("./rulebooks.js").then(({ Rulebooks }) => Rulebooks)) },
  { path: "keys", key: "nav.keys", group: "office", roles: ["administrator", "auditor"], view: later(() => import("./keys.js").then(({ Keys }) => Keys)) },
  { path: "health", key: "nav.health", group: "office", roles: ["administrator"], view: later(() => import("./health.js").then(({ Health }) => Health)) },
];
const GROUPS = ["work", "audit", "office"];

const open = (page) => hasRole(...page.roles);

/** What the address says: the page's row, the path's further parts, and the filters. */
function placeOf(address) {
  const [path, query = ""] = address.split(/\?(.*)/s);
  const [, noun, ...rest] = path.split("/").map(decoded);
  const page = noun ? PAGES.find((each) => each.path === noun) : PAGES.find((each) => each.group && open(each));
  return { page, rest, query: new URLSearchParams(query) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function Console() {
  if (!session.value) return html`<${Login} />`;
  const { page, rest, query } = placeOf(route.value);
  const where = [page?.path, ...rest].join("/");
  return html`
    <a class="skip" href="#main" onClick=${toMain}>${t("console.skip")}</a>
    <${Bar} page=${page} />
    <${Sidebar} page=${page} />
    <main id="main" tabindex="-1">
      ${page && open(page) ? html`<${page.view} key=${`${session.value.person}:${where}`} rest=${rest} query=${query} session=${session.value} />` : html`<${Nowhere} />`}
    </main>
    <p class=${`notice ${notice.value ? "" : "quiet"}`} role="status">${notice.value}</p>
    <${Arrival} title=${page ? t(page.key) : t("console.nowhere")} where=${where} />
  `;
}

function toMain(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function Nowhere() {
  return html`<h1>${t("console.nowhere")}</h1><p>${t(session.value.grants.length ? "console.nowhere_why" : "console.no_role")}</p>`;
}

// ---- around every page

/** What folds out of the bar folds in again on a click elsewhere, with Escape, and on another page. */
const foldedOut = () => document.querySelectorAll("header.bar details[open]");
addEventListener("click", ({ target }) => foldedOut().forEach((each) => each.contains(target) || (each.open = false)));
addEventListener("hashchange", () => foldedOut().forEach((each) => (each.open = false)));
addEventListener("keydown", ({ key }) => {
  if (key !== "Escape" || document.querySelector("dialog[open]")) return;
  for (const each of foldedOut()) {
    each.open = false;
    each.querySelector("summary").focus();
  }
});

function Bar({ page }) {
  return html`<header class="bar">
    <details class="menu">
      <summary aria-label=${t("console.menu")}><span aria-hidden="true">☰</span></summary>
      <${Links} page=${page} />
    </details>
    <a class="brand" href="#/">${t("app.name")}</a>
    <${Person} />
  </header>`;
}

const Sidebar = ({ page }) => html`<div class="sidebar"><${Links} page=${page} /></div>`;

function Links({ page }) {
  const at = page?.under ?? page?.path;
  return html`<nav aria-label=${t("console.menu")}>
    ${GROUPS.map((group) => [group, PAGES.filter((each) => each.group === group && open(each))])
      .filter(([, pages]) => pages.length)
      .map(
        ([group, pages]) => html`<h2>${t(`console.group.${group}`)}</h2>
          <ul>
            ${pages.map(({ path, key }) => html`<li><a href=${`#/${path}`} aria-current=${path === at ? "page" : undefined}>${t(key)}</a></li>`)}
          </ul>`,
      )}
  </nav>`;
}

function Person() {
  const { name, grants } = session.value;
  const [changing, setChanging] = useState(false);
  const left = () => {
    go("/");
    logout();
  };
  return html`<details class="person">
    <summary>${name}</summary>
    <div>
      <h2>${t("console.grants")}</h2>
      <ul>
        ${grants.map(({ role, unit }) => html`<li>${t(`console.role.${role}`)} · <${UnitName} unit=${unit} /></li>`)}
        ${!grants.length && html`<li>${t("console.no_role")}</li>`}
      </ul>
      <${Languages} />
      <button type="button" class="outline" onClick=${() => setChanging(true)}>${t("console.password_change")}</button>
      <button class="secondary" onClick=${left}>${t("console.logout")}</button>
    </div>
    ${changing && html`<${PasswordChange} onClose=${() => setChanging(false)} />`}
  </details>`;
}

function Languages() {
  return html`<div class="languages" role="group" aria-label=${t("console.language")}>
    ${Object.entries(LANGUAGES).map(([code, name]) => html`<button type="button" class="outline" aria-pressed=${code === language.value} onClick=${() => speak(code)} lang=${code}>${name}</button>`)}
  </div>`;
}

// ---- logging in

function Login() {
  const [said, setSaid] = useState({ name: "", password: "" });
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const heading = useRef();
  useEffect(() => {
    document.title = `${t("console.login")} · ${t("app.name")}`;
    if (farewell.value) heading.current.focus();
  }, [language.value]);
  const set = (name) => (event) => setSaid({ ...said, [name]: event.target.value });
  async function enter(event) {
    event.preventDefault();
    setBusy(true);
    try {
      await login(said.name.trim(), said.password);
    } catch (wrong) {
      setProblem(wrong);
      setBusy(false);
    }
  }
  return html`<main class="login">
    <p class="brand">${t("app.name")}</p>
    <h1 tabindex="-1" ref=${heading}>${t("console.login")}</h1>
    <p>${t("console.login_to")}</p>
    ${farewell.value && html`<p role="status" class="farewell">${t(`console.farewell.${farewell.value}`)}</p>`}
    <form onSubmit=${enter}>
      <label>${t("console.name")} <input value=${said.name} onInput=${set("name")} autocomplete="username" autocapitalize="none" spellcheck=${false} required maxlength="64" /></label>
      <label>${t("console.password")} <input type="password" value=${said.password} onInput=${set("password")} autocomplete="current-password" required maxlength="256" /></label>
      ${problem && html`<${Trouble} problem=${problem} />`}
      <button aria-busy=${busy} disabled=${busy}>${t("console.enter")}</button>
    </form>
    <${Languages} />
    <p><a href="../">${t("console.start")}</a></p>
  </main>`;
}

await speak(language.value);
render(html`<${Console} />`, document.getElementById("app"));
document.body.dataset.ready = "yes";
