/** Where a matter is: from the tablet's position, from the map, or left to the grid. Nothing is asked of the device before a tap. */

import { html, t, useState } from "../pages/ui.js";

const PATIENCE_MS = 20_000;
const OLDEST_MS = 60_000;

/** why: what the place is used for, said before it is taken. */
export function Where({ area, place, onPlace, why }) {
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  const [View, setView] = useState(null);

  function here() {
    setBusy(true);
    setWrong("");
    navigator.geolocation.getCurrentPosition(
      ({ coords: { latitude, longitude, accuracy } }) => {
        onPlace({ lat: Number(latitude.toFixed(6)), lon: Number(longitude.toFixed(6)), accuracy_m: Math.min(Math.round(accuracy), 1e6) });
        setBusy(false);
      },
      (fault) => {
        setWrong(t(fault.code === fault.PERMISSION_DENIED ? "place.notAllowed" : "place.notFound"));
        setBusy(false);
      },
      { enableHighAccuracy: true, timeout: PATIENCE_MS, maximumAge: OLDEST_MS },
    );
  }

  async function showMap() {
    if (View) return setView(null);
    const { Map } = await import("./map.js");
    return setView(() => Map);
  }

  return html`<fieldset>
    <legend>${t("place.title")} <small>${t("common.optional")}</small></legend>
    <small>${why}</small>
    <div role="group">
      <button type="button" class="secondary" aria-busy=${busy} disabled=${busy} onClick=${here}>${t("place.here")}</button>
      <button type="button" class="secondary" aria-expanded=${Boolean(View)} onClick=${showMap}>${t("place.onMap")}</button>
    </div>
    ${View && html`<${View} area=${area} place=${place} onPlace=${onPlace} />`}
    ${place &&
    html`<p>
      ${t("place.known", { ...place, accuracy: place.accuracy_m === undefined ? "" : t("place.accuracy", { metres: place.accuracy_m }) })}
      <button type="button" class="plain" onClick=${() => onPlace(null)}>${t("place.remove")}</button>
    </p>`}
    ${wrong && html`<p role="alert" class="wrong">${wrong}</p>`}
  </fieldset>`;
}
