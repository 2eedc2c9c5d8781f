/** The choice of a unit: an area's own office, or a department of it. Read by the steps of a case, one or many. */

import { html, t, useEffect, useState } from "../pages/ui.js";
import { allOf, hasRole, session } from "./api.js";
import { AreaChoice, departmentName, Select } from "./parts.js";

const SHIPPED = ["fire", "urban_management", "police", "civil_affairs", "housing"];
const MOST = 2000;
let known = { person: null, departments: [] };

/** Departments that people within sight work for, and the usual ones. */
function useDepartments() {
  const [found, setFound] = useState(known.person === session.value.person ? known.departments : SHIPPED);
  useEffect(() => {
    if (known.person === session.value.person || !hasRole("officer", "auditor", "administrator")) return;
    allOf("/v1/people", { role: "officer" }, { most: MOST })
      .then((people) => {
        const named = people.map(({ unit }) => unit.split("/")[1]).filter(Boolean);
        known = { person: session.value.person, departments: [...new Set([...SHIPPED, ...named])] };
        setFound(known.departments);
      })
      .catch(() => undefined);
  }, []);
  return found;
}

/** department: "must" (only departments), "may", or "not". above: offices above the person's own may be named, by level. */
export function UnitChoice({ label, value, onChange, department = "may", above = "", required }) {
  const departments = useDepartments();
  const [area, word = ""] = value.split("/");
  const own = session.value.grants.some(({ unit }) => area.startsWith(unit.split("/")[0]));
  const set = (code, name) => onChange(code && name ? `${code}/${name}` : code);
  const higher = [above.slice(0, 6), above.slice(0, 9)].filter((code) => code && !session.value.grants.some(({ unit }) => code.startsWith(unit.split("/")[0])));
  return html`<fieldset class="unit">
    <legend>${label}${required ? "" : html` <small>${t("common.optional")}</small>`}</legend>
    <label>${t("cases.unit.area")} <${AreaChoice} value=${area} onChange=${(code) => set(code, word)} first=${t("cases.unit.choose")} also=${higher} required=${required} /></label>
    ${department !== "not" &&
    html`<label>${t("cases.unit.department")}
      <${Select} value=${word} onChange=${(name) => set(area, name)} required=${required && department === "must"}
        options=${[["", department === "must" ? t("cases.unit.choose") : t("cases.unit.office")], ...departments.map((each) => [each, departmentName(each)])]} />
    </label>`}
    <details open=${Boolean(area) && !own}>
      <summary>${t("cases.unit.by_code")}</summary>
      <label>${t("cases.unit.code")} <input value=${value} onChange=${(event) => onChange(event.target.value.trim())} pattern="[0-9]{4,17}(/[a-z0-9_]{1,40})?" maxlength="60" inputmode="numeric" /></label>
    </details>
  </fieldset>`;
}
