/** The tablet: an offline-first app for grid workers, on top of gridtrail-sync.js and the public interface alone. */

import { html, language, notice, route, say, showNumber, signal, speak, t, useEffect, useRef, useState } from "../pages/ui.js";
import { render } from "../vendor/preact.js";
import { Case, Cases } from "./cases.js";
import { Languages, More } from "./more.js";
import { Outbox } from "./outbox.js";
import { showWhen } from "./parts.js";
import { Patrol } from "./patrol.js";
import { Enrol, Renew, Who } from "./people.js";
import { Report } from "./report.js";
import { loadRules } from "./rules.js";
import { faults, lock, locked, online, standing, storage, sync, syncedAt, syncing, tablet, trouble, waiting, workers } from "./state.js";
import { Today } from "./today.js";
import { Visit, Visits } from "./visit.js";

const isNewVersion = signal(false);

const TABS = [
  ["/", "nav.today", ["", "patrol", "more", "renew"]],
  ["/visit", "nav.visit", ["visit"]],
  ["/report", "nav.report", ["report"]],
  ["/cases", "nav.cases", ["cases", "case"]],
  ["/outbox", "nav.outbox", ["outbox"]],
];

function App() {
  const [, noun = ""] = route.value.split("/");
  const isEnrolling = !workers.value.length || noun === "enrol" || route.value.startsWith("enrol=");
  const isIn = tablet.value && !locked.value && !isEnrolling;
  const first = useRef(true);
  useEffect(() => {
    const heading = document.querySelector("h1");
    document.title = heading && isIn ? `${heading.firstChild.textContent} · ${t("app.name")}` : t("app.name");
    // Who comes to another page is at its heading; who opens the app is where the browser puts them.
    if (!first.current) heading?.focus({ preventScroll: true });
    first.current = false;
    scrollTo(0, 0);
  }, [route.value, Boolean(isIn)]);
  if (isEnrolling) return html`<${Front}><${Enrol} first=${!workers.value.length} /><//>`;
  if (!isIn) return html`<${Front}><${Who} key=${tablet.value?.name} /><//>`;
  return html`<${Bar} /><${View} />
    <div class="notices" role="status">${notice.value && html`<p class="notice">${notice.value}</p>`}</div>
    <nav class="tabs" aria-label=${t("app.name")}>
      ${TABS.map(([path, key, nouns]) => html`<a href=${`#${path}`} aria-current=${nouns.includes(noun) ? "page" : undefined}>${t(key)}${path === "/outbox" && waiting.value > 0 ? html` <span class="badge">${waiting.value}</span>` : ""}</a>`)}
    </nav>`;
}

function View() {
  const [, noun, ...rest] = route.value.split("/").map(decodeURIComponent);
  if (noun === "patrol") return html`<${Patrol} />`;
  if (noun === "visit") return rest.length ? html`<${Visit} key=${rest.join("/")} household=${rest.join("/")} />` : html`<${Visits} />`;
  if (noun === "report") return html`<${Report} key=${rest[1]} patrol=${rest[0] === "patrol" ? rest[1] : undefined} />`;
  if (noun === "cases") return html`<${Cases} />`;
  if (noun === "case") return html`<${Case} key=${rest[0]} id=${rest[0]} />`;
  if (noun === "outbox") return html`<${Outbox} />`;
  if (noun === "more") return html`<${More} />`;
  if (noun === "renew") return html`<${Renew} />`;
  return html`<${Today} />`;
}

function Bar() {
  return html`<header class="bar">
      <p class="state" aria-live="polite">
        <span>${waiting.value ? t("sync.waiting", { count: waiting.value }) : t("sync.clear")}</span>
        <small>${syncing.value ? t("sync.running") : syncedAt.value ? t("sync.last", { when: showWhen(syncedAt.value) }) : t("sync.never")}</small>
      </p>
      <div class="acts">
        <button type="button" onClick=${sync} aria-busy=${syncing.value} disabled=${syncing.value}>${t("sync.now")}</button>
        <button type="button" class="plain" onClick=${lock}>${t("who.leave")}</button>
        <a class="plain" href="#/more">${t("more.title")}</a>
      </div>
    </header>
    <div class="warnings" role="status">
      ${!online.value && html`<p>${t("app.offline")}</p>`}
      <${Trouble} />
      ${storage.value?.short && html`<p class="wrong">${t("storage.short", { percent: storage.value.percent, size: `${showNumber(Math.round(storage.value.quota / 1e6))} MB` })}</p>`}
      ${isNewVersion.value && html`<p><a href="" onClick=${() => location.reload()}>${t("app.update")}</a></p>`}
    </div>`;
}

/** What went wrong at the last try, in a sentence, with what can be done; nothing while there is simply no network. */
function Trouble() {
  const [busy, setBusy] = useState(false);
  const { name, code, message } = trouble.value ?? {};
  if (code === "forked" || code === "set_aside" || code === "tablet_set_aside") {
    const goOn = async () => {
      setBusy(true);
      await tablet.value.adopt().then(sync, () => say(t("sync.notYet")));
      setBusy(false);
    };
    return html`<p class="wrong">${t("sync.forked")} <button type="button" class="plain" disabled=${busy} onClick=${goOn}>${t("sync.goOn")}</button></p>`;
  }
  if (code === "tablet_revoked" || standing.value?.status === "revoked") return html`<p class="wrong">${t("sync.revoked")}</p>`;
  if (code === "not_logged_in") return html`<p class="wrong">${t("sync.expired")} <a href="#/renew">${t("sync.renew")}</a></p>`;
  if (name === "OtherHistory" || faults.value.length) return html`<p class="wrong">${t("sync.faults")} <a href="#/more">${t("more.title")}</a></p>`;
  if (!trouble.value || !online.value) return null;
  return html`<p class="wrong">${name === "Unreachable" ? t("sync.unreachable") : t("sync.trouble", { what: message })}</p>`;
}

function Front({ children }) {
  return html`<header class="bar"><strong>${t("app.name")}</strong><${Languages} /></header>${children}`;
}

/** Keeps the app's files on the device. */
async function keepOffline() {
  if (!("serviceWorker" in navigator)) return;
  await navigator.serviceWorker.register("sw.js", { type: "module" });
}

// Heard from the first moment on: other files may come while this page is still being made.
navigator.serviceWorker?.addEventListener("message", ({ data }) => data === "new release" && (isNewVersion.value = true));
await speak(language.value);
render(html`<${App} />`, document.getElementById("app"));
document.body.dataset.ready = "yes";
loadRules().catch(() => undefined);
keepOffline().catch(() => undefined);
