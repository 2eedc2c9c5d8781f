/** What was said apart from the record: asked for the task at hand, each time on record, and kept here until the task is gone. */

import { html, showTime, t, useEffect, useState } from "../pages/ui.js";
import { online, tablet } from "./state.js";

const SHOWN = new Set(["need_voiced", "resident_name", "resident_phone", "address_detail", "health_note", "case_summary", "case_note", "case_result", "case_reason", "case_task"]);

/** of: case or household. */
export function Personal({ of, id }) {
  const [told, setTold] = useState(null);
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    tablet.value?.personal({ [of]: id }).then(setTold);
  }, [of, id]);

  async function ask() {
    setBusy(true);
    setWrong("");
    try {
      setTold(await tablet.value.askPersonal({ [of]: id }));
    } catch (fault) {
      setWrong(t(fault.code === "no_task_there" || fault.status === 404 ? "personal.notYours" : "personal.noAnswer"));
    }
    setBusy(false);
  }

  const shown = told?.filter(({ field }) => SHOWN.has(field));
  return html`<section class="personal">
    <h2>${t("personal.title")}</h2>
    ${shown?.length === 0 && html`<p>${t("personal.none")}</p>`}
    ${shown?.length > 0 && html`<dl class="facts">${shown.map((each) => html`<${Value} key=${each.digest} each=${each} />`)}</dl>`}
    <p><small>${t("personal.why")}</small></p>
    <button type="button" class="secondary" aria-busy=${busy} disabled=${busy || !online.value} onClick=${ask}>${t(shown ? "personal.again" : "personal.read")}</button>
    <div role="status">${wrong && html`<p class="wrong">${wrong}</p>`}</div>
  </section>`;
}

function Value({ each: { field, state, value, happened_at: at } }) {
  return html`<dt>${t(`personal.${field}`)}</dt><dd>${state === "held" ? String(value) : t(`personal.state.${state}`)} <small>${showTime(at)}</small></dd>`;
}
