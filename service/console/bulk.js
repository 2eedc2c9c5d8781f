/** Many cases sent on at once: each with the version that the reader saw, each with its own result. Read by the list of cases. */

import { html, say, t, useState } from "../pages/ui.js";
import { send } from "./api.js";
import { Dialog, Reason, sentenceOf } from "./parts.js";
import { maySend } from "./steps.js";
import { titleOf } from "./titles.js";
import { UnitChoice } from "./units.js";

const AT_ONCE = 3;
const STEPS = ["transfer", "dispatch"];

/** The bar above the list while cases are selected. */
export function BulkSend({ cases, table, onDone, onClear }) {
  const [step, setStep] = useState("");
  return html`<div class="bulk" role="region" aria-label=${t("cases.selected", { count: cases.length })}>
    <strong>${t("cases.selected", { count: cases.length })}</strong>
    ${STEPS.map((each) => {
      const able = cases.filter((one) => maySend(one, each, table)).length;
      return html`<button type="button" disabled=${!able} onClick=${() => setStep(each)}>${t(`step.${each}`)}${able < cases.length ? ` (${able})` : ""}</button>`;
    })}
    <button type="button" class="outline" onClick=${onClear}>${t("cases.unselect")}</button>
    ${step && html`<${Sending} step=${step} cases=${cases.filter((one) => maySend(one, step, table))} onClose=${(sent) => (setStep(""), sent && onClear(), onDone())} />`}
  </div>`;
}

function Sending({ step, cases: given, onClose }) {
  const [cases] = useState(given);
  const [said, setSaid] = useState({ to: "", words: "" });
  const [results, setResults] = useState(null);
  const [busy, setBusy] = useState(false);
  const lengths = new Set(cases.map(({ holder }) => holder.split("/")[0].length));

  async function start(event) {
    event.preventDefault();
    setBusy(true);
    const body = { to: said.to, ...(step === "transfer" ? { reason: said.words } : said.words ? { note: said.words } : {}) };
    const found = new Map();
    const waiting = [...cases];
    const one = async () => {
      for (let each = waiting.shift(); each; each = waiting.shift()) {
        const outcome = await send("POST", `/v1/cases/${each.case_id}/${step}`, body, { version: each.version }).then(() => "done", sentenceOf);
        found.set(each.case_id, outcome);
        setResults(new Map(found));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    setBusy(false);
    say(t("cases.sent", { count: [...found.values()].filter((each) => each === "done").length, of: cases.length }));
  }

  const done = results && !busy;
  return html`<${Dialog} title=${t("cases.send", { step: t(`step.${step}`), count: cases.length })} onClose=${() => !busy && onClose(Boolean(results))}>
    ${!results &&
    html`<form onSubmit=${start}>
      <${UnitChoice} label=${t("field.to")} value=${said.to} onChange=${(to) => setSaid({ ...said, to })} above=${cases[0].area} required />
      ${step === "transfer" && lengths.size > 1 && html`<p class="muted">${t("cases.levels_differ")}</p>`}
      <${Reason} label=${t(step === "transfer" ? "field.reason" : "field.note")} required=${step === "transfer"} value=${said.words} onInput=${(words) => setSaid({ ...said, words })} />
      <footer><button disabled=${!said.to}>${t(`step.${step}`)}</button></footer>
    </form>`}
    <ul class="results" aria-live="polite">
      ${cases.map((each) => html`<li key=${each.case_id} class=${results?.has(each.case_id) ? (results.get(each.case_id) === "done" ? "done" : "failed") : ""}>
        <span>${titleOf(each)}</span>
        ${results && html`<strong>${!results.has(each.case_id) ? t("cases.result.waiting") : results.get(each.case_id) === "done" ? t("cases.result.done") : results.get(each.case_id)}</strong>`}
      </li>`)}
    </ul>
    ${done && html`<footer><button autofocus onClick=${() => onClose(true)}>${t("console.close")}</button></footer>`}
  </${Dialog}>`;
}
