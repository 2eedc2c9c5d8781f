/** Where a case is: its grid, and its place where one is known. The map is drawn when somebody opens it. Read on the case's page. */

import { html, t, useEffect, useMemo, useState } from "../pages/ui.js";
import { get } from "./api.js";
import { areaName, Trouble } from "./parts.js";
import { titleOf } from "./titles.js";

export function CasePlace({ case: each }) {
  const [told, setTold] = useState(null);
  const [problem, setProblem] = useState(null);
  const [open, setOpen] = useState(false);
  useEffect(() => {
    if (!open || told) return;
    Promise.all([import("./map.js"), get("/v1/areas", { codes: each.area })]).then(([{ Map }, { items }]) => setTold({ Map, areas: items }), setProblem);
  }, [open]);
  const points = useMemo(() => (typeof each.lat === "number" ? [{ key: each.case_id, lat: each.lat, lon: each.lon, text: titleOf(each), class: each.overdue ? "late" : "" }] : []), [each.lat, each.lon, each.overdue]);
  return html`<details class="place no-print" onToggle=${(event) => setOpen(event.target.open)}>
    <summary>${t("cases.map")}</summary>
    <${Trouble} problem=${problem} />
    ${open && told && html`<${told.Map} label=${t("case_page.map", { where: areaName(each.area) })} areas=${told.areas} points=${points} chosen=${each.area} />`}
  </details>`;
}
