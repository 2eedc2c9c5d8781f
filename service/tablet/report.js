/** A report: category by large tiles, a few words, level, photos and place where they help; solved on the spot in the same screen. */

import { Choice, Field, go, html, named, say, t, useState } from "../pages/ui.js";
import { draft } from "./drafts.js";
import { Begun, GridChoice } from "./parts.js";
import { handOver, Photos } from "./photos.js";
import { Where } from "./place.js";
import { bearsNumber } from "./plain.js";
import { areaNames, categories, grids, record, tablet } from "./state.js";

const URGENCIES = ["emergency", "urgent", "normal", "complex"];
export const LEVELS = ["grid", "community", "subdistrict", "county"];
const EMPTY = { group: "", code: "", area: "", summary: "", urgency: "normal", level: "grid", photos: [], place: null, self: false, result: "" };

/** Whether what is said of a matter is kept apart from the record, encrypted. */
export function isPrivate(code) {
  const { codes } = categories.value;
  const flagged = Object.keys(codes).filter((each) => (code ?? "").startsWith(each) && codes[each].private !== undefined);
  return Boolean(codes[flagged.sort((one, other) => other.length - one.length)[0]]?.private);
}
/** The outermost kinds of a book: those within no other. */
export const isGroup = (code) => !Object.keys(categories.value.codes).some((each) => each !== code && code.startsWith(each));
export const categoryName = (code) => named(categories.value.codes[code] ?? {}, code);

/** What kind of matter it is, in one or two taps. only: one group, whose kinds alone are shown. */
export function CategoryChoice({ group, code, onChange, label, only }) {
  const { codes } = categories.value;
  const chosen = only ?? group;
  const groups = Object.keys(codes).filter(isGroup);
  const inside = (of) => Object.keys(codes).filter((each) => each !== of && each.startsWith(of));
  const within = chosen ? inside(chosen) : [];
  return html`${!only &&
    html`<${Choice} label=${label} name="group" required value=${group} options=${groups.map((each) => [each, categoryName(each)])}
      onChange=${(to) => onChange({ group: to, code: inside(to).length ? "" : to })} />`}
    ${within.length > 0 &&
    html`<${Choice} label=${only ? label : t("report.kind")} name="code" required value=${code} onChange=${(to) => onChange({ group: chosen, code: to })}
      options=${[...within.map((each) => [each, categoryName(each)]), [chosen, t("report.moreOf", { name: categoryName(chosen) })]]} />`}`;
}

export function Report({ patrol }) {
  const [form] = useState(() => draft(`report:${patrol ?? ""}`, EMPTY));
  const [busy, setBusy] = useState(false);
  const said = form.held.value;
  const area = said.area || (grids.value[0] ?? "");
  const set = (name) => (value) => form.set({ [name]: value });
  const apart = isPrivate(said.code);
  const words = said.summary.trim() || categoryName(said.code);

  async function store(event) {
    event.preventDefault();
    if (!apart && (bearsNumber(words) || (said.self && bearsNumber(said.result)))) return say(t("common.number"));
    setBusy(true);
    try {
      await handOver(said.photos);
      if (await send()) {
        form.clear();
        go("/");
      }
    } catch (fault) {
      say(t("common.wrong", { what: fault.message }));
    }
    setBusy(false);
  }

  async function send() {
    const id = crypto.randomUUID();
    const { scheme, version } = categories.value;
    const data = { category: `${scheme}/${version}/${said.code}`, urgency: said.urgency, level: said.level, source: "patrol", ...(patrol && { patrol }) };
    const place = said.place && { ...said.place, purpose: "find_matter" };
    const subject = apart ? await tablet.value.subjectOf(id) : null;
    const personal = [];
    if (apart) {
      personal.push({ subject, field: "case_summary", value: words });
      if (place) personal.push({ subject, field: "case_place", value: place });
      for (const name of said.photos) personal.push({ subject, field: "photo", value: name });
    } else Object.assign(data, { summary: words, ...(place && { place }), ...(said.photos.length && { photos: said.photos }) });
    if ((await record("case.reported", id, area, data, personal)) === null) return false;
    if (!said.self) return true;
    const done = apart ? [{ subject, field: "case_result", value: said.result }] : [];
    return (await record("case.self_handled", id, area, apart ? {} : { result: said.result }, done)) !== null;
  }

  return html`<main class="container">
    <h1 tabindex="-1">${t("report.title")}</h1>
    <${Begun} form=${form} />
    <form onSubmit=${store}>
      <${CategoryChoice} label=${t("report.category")} group=${said.group} code=${said.code} onChange=${form.set} />
      ${said.code &&
      html`
        ${apart && html`<p role="note">${t("report.private")}</p>`}
        <${GridChoice} grids=${grids.value} names=${areaNames.value} value=${area} onChange=${set("area")} />
        <${Field} label=${t("report.summary")} value=${said.summary} onInput=${set("summary")} long rows="2" maxlength="500" placeholder=${categoryName(said.code)} why=${t(apart ? "report.summaryApart" : "report.summaryWhy")} />
        <${Photos} names=${said.photos} onChange=${set("photos")} />
        <${Where} area=${area} place=${said.place} onPlace=${set("place")} why=${t(apart ? "report.placeApart" : "report.placeWhy")} />
        <details>
          <summary>${t("report.howGrave", { urgency: t(`report.urgency.${said.urgency}`), level: t(`report.level.${said.level}`) })}</summary>
          <${Choice} label=${t("report.urgency")} name="urgency" required value=${said.urgency} onChange=${set("urgency")} options=${URGENCIES.map((each) => [each, t(`report.urgency.${each}`)])} />
          <${Choice} label=${t("report.levelWhy")} name="level" required value=${said.level} onChange=${set("level")} options=${LEVELS.map((each) => [each, t(`report.level.${each}`)])} />
        </details>
        <label class="switch"><input type="checkbox" role="switch" checked=${said.self} onChange=${(event) => set("self")(event.target.checked)} /> ${t("report.self")}</label>
        ${said.self && html`<${Field} label=${t("report.result")} value=${said.result} onInput=${set("result")} long rows="2" required maxlength="2000" />`}
        <button aria-busy=${busy} disabled=${busy || !area}>${t(said.self ? "report.storeSolved" : "report.store")}</button>
      `}
    </form>
  </main>`;
}
