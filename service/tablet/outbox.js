/** Every entry of this tablet with what became of it. */

import { entries } from "./state.js";
import { html, showTime, t, useState } from "../pages/ui.js";

function titleOf(kind) {
  const text = t(`kind.${kind}`);
  return text === `kind.${kind}` ? t("kind.case", { action: kind.replace(/^case\./, "") }) : text;
}

export function Outbox() {
  const [most, setMost] = useState(100);
  const shown = entries.value.slice(-most).reverse();
  return html`<main class="container">
    <h1>${t("outbox.title")}</h1>
    ${shown.length ? html`<ul class="list">${shown.map((each) => html`<${Row} key=${each.seq} entry=${each} />`)}</ul>` : html`<p>${t("outbox.empty")}</p>`}
    ${entries.value.length > most && html`<button class="secondary" onClick=${() => setMost(most + 100)}>${t("common.continue")}</button>`}
    <small>${t("outbox.keep")}</small>
  </main>`;
}

function Row({ entry: { seq, kind, at, state, outcome } }) {
  return html`<li>
    <div>
      <strong>${seq} · ${titleOf(kind)}</strong> ${showTime(at)}
      ${state === "waiting" && html`<small>${t("outbox.waiting")}</small>`}
      ${state === "recorded" && html`<small>${t("outbox.recorded", outcome)}</small>`}
      ${state === "refused" && html`<small class="wrong">${t("outbox.refused")}: ${outcome.detail} (${outcome.code})</small><small>${t("outbox.whatNow")}</small>`}
    </div>
  </li>`;
}
