/** The tablet: an offline-first app for grid workers, on top of gridtrail-sync.js and the public interface alone. */

import { render } from "../vendor/preact.js";
import { Case, Cases } from "./cases.js";
import { Outbox } from "./outbox.js";
import { Patrol } from "./patrol.js";
import { Enrol, Leave, Who } from "./people.js";
import { Report } from "./report.js";
import { loadRules } from "./rules.js";
import { online, storage, sync, syncedAt, syncing, tablet, trouble, waiting, workers } from "./state.js";
import { Today } from "./today.js";
import { html, language, LANGUAGES, notice, route, showTime, signal, speak, t } from "../pages/ui.js";
import { Visit } from "./visit.js";

const newVersion = signal(null);

const TABS = [
  ["/", "nav.today"],
  ["/visit", "nav.visit"],
  ["/report", "nav.report"],
  ["/cases", "nav.cases"],
  ["/outbox", "nav.outbox"],
];

function App() {
  if (!workers.value.length || route.value === "/enrol" || route.value.startsWith("enrol=")) {
    return html`<${Languages} /><${Enrol} first=${!workers.value.length} />`;
  }
  if (!tablet.value) return html`<${Languages} /><${Who} />`;
  return html`<${Bar} /><${View} />
    ${notice.value && html`<p class="notice" role="status">${notice.value}</p>`}
    <nav class="tabs" aria-label=${t("app.name")}>
      ${TABS.map(([path, key]) => html`<a href=${`#${path}`} aria-current=${isAt(path) ? "page" : undefined}>${t(key)}${path === "/outbox" && waiting.value > 0 ? ` ${waiting.value}` : ""}</a>`)}
    </nav>`;
}

const isAt = (path) => (path === "/" ? route.value === "/" || route.value.startsWith("/patrol") : route.value.startsWith(path.replace(/s$/, "")));

function View() {
  const [, noun, ...rest] = route.value.split("/").map(decodeURIComponent);
  const at = tablet.value;
  if (noun === "patrol") return html`<${Patrol} />`;
  if (noun === "visit") return html`<${Visit} key=${rest[0]} household=${rest[0]} tablet=${at} />`;
  if (noun === "report") return html`<${Report} key=${rest[1]} from=${rest[0] ? { [rest[0]]: rest[1], household: rest[2] } : {}} tablet=${at} />`;
  if (noun === "cases") return html`<${Cases} />`;
  if (noun === "case") return html`<${Case} key=${rest[0]} id=${rest[0]} />`;
  if (noun === "outbox") return html`<${Outbox} />`;
  return html`<${Today} />`;
}

function Bar() {
  return html`<header class="bar">
    <div class="state" aria-live="polite">
      <span>${waiting.value ? t("sync.waiting", { count: waiting.value }) : t("sync.clear")}</span>
      <small>${syncing.value ? t("sync.running") : syncedAt.value ? t("sync.last", { when: showTime(syncedAt.value) }) : t("sync.never")}</small>
      ${!online.value && html`<small class="offline">${t("app.offline")}</small>`}
      ${trouble.value && online.value && html`<small class="wrong">${troubleText(trouble.value)}</small>`}
      ${storage.value?.short && html`<small class="wrong">${t("storage.short", { percent: storage.value.percent, size: `${Math.round(storage.value.quota / 1e6)} MB` })}</small>`}
      ${storage.value && !storage.value.kept && html`<small>${t("storage.asked")}</small>`}
      ${newVersion.value && html`<a href="" onClick=${() => newVersion.value.postMessage("open")}>${t("app.update")}</a>`}
    </div>
    <div role="group">
      <button onClick=${sync} aria-busy=${syncing.value} disabled=${syncing.value}>${t("sync.now")}</button>
      <${Leave} />
    </div>
  </header>`;
}

function troubleText({ name, code, message }) {
  if (name === "OtherHistory" || code === "forked" || code === "set_aside") return t("sync.forked");
  if (code === "tablet_revoked" || code === "not_logged_in") return t("sync.revoked");
  return t("sync.trouble", { what: message });
}

function Languages() {
  return html`<header class="bar">
    <span>${t("app.name")}</span>
    <div role="group">
      ${Object.entries(LANGUAGES).map(([code, name]) => html`<button class=${code === language.value ? "" : "secondary"} onClick=${() => speak(code)} lang=${code}>${name}</button>`)}
    </div>
  </header>`;
}

async function keepOffline() {
  if (!("serviceWorker" in navigator)) return;
  const registration = await navigator.serviceWorker.register("sw.js", { type: "module" });
  registration.addEventListener("updatefound", () => {
    const next = registration.installing;
    next.addEventListener("statechange", () => {
      if (next.state === "installed" && navigator.serviceWorker.controller) newVersion.value = next;
    });
  });
}

await speak(language.value);
render(html`<${App} />`, document.getElementById("app"));
document.body.dataset.ready = "yes";
loadRules().catch(() => undefined);
keepOffline().catch(() => undefined);
