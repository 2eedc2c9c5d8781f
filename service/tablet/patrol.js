/** The patrol: started, checkpoints passed, finished. Stops only: no position, no track. */

import { areaNames, grids, record } from "./state.js";
import { patrol } from "./today.js";
import { GridChoice } from "./grids.js";
import { Field, html, showTime, t, useState } from "../pages/ui.js";

export function Patrol() {
  return html`<main class="container">
    <h1>${t("patrol.title")}</h1>
    ${patrol.value ? html`<${Going} patrol=${patrol.value} />` : html`<${Start} />`}
    <small>${t("patrol.noTrack")}</small>
  </main>`;
}

function Start() {
  const [area, setArea] = useState(grids.value[0]);
  return html`
    <${GridChoice} grids=${grids.value} names=${areaNames.value} value=${area} onChange=${setArea} />
    <button disabled=${!area} onClick=${() => record("patrol.started", crypto.randomUUID(), area, {})}>${t("patrol.start")}</button>
  `;
}

function Going({ patrol: { id, area, at, passed } }) {
  const [checkpoint, setCheckpoint] = useState("");
  const known = [...new Set(passed.map(({ entry }) => entry.data.checkpoint))];

  async function pass(event) {
    event.preventDefault();
    if ((await record("patrol.checkpoint_passed", id, area, { checkpoint })) !== null) setCheckpoint("");
  }

  return html`
    <p>${areaNames.value.get(area) ?? area} · ${t("patrol.started", { when: showTime(at) })} · ${t("patrol.passed", { count: passed.length })}</p>
    <form onSubmit=${pass}>
      <${Field} label=${t("patrol.checkpoint")} value=${checkpoint} onInput=${setCheckpoint} required maxlength="64" list="checkpoints" />
      <datalist id="checkpoints">${known.map((each) => html`<option value=${each} />`)}</datalist>
      <button>${t("patrol.pass")}</button>
    </form>
    <p><a href=${`#/report/patrol/${id}`}>${t("patrol.report")}</a></p>
    <button class="secondary" onClick=${() => record("patrol.finished", id, area, {})}>${t("patrol.finish")}</button>
  `;
}
