/** The offline map: the grids' own outlines, over the city's base map where it configured one and there is a network. */

import "../vendor/leaflet.js";
import { baseMap } from "../pages/basemap.js";
import { html, t, useEffect, useRef } from "../pages/ui.js";
import { items } from "./state.js";

const { L } = globalThis;

// Leaflet's styles come with the first map, and the map waits for them: it measures what they lay out.
await new Promise((resolve) => {
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("../vendor/leaflet.css", import.meta.url).href, onload: resolve, onerror: resolve });
  document.head.append(link);
});

const DOT = { radius: 9, weight: 3, color: "#b3261e", fillColor: "#fff", fillOpacity: 0.8 };
const CLOSE = 17;

/** A map of a grid with a place. onPlace: a tap gives another place; without it the map only shows. */
export function Map({ area, place, onPlace }) {
  const box = useRef(null);
  const drawn = useRef(null);

  useEffect(() => {
    const map = L.map(box.current, { zoomControl: true, attributionControl: true });
    map.attributionControl.setPrefix(false);
    let isGone = false;
    baseMap().then((base) => {
      if (isGone) return;
      base.draw(L, map);
      const outlines = items.value.outline.filter(({ data }) => data.polygon);
      const shapes = outlines.map(({ id, data }) => L.geoJSON(data.polygon, { coordsToLatLng: base.seen, interactive: false, style: styleOf(id === area) }).addTo(map));
      const mine = shapes[outlines.findIndex(({ id }) => id === area)] ?? shapes[0];
      if (mine) map.fitBounds(mine.getBounds());
      drawn.current = { map, base };
      mark(drawn.current, place, true);
      if (!mine && !place) map.setView([35, 105], 4);
      if (onPlace) map.on("click", ({ latlng }) => onPlace(base.meant(latlng)));
    });
    return () => {
      isGone = true;
      drawn.current = null;
      map.remove();
    };
  }, [area]);

  useEffect(() => drawn.current && mark(drawn.current, place, false), [place?.lat, place?.lon]);

  return html`<div ref=${box} class="map" role="application" aria-label=${t(onPlace ? "place.mapChoose" : "place.map")}></div>
    ${onPlace && html`<small>${t("place.tap")}</small>`}`;
}

const styleOf = (isMine) => ({ weight: isMine ? 4 : 1, color: "#0b5d4e", fillOpacity: isMine ? 0.1 : 0.02 });

function mark(at, place, isFirst) {
  at.dot?.remove();
  at.dot = place && L.circleMarker(at.base.seen([place.lon, place.lat]), DOT).addTo(at.map);
  if (place && isFirst) at.map.setView(at.base.seen([place.lon, place.lat]), CLOSE);
}
