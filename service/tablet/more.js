/** Beside the day's work: language, what this tablet stores and where, other workers, and what the app does not record. */

import { html, language, LANGUAGES, showNumber, showTime, speak, t } from "../pages/ui.js";
import { entries, faults, storage, tablet, waiting, workers } from "./state.js";

export function Languages() {
  return html`<div role="group" aria-label=${t("more.language")} class="languages">
    ${Object.entries(LANGUAGES).map(([code, name]) => html`<button type="button" class=${code === language.value ? "" : "secondary"} aria-pressed=${code === language.value} onClick=${() => speak(code)} lang=${code}>${name}</button>`)}
  </div>`;
}

export function More() {
  const worker = workers.value.find(({ id }) => id === tablet.value.name);
  const room = storage.value;
  return html`<main class="container">
    <h1 tabindex="-1">${t("more.title")}</h1>
    <h2>${t("more.language")}</h2>
    <${Languages} />
    <h2>${t("more.here")}</h2>
    <dl class="facts">
      <dt>${t("more.worker")}</dt><dd>${worker?.name}</dd>
      <dt>${t("more.entries")}</dt><dd>${showNumber(entries.value.length)} · ${t("sync.waiting", { count: waiting.value })}</dd>
      ${room && html`<dt>${t("more.room")}</dt><dd>${t("more.used", { percent: room.percent, size: `${showNumber(Math.round(room.quota / 1e6))} MB` })}</dd>`}
    </dl>
    ${room && !room.kept && html`<p>${t("storage.asked")}</p>`}
    <p><a role="button" class="wide secondary" href="#/enrol">${t("who.another")}</a></p>
    ${faults.value.length > 0 &&
    html`<h2>${t("more.faults")}</h2>
      <p>${t("sync.faults")}</p>
      <ul>${faults.value.map(({ at, ledger, message }) => html`<li>${showTime(at)} · ${ledger ?? ""} · ${message}</li>`)}</ul>
      <button type="button" class="wide secondary" onClick=${() => tablet.value.dismissFaults()}>${t("more.looked")}</button>`}
    <h2>${t("more.notRecorded")}</h2>
    <p>${t("more.burden")}</p>
  </main>`;
}
