/** The patrol: started, checkpoints passed, finished. Stops only: no position, no track. */

import { computed, Field, html, signal, t, useState } from "../pages/ui.js";
import { GridChoice, showWhen } from "./parts.js";
import { bearsNumber } from "./plain.js";
import { areaNames, entries, grids, record } from "./state.js";
import { patrol } from "./today.js";

const MOST_KNOWN = 24;
const LOOKED_AT = 300;

/** Checkpoints that were passed in a grid on earlier days, by grid: each is one tap today. */
const known = computed(() => {
  const found = new Map();
  const passed = entries.value.filter(({ kind }) => kind === "patrol.checkpoint_passed").slice(-LOOKED_AT);
  for (const { entry } of passed) found.set(entry.area, (found.get(entry.area) ?? new Set()).add(entry.data.checkpoint));
  return found;
});

export function Patrol() {
  const { going } = patrol.value;
  return html`<main class="container">
    <h1 tabindex="-1">${t("patrol.title")}</h1>
    ${going ? html`<${Going} patrol=${going} />` : html`<${Start} />`}
    <p><small>${t("patrol.noTrack")}</small></p>
  </main>`;
}

function Start() {
  const [chosen, choose] = useState(null);
  const [busy, setBusy] = useState(false);
  const area = chosen ?? grids.value[0];

  async function start() {
    setBusy(true);
    await record("patrol.started", crypto.randomUUID(), area, {});
    setBusy(false);
  }

  return html`
    <${GridChoice} grids=${grids.value} names=${areaNames.value} value=${area} onChange=${choose} />
    ${!area && html`<p>${t("patrol.noGrid")}</p>`}
    <button class="wide" disabled=${busy || !area} onClick=${start}>${t("patrol.start")}</button>
  `;
}

const wrong = signal("");

function Going({ patrol: { id, area, at, passed } }) {
  const [checkpoint, setCheckpoint] = useState("");
  const names = passed.map(({ entry }) => entry.data.checkpoint);
  const suggested = [...(known.value.get(area) ?? [])].slice(-MOST_KNOWN).sort();
  const [busy, setBusy] = useState(false);
  const pass = (name) => record("patrol.checkpoint_passed", id, area, { checkpoint: name });

  async function finish() {
    setBusy(true);
    await record("patrol.finished", id, area, {});
    setBusy(false);
  }

  async function passTyped(event) {
    event.preventDefault();
    const name = checkpoint.trim();
    wrong.value = bearsNumber(name) ? t("common.number") : "";
    if (!name || wrong.value) return;
    // The next name may be typed while this one is stored.
    setCheckpoint("");
    if ((await pass(name)) === null) setCheckpoint(name);
  }

  return html`
    <p><strong>${areaNames.value.get(area) ?? area}</strong> · ${t("patrol.started", { when: showWhen(at) })}</p>
    <p>${t("patrol.passed", { count: new Set(names).size })}${names.length ? `: ${[...new Set(names)].join(", ")}` : ""}</p>
    ${suggested.length > 0 &&
    html`<div class="choice" role="group" aria-label=${t("patrol.pass")}>
      ${suggested.map((name) => html`<button type="button" class=${names.includes(name) ? "tile done" : "tile"} onClick=${() => pass(name)}>${names.includes(name) ? "✓ " : ""}${name}</button>`)}
    </div>`}
    <form onSubmit=${passTyped}>
      <${Field} label=${t("patrol.checkpoint")} value=${checkpoint} onInput=${setCheckpoint} required maxlength="64" autocomplete="off" />
      ${wrong.value && html`<p role="alert" class="wrong">${wrong.value}</p>`}
      <button class="secondary">${t("patrol.pass")}</button>
    </form>
    <p><a role="button" class="wide secondary" href=${`#/report/patrol/${id}`}>${t("patrol.report")}</a></p>
    <button class="wide" disabled=${busy} onClick=${finish}>${t("patrol.finish")}</button>
  `;
}
