/** The offline map: the grids' own outlines, no tiles from anywhere. Positions are WGS-84. */

import "../vendor/leaflet.js";
import { items } from "./state.js";
import { html, useEffect } from "../pages/ui.js";

const { L } = globalThis;

/** A map of a grid; a tap gives the place. */
export function Map({ area, place, onPlace }) {
  useEffect(() => {
    const map = L.map("map", { attributionControl: false, zoomControl: true });
    const outlines = items.value.outline.filter(({ data }) => data.polygon);
    const drawn = outlines.map(({ id, data }) => L.geoJSON(data.polygon, { style: { weight: id === area ? 4 : 1, color: "#0b5d4e", fillOpacity: id === area ? 0.1 : 0.02 } }).addTo(map));
    const mine = drawn[outlines.findIndex(({ id }) => id === area)] ?? drawn[0];
    if (place) map.setView([place.lat, place.lon], 17);
    else if (mine) map.fitBounds(mine.getBounds());
    else map.setView([32.1, 114.1], 12);
    let marker = place && L.circleMarker([place.lat, place.lon], { radius: 9, color: "#b3261e" }).addTo(map);
    map.on("click", ({ latlng: { lat, lng } }) => {
      marker?.remove();
      marker = L.circleMarker([lat, lng], { radius: 9, color: "#b3261e" }).addTo(map);
      onPlace({ lat: Number(lat.toFixed(6)), lon: Number(lng.toFixed(6)) });
    });
    return () => map.remove();
  }, [area]);
  return html`<div id="map" class="map"></div>`;
}
