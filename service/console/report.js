/** A case reported at the counter or by telephone: the matter first, and of the person only what calling back needs. Read by officers. */

import { Field, go, html, say, t, useEffect, useRef, useState } from "../pages/ui.js";
import { send, session } from "./api.js";
import { categoriesOf } from "./cases.js";
import { useDraft } from "./drafts.js";
import { AreaChoice, Select, Trouble, useCategories } from "./parts.js";
import { PhotoInput } from "./photos.js";

const SOURCES = ["resident", "steward", "hotline", "patrol", "visit"];
const URGENCIES = ["normal", "urgent", "emergency", "complex"];
const LEVELS = { grid: 15, community: 12, subdistrict: 9, county: 6 };
const PERSONAL = { resident_name: 64, resident_phone: 20, address_detail: 200 };
const EMPTY = { source: "resident", area: "", category: "", summary: "", urgency: "normal", level: "", reference: "", photos: [], resident_name: "", resident_phone: "", address_detail: "" };

/** What a case of an area may begin at: the lowest level that the area has. */
const levelsOf = (area) => Object.keys(LEVELS).filter((level) => area.length >= LEVELS[level]);

export function Report() {
  const books = useCategories();
  const [said, setSaid, forget] = useDraft("report", { ...EMPTY, area: session.value.grants.find(({ role, unit }) => ["officer", "worker"].includes(role) && !unit.includes("/"))?.unit ?? "" });
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const trouble = useRef();
  useEffect(() => void (problem && trouble.current?.scrollIntoView({ block: "center" })), [problem]);
  const set = (name) => (value) => setSaid((before) => ({ ...before, [name]: value }));
  const levels = levelsOf(said.area);
  const isPrivate = privateIn(books, said.category);

  async function store(event) {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    const { area, category, summary, source, urgency, reference, photos } = said;
    const personal = Object.keys(PERSONAL).filter((name) => said[name].trim()).map((field) => ({ field, value: said[field].trim() }));
    const body = { area, category, summary, source, urgency, level: levels.includes(said.level) ? said.level : levels[0], ...(reference && { reference }), ...(photos.length && { photos }), ...(personal.length && { personal }) };
    try {
      const { body: made } = await send("POST", "/v1/cases", body);
      forget();
      say(t("report_page.done"));
      go(`/case/${made.case_id}?at=${made.ledger}:${made.position}`);
    } catch (wrong) {
      setProblem(wrong);
      setBusy(false);
    }
  }

  return html`<h1>${t("report_page.title")}</h1>
    <form class="narrow" onSubmit=${store}>
      <label>${t("case_page.source")} <${Select} value=${said.source} onChange=${set("source")} options=${SOURCES.map((word) => [word, t(`case_page.source.${word}`)])} /></label>
      <label>${t("cases.area")} <${AreaChoice} value=${said.area} onChange=${set("area")} first=${t("cases.unit.choose")} required /></label>
      <label>${t("cases.category")} <${Select} value=${said.category} onChange=${set("category")} options=${[["", t("cases.unit.choose")], ...categoriesOf(books)]} required /></label>
      <${Field} label=${t("report_page.summary")} long required rows="3" maxlength="2000" value=${said.summary} onInput=${set("summary")} why=${isPrivate ? t("cases.private_words") : t("cases.no_names")} />
      <div class="grid">
        <label>${t("cases.urgency")} <${Select} value=${said.urgency} onChange=${set("urgency")} options=${URGENCIES.map((word) => [word, t(`cases.urgency.${word}`)])} /></label>
        <label>${t("cases.level")} <${Select} value=${levels.includes(said.level) ? said.level : (levels[0] ?? "")} onChange=${set("level")} options=${levels.map((word) => [word, t(`cases.level.${word}`)])} /></label>
      </div>
      <${Field} label=${t("cases.reference")} value=${said.reference} onInput=${set("reference")} maxlength="128" pattern="[A-Za-z0-9._:\\/\\-]+" why=${t("report_page.reference_why")} />
      <${PhotoInput} value=${said.photos} onChange=${set("photos")} />
      <details>
        <summary>${t("report_page.person")}</summary>
        <p class="muted">${t("report_page.person_why")}</p>
        ${Object.entries(PERSONAL).map(([name, longest]) => html`<${Field} key=${name} label=${t(`personal.${name}`)} value=${said[name]} onInput=${set(name)} maxlength=${longest} autocomplete="off" />`)}
      </details>
      <div ref=${trouble}><${Trouble} problem=${problem} /></div>
      <div class="buttons"><a role="button" class="secondary" href="#/cases" onClick=${forget}>${t("common.cancel")}</a><button disabled=${busy || !said.area || !said.category || !said.summary.trim()} aria-busy=${busy}>${t("report_page.store")}</button></div>
    </form>`;
}

function privateIn(books, category) {
  const at = category.lastIndexOf("/");
  const codes = books[category.slice(0, at)]?.codes;
  const code = category.slice(at + 1);
  return Boolean(codes?.[code]?.private || codes?.[code[0]]?.private);
}
