/** What a case says of persons: shown on demand, with a purpose where it is not one's own work, and on record. Read on the case's page. */

import { html, showTime, t, useLayoutEffect, useRef, useState } from "../pages/ui.js";
import { get, hasRole, session } from "./api.js";
import { Trouble } from "./parts.js";
import { Photo } from "./photos.js";
import { ownUnits } from "./steps.js";

const PURPOSES = ["handle", "call_back", "check", "complaint"];

export function Personal({ case: each }) {
  const [told, setTold] = useState(null);
  const [problem, setProblem] = useState(null);
  const [asking, setAsking] = useState(false);
  const [purpose, setPurpose] = useState("");
  const [busy, setBusy] = useState(false);
  const box = useRef();
  useLayoutEffect(() => void (asking && box.current?.focus()), [asking]);
  if (!hasRole("officer", "worker")) return null;

  async function show(event) {
    event.preventDefault();
    if (!asking && !isOwnWork(each)) return setAsking(true);
    setBusy(true);
    setProblem(null);
    try {
      setTold((await get(`/v1/cases/${each.case_id}/personal`, {}, { purpose: asking ? purpose.trim() : undefined })).items);
      setAsking(false);
    } catch (wrong) {
      if (wrong.code === "purpose_needed") setAsking(true);
      else setProblem(wrong);
    }
    setBusy(false);
  }

  return html`<div class="personal no-print">
    <h2>${t("case_page.personal")}</h2>
    <p class="muted">${t("case_page.personal_why")}</p>
    <${Trouble} problem=${problem} />
    ${!told && !asking && html`<button type="button" class="outline" aria-busy=${busy} onClick=${show}>${t("case_page.personal_show")}</button>`}
    ${asking &&
    html`<form onSubmit=${show}>
      <label>${t("case_page.purpose")} <input ref=${box} list="purposes" required minlength="3" maxlength="200" value=${purpose} onInput=${(event) => setPurpose(event.target.value)} /></label>
      <datalist id="purposes">${PURPOSES.map((word) => html`<option value=${t(`case_page.purpose.${word}`)} />`)}</datalist>
      <div class="buttons"><button type="button" class="secondary" onClick=${() => setAsking(false)}>${t("common.cancel")}</button><button aria-busy=${busy} disabled=${busy || purpose.trim().length < 3}>${t("case_page.personal_show")}</button></div>
    </form>`}
    ${told && (told.length ? html`<dl class="case-facts" aria-live="polite">${told.map((item) => html`<${Value} key=${item.digest} item=${item} case=${each} purpose=${purpose.trim()} />`)}</dl>` : html`<p>${t("case_page.personal_none")}</p>`)}
    ${told && html`<button type="button" class="outline" onClick=${() => setTold(null)}>${t("case_page.personal_hide")}</button>`}
  </div>`;
}

/** Whether the person has the case to work on, who then need not say why; the service decides. */
function isOwnWork(each) {
  const units = [each.holder, each.registrar, ...(each.called ?? [])];
  return each.open && (each.reporter === session.value.person || ownUnits().some((unit) => units.includes(unit)));
}

function Value({ item, case: each, purpose }) {
  const { field, state, value } = item;
  return html`<dt>${t(`personal.${field}`)}<small>${showTime(item.happened_at)}</small></dt>
    <dd>${state !== "held" ? html`<em>${t(`personal_state.${state}`)}</em>` : field === "photo" ? html`<${Photo} sha256=${value} of=${each.case_id} purpose=${purpose || undefined} />` : typeof value === "object" ? `${value.lat}, ${value.lon}` : value}</dd>`;
}
