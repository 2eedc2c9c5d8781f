/** The trail of a case as a timeline: who did what, when it happened and when it was recorded. Read on the case's page. */

import { html, showDay, showNumber, showTime, t } from "../pages/ui.js";
import { PersonName, UnitName } from "./parts.js";

/** Later than this between happening and recording is told: the tablet was offline, or somebody wrote it down afterwards. */
const LATE_MS = 10 * 60_000;
/** A wall clock that is off by more than this was put right, as docs/sync-protocol.md says. */
const WRONG_CLOCK_MS = 5 * 60_000;
const TEXTS = ["summary", "note", "result", "reason", "task"];
const DAYS = ["until"];
const TIMES = ["accept_due_at", "dispatch_due_at", "muster_due_at", "due_at"];

export function Trail({ case: each, trail }) {
  return html`<h2>${t("case_page.trail")}</h2>
    <ol class="trail">
      ${trail.map((step) => html`<${Step} key=${step.version} step=${step} private=${each.private} />`)}
    </ol>`;
}

function Step({ step, private: hidden }) {
  const { fields } = step;
  return html`<li class=${step.step}>
    <div class="head"><strong>${t(`topic.${step.topic}`)}</strong> <small>${t(`trail.step.${step.step}`)}</small></div>
    <div class="who"><${PersonName} person=${step.by_person} /> · ${t(`console.role.${step.role}`)}${step.tablet && ` · ${t("trail.by_tablet")}`}</div>
    ${step.from_holder && html`<div><${UnitName} unit=${step.from_holder} /> → <${UnitName} unit=${step.holder} /></div>`}
    <${When} step=${step} />
    ${TEXTS.filter((name) => fields[name]).map((name) => html`<blockquote key=${name}>${fields[name]}</blockquote>`)}
    ${hidden && fields.personal?.length > 0 && html`<small class="muted">${t("trail.told_apart", { count: fields.personal.length })}</small>`}
    <${More} fields=${fields} />
  </li>`;
}

/** When it happened, and when it was recorded where that was another time; a clock that was wrong is told, with what it said. */
function When({ step: { happened_at: happened, recorded_at: recorded, occurred_at: said } }) {
  const late = new Date(recorded) - new Date(happened) > LATE_MS;
  const wrong = said && Math.abs(new Date(said) - new Date(happened)) > WRONG_CLOCK_MS;
  return html`<div class="when">
    <time datetime=${happened}>${showTime(happened)}</time>
    ${late && html` · <span class="soon">${t("trail.recorded", { when: showTime(recorded) })}</span>`}
    ${wrong && html` · <span class="late">${t("trail.wrong_clock", { when: showTime(said) })}</span>`}
  </div>`;
}

/** What was said and decided beside the words. */
function More({ fields }) {
  const said = [
    fields.limit && [t("case_page.limit"), `${showNumber(fields.limit.amount)} ${t(`case_page.kind.${fields.limit.kind}`)}`],
    fields.amount && [t("field.amount"), showNumber(fields.amount)],
    fields.complexity && [t("field.complexity"), t(`field.complexity.${fields.complexity}`)],
    fields.found !== undefined && [t("field.found"), t(`field.found.${fields.found}`)],
    fields.passed !== undefined && [t("field.passed"), t(`field.passed.${fields.passed}`)],
    fields.rating && [t("field.rating"), t(`field.rating.${fields.rating}`)],
    fields.rated_by && [t("field.rated_by"), t(`field.rated_by.${fields.rated_by}`)],
    fields.level && [t("cases.level"), t(`cases.level.${fields.level}`)],
    fields.unit && [t("field.unit"), html`<${UnitName} unit=${fields.unit} />`],
    fields.lead && [t("field.lead"), html`<${UnitName} unit=${fields.lead} />`],
    fields.assists?.length > 0 && [t("field.assists"), fields.assists.map((unit, at) => html`${at > 0 && ", "}<${UnitName} unit=${unit} />`)],
    fields.quantities && [t("case_fact.quantities"), Object.entries(fields.quantities).map(([name, amount]) => `${name} ${showNumber(amount)}`).join(", ")],
    fields.photos?.length > 0 && [t("photos.title"), showNumber(fields.photos.length)],
    fields.into && [t("field.into"), html`<a href=${`#/case/${fields.into}`}>${fields.into.slice(0, 8)}</a>`],
    ...DAYS.filter((name) => fields[name]).map((name) => [t(`field.${name}`), showDay(fields[name])]),
    ...TIMES.filter((name) => fields[name]).map((name) => [t(`case_clock.${name}`), showTime(fields[name])]),
  ].filter(Boolean);
  return html`${fields.overtime === true && html`<span class="status warn">${t("cases.overtime")}</span>`}
    ${said.length > 0 && html`<dl class="said">${said.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`}`;
}
