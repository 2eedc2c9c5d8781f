/** The keys that sign for administrators: the present one, how it was handed on, the witnesses; and the commands, which are run at the server. */

import { html, showNumber, t } from "../pages/ui.js";
import { useData } from "./api.js";
import { RootLog } from "./ledgers.js";
import { Coming, Copy, Facts, Mark, showMoment, showSpan, Verbatim } from "./office.js";
import { Empty, Trouble } from "./parts.js";

export function Keys() {
  const { data, problem } = useData("/v1/signing");
  return html`<h1>${t("keys.title")}</h1>
    <p class="muted">${t("keys.explain")}</p>
    <${Coming} data=${data} problem=${problem} />
    <${Trouble} problem=${problem} />
    ${data && html`<${Facts} rows=${[
      [t("keys.origin"), html`<span class="mono">${data.origin}</span>`],
      [t("keys.present"), html`<span class="mono">${data.key}</span> <${Copy} text=${data.key} />`],
      [t("keys.every"), t("keys.every_span", { publish: showSpan(data.publish_s), root: showSpan(data.root_log_s) })],
    ]} />
    <p class="office-note">${t("keys.tell_another_way")}</p>
    <${Rotations} rotations=${data.rotations} />
    <${RootLog} signing=${data} />
    <section>
      <h2>${t("keys.commands")}</h2>
      <p class="muted">${t("keys.commands_explain")}</p>
      <${Verbatim} label=${t("keys.rotate")} text=${"gridtrail keys rotate --reason '…'"} />
      <${Verbatim} label=${t("keys.stolen")} text=${`gridtrail keys rotate --stolen --last-valid ${data.root_log?.published_size ?? 0} --reason '…'`} />
      <${Verbatim} label=${t("keys.witness")} text=${`gridtrail witness new-key witness.key --name witness.example.org/1\ngridtrail witness run --key witness.key --state state --log '${data.root_log?.checkpoint?.vkey ?? "…"}' --port 8190\nGRIDTRAIL_WITNESSES='<${t("keys.witness_key")}>@https://witness.example.org'`} />
      <${Verbatim} label=${t("keys.where")} text="gridtrail keys where" />
    </section>`}`;
}

function Rotations({ rotations }) {
  return html`<section>
    <h2>${t("keys.rotations")}</h2>
    ${!rotations.length && html`<${Empty}>${t("keys.never")}</>`}
    ${[...rotations].reverse().map((each, at) => html`<article class="office-card" key=${at}>
      <h3>${each.at ? showMoment(each.at) : t("keys.rotation")} ${each.holds ? html`<${Mark} tone="done">${t("keys.signed_by_both")}</>` : html`<${Mark} tone="late">${t("keys.does_not_hold")}</>`}</h3>
      <${Facts} rows=${[
        [t("keys.reason"), each.reason],
        [t("keys.old"), each.old && html`<span class="mono">${each.old}</span>`],
        [t("keys.new"), each.new && html`<span class="mono">${each.new}</span>`],
        [t("keys.last_valid"), each.last_valid !== null && html`<${Mark} tone="late">${t("keys.stolen_at", { size: showNumber(each.last_valid) })}</>`],
      ]} />
      <${Verbatim} label=${t("keys.statement")} text=${each.statement} name=${`rotation-${rotations.length - at}.txt`} />
    </article>`)}
  </section>`;
}
