/** Every entry of this tablet with what became of it, why, and what to do. */

import { computed, html, showTime, signal, t } from "../pages/ui.js";
import { Long } from "./parts.js";
import { reasonOf } from "./reasons.js";
import { categoryName } from "./report.js";
import { TOPICS } from "./rules.js";
import { entries, items } from "./state.js";

const STATES = ["all", "waiting", "refused", "recorded"];
const chosen = signal("all");
const counts = computed(() => {
  const found = { all: entries.value.length, waiting: 0, refused: 0, recorded: 0 };
  for (const { state } of entries.value) found[state] += 1;
  return found;
});
const shown = computed(() => entries.value.filter(({ state }) => chosen.value === "all" || state === chosen.value).reverse());
/** What an officer decided about a refused entry, by its number here. */
const decided = computed(() => new Map(items.value.refusal.filter(({ data }) => data.state === "dismissed").map(({ data }) => [data.seq, data])));

const ACTION_OF = Object.fromEntries(Object.entries(TOPICS).map(([action, topic]) => [topic, action]));
const titleOf = (kind) => (ACTION_OF[kind] ? t("kind.case", { action: t(`action.${ACTION_OF[kind]}`) }) : t(`kind.${kind}`));

/** What an entry is about, in a word that names no person. */
function about({ data }) {
  if (data.household && !data.category) return data.household;
  if (data.category) return categoryName(data.category.split("/").at(-1));
  return data.checkpoint ?? "";
}

export function Outbox() {
  return html`<main class="container">
    <h1 tabindex="-1">${t("outbox.title")}</h1>
    <div class="filters" role="group" aria-label=${t("outbox.show")}>
      ${STATES.map((state) => html`<button type="button" class=${chosen.value === state ? "" : "secondary"} aria-pressed=${chosen.value === state} onClick=${() => (chosen.value = state)}>${t(`outbox.state.${state}`)} ${counts.value[state]}</button>`)}
    </div>
    <${Long} rows=${shown.value} row=${row} empty=${t(entries.value.length ? "outbox.noneSuch" : "outbox.empty")} />
    <p><small>${t("outbox.keep")}</small></p>
  </main>`;
}

const row = (each) => html`<${Row} key=${each.seq} each=${each} />`;

function Row({ each }) {
  const { seq, kind, at, state, outcome, entry } = each;
  return html`<li>
    <div>
      <span class=${`state ${state}`}>${t(`outbox.state.${state}`)}</span>
      <strong>${titleOf(kind)}</strong> ${about(entry)}
      <small>${t("outbox.number", { number: seq + 1 })} · ${showTime(at)}${state === "recorded" ? ` · ${t("outbox.recorded", outcome)}` : ""}</small>
      ${state === "refused" && html`<${Why} seq=${seq} outcome=${outcome} />`}
    </div>
  </li>`;
}

/** The rule's own sentence, in the worker's language where the texts have it. */
function exact({ code, detail }) {
  const told = t(`refusal.${code}`);
  return told.startsWith("refusal.") ? (detail ?? "") : told;
}

function Why({ seq, outcome }) {
  const reason = reasonOf(outcome.code);
  const decision = decided.value.get(seq);
  return html`<p class="why">
    ${t(`why.${reason}`)} ${decision ? t("outbox.dismissed", { reason: decision.reason ?? "" }) : t(`todo.${reason}`)}
    <small>${t("outbox.exactly", { code: outcome.code, detail: exact(outcome) })}</small>
  </p>`;
}
