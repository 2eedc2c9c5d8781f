/** A report: category by large tiles, a few words, photos and place where they help; solved on the spot in the same screen. */

import { Photos } from "./photos.js";
import { areaNames, categories, draft, grids, record } from "./state.js";
import { GridChoice } from "./grids.js";
import { Choice, Field, go, html, named, signal, t, useState } from "../pages/ui.js";
import { subjectOf } from "./visit.js";

const URGENCIES = ["emergency", "urgent", "normal", "complex"];
const EMPTY = { group: "", code: "", area: "", summary: "", urgency: "normal", photos: [], place: null, self: false, result: "" };
const shownMap = signal(false);

export function Report({ from, tablet }) {
  const [form] = useState(() => draft(`report:${from.patrol ?? from.visit ?? ""}`, { ...EMPTY, area: grids.value[0] ?? "" }));
  const said = form.held.value;
  const set = (name) => (value) => form.set({ [name]: value });
  const { scheme, version, codes } = categories.value;
  const groups = Object.entries(codes).filter(([code]) => code.length === 1);
  const within = Object.entries(codes).filter(([code]) => code.length > 1 && code.startsWith(said.group));
  const isPrivate = Boolean(codes[said.group]?.private || codes[said.code]?.private);

  async function store(event) {
    event.preventDefault();
    const id = crypto.randomUUID();
    const source = from.patrol ? { source: "patrol", patrol: from.patrol } : from.visit ? { source: "visit", visit: from.visit, household: from.household } : { source: "patrol" };
    const data = { category: `${scheme}/${version}/${said.code}`, urgency: said.urgency, ...source };
    const place = said.place && { ...said.place, purpose: "find_matter" };
    const subject = isPrivate && (from.household ? await subjectOf(tablet, from.household) : crypto.randomUUID());
    const apart = [];
    if (isPrivate) {
      if (said.summary) apart.push({ subject, field: "case_summary", value: said.summary });
      if (place) apart.push({ subject, field: "case_place", value: place });
      for (const name of said.photos) apart.push({ subject, field: "photo", value: name });
    } else Object.assign(data, { ...(said.summary && { summary: said.summary }), ...(place && { place }), ...(said.photos.length && { photos: said.photos }) });
    if ((await record("case.reported", id, said.area, data, apart)) === null) return;
    if (said.self) {
      const done = isPrivate ? [{ subject, field: "case_result", value: said.result }] : [];
      await record("case.self_handled", id, said.area, isPrivate ? {} : { result: said.result }, done);
    }
    form.clear();
    go("/");
  }

  return html`<main class="container">
    <h1>${t("report.title")}</h1>
    <form onSubmit=${store}>
      <${Choice} label=${t("report.category")} name="group" required value=${said.group} options=${groups.map(([code, each]) => [code, named(each, code)])}
        onChange=${(group) => form.set({ group, code: Object.keys(codes).some((code) => code.length > 1 && code.startsWith(group)) ? "" : group })} />
      ${within.length > 0 && said.group &&
      html`<${Choice} label=${named(codes[said.group], said.group)} name="code" required value=${said.code} onChange=${set("code")}
        options=${[...within.map(([code, each]) => [code, named(each, code)]), [said.group, t("report.moreOf", { name: named(codes[said.group], said.group) })]]} />`}
      ${said.code &&
      html`
        ${isPrivate && html`<p role="note">${t("report.private")}</p>`}
        <${GridChoice} grids=${grids.value} names=${areaNames.value} value=${said.area} onChange=${set("area")} />
        <${Field} label=${t("report.summary")} value=${said.summary} onInput=${set("summary")} long required maxlength="2000" />
        <${Photos} tablet=${tablet} names=${said.photos} onChange=${set("photos")} />
        <details>
          <summary>${t("report.urgency")} · ${t("report.place")}</summary>
          <${Choice} label=${t("report.urgency")} name="urgency" value=${said.urgency} onChange=${set("urgency")} options=${URGENCIES.map((each) => [each, t(`report.urgency.${each}`)])} />
          <${Where} area=${said.area} place=${said.place} onPlace=${set("place")} />
        </details>
        <label><input type="checkbox" role="switch" checked=${said.self} onChange=${(event) => set("self")(event.target.checked)} /> ${t("report.self")}</label>
        ${said.self && html`<${Field} label=${t("report.result")} value=${said.result} onInput=${set("result")} long required maxlength="2000" />`}
        <button>${t("report.store")}</button>
      `}
    </form>
  </main>`;
}

function Where({ area, place, onPlace }) {
  const [wrong, setWrong] = useState("");
  const [View, setView] = useState(null);
  const here = () =>
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => onPlace({ lat: Number(coords.latitude.toFixed(6)), lon: Number(coords.longitude.toFixed(6)), accuracy_m: Math.round(coords.accuracy) }),
      (fault) => setWrong(t("report.noPlace", { what: fault.message })),
      { enableHighAccuracy: true, timeout: 20_000, maximumAge: 60_000 },
    );
  async function showMap() {
    const { Map } = await import("./map.js");
    setView(() => Map);
    shownMap.value = !shownMap.value;
  }
  return html`<fieldset>
    <legend>${t("report.place")} <small>${t("common.optional")}</small></legend>
    <small>${t("report.placeWhy")}</small>
    <div role="group">
      <button type="button" class="secondary" onClick=${here}>${t("report.here")}</button>
      <button type="button" class="secondary" onClick=${showMap}>${t("report.onMap")}</button>
    </div>
    ${View && shownMap.value && html`<${View} area=${area} place=${place} onPlace=${onPlace} />`}
    ${place && html`<p>${t("report.placed", place)}</p>`}
    ${wrong && html`<p role="alert" class="wrong">${wrong}</p>`}
  </fieldset>`;
}
