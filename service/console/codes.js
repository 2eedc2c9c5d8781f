/** Enrolment codes for administrators: for a person, once, as a card that can be printed. A code is shown when it is made and never again. */

import { html, t, today, useState } from "../pages/ui.js";
import { send, useData } from "./api.js";
import { Copy, Facts, showMoment, useAction } from "./office.js";
import { PersonSearch } from "./people.js";
import { AreaName, areaName, Select, Trouble } from "./parts.js";
import { Qr } from "./qr.js";

/** #/codes, or #/codes?person=<id> where somebody is chosen already. */
export function Codes({ query }) {
  const [person, setPerson] = useState(query.get("person") ?? "");
  const [made, setMade] = useState([]);
  return html`<h1>${t("codes.title")}</h1>
    <p class="no-print">${t("codes.explain")}</p>
    <div class="no-print">
      ${person ? html`<${For} key=${person} person=${person} onMade=${(code) => setMade([code, ...made])} onOther=${() => setPerson("")} />` : html`<${PersonSearch} label=${t("codes.whom")} onChoose=${setPerson} />`}
    </div>
    ${made.length > 0 && html`<section aria-live="polite">
      <div class="toolbar no-print"><h2>${t("codes.made")}</h2><button type="button" class="outline end" onClick=${() => print()}>${t("codes.print")}</button></div>
      ${made.map((code) => html`<${Card} key=${code.id} ...${code} />`)}
    </section>`}`;
}

function For({ person, onMade, onOther }) {
  const { data, problem: unknown } = useData(`/v1/people/${person}`);
  const account = useData("/v1/accounts", { persons: person });
  const [area, setArea] = useState("");
  const { busy, problem, run } = useAction();
  const name = account.data?.items[0]?.label ?? person;
  const places = [...new Set((data?.assignments ?? []).filter(({ from_day, to_day }) => from_day <= today() && (!to_day || to_day >= today())).map(({ unit }) => unit.split("/")[0]))];
  const make = () =>
    run(async () => {
      const { body } = await send("POST", "/v1/enrolment-codes", { person, ...(area && { area }) });
      onMade({ ...body, name });
    });
  return html`<section>
    <${Trouble} problem=${unknown} />
    ${data && html`<${Facts} rows=${[
      [t("codes.for"), html`<strong>${name}</strong> <button type="button" class="outline" onClick=${onOther}>${t("codes.another")}</button>`],
      [t("codes.assignments"), data.assignments.length ? data.assignments.map(({ assignment, role, unit }) => html`<div key=${assignment}>${t(`console.role.${role}`)} · <${AreaName} code=${unit.split("/")[0]} /></div>`) : t("codes.no_assignment")],
    ]} />`}
    ${places.length > 1 && html`<label class="office-form">${t("codes.area")} <${Select} value=${area} onChange=${setArea} options=${[["", t("codes.first_area")], ...places.map((code) => [code, areaName(code)])]} /><small>${t("codes.area_why")}</small></label>`}
    <p><button type="button" aria-busy=${busy} disabled=${busy || !data} onClick=${make}>${t("codes.make")}</button></p>
    <${Trouble} problem=${problem} />
  </section>`;
}

/** What is handed to the worker, on the screen or on paper. */
function Card({ name, code, url, qr, area, expires_at }) {
  return html`<article class="office-code">
    <${Qr} rows=${qr} label=${t("codes.qr", { name })} />
    <div>
      <h3>${name}</h3>
      <p class="code">${code}</p>
      <p>${t("codes.how")}</p>
      <${Facts} rows=${[
        [t("codes.address"), html`<span class="mono">${url.split("#")[0]}</span>`],
        [t("codes.for_area"), html`<${AreaName} code=${area} />`],
        [t("codes.until"), showMoment(expires_at)],
      ]} />
      <p class="muted">${t("codes.once")}</p>
      <${Copy} text=${url} label=${t("codes.copy_url")} />
    </div>
  </article>`;
}
