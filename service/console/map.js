/** A map without tile servers, or over the base map that the city configured: the outlines of grids, and points, all told as WGS-84. Read by every page that shows where things are. */

import "../vendor/leaflet.js";
import { baseMap } from "../pages/basemap.js";
import { html, useEffect, useRef } from "../pages/ui.js";

const { L } = globalThis;
const base = await baseMap();
const NEAR = 16;

/**
 * label    what the map shows, for those who do not see it; a list or table beside it must say the same
 * areas    [{code, name, polygon, centre}] as GET /v1/areas gives them
 * look     (area) => {class?, text?, label?}: the class of its outline, what its tooltip adds to its name, what stands in its middle
 * points   [{key, lat, lon, text, class?, onClick?}]
 * chosen   code of the area that stands out; onArea(code), where an area can be chosen
 */
export function Map({ label, areas = [], look, points = [], chosen, onArea }) {
  const box = useRef();
  const held = useRef();
  useEffect(() => {
    const map = L.map(box.current, { attributionControl: Boolean(base.tiles), keyboard: true, preferCanvas: false });
    map.setView([32.1, 114.1], 10);
    base.draw(L, map);
    held.current = { map, outlines: L.featureGroup().addTo(map), marks: L.featureGroup().addTo(map), shown: "" };
    const grown = new ResizeObserver(() => map.invalidateSize());
    grown.observe(box.current);
    return () => {
      grown.disconnect();
      map.remove();
    };
  }, []);
  useEffect(() => {
    const { outlines } = held.current;
    outlines.clearLayers();
    for (const area of areas) {
      const looks = look?.(area) ?? {};
      const layer = outline(area, looks, area.code === chosen, onArea)?.addTo(outlines);
      if (layer && looks.label) L.marker(middle(area, layer), { icon: L.divIcon({ className: `label ${looks.class ?? ""}`, html: words(looks.label), iconSize: null }), interactive: false, keyboard: false }).addTo(outlines);
    }
  }, [areas, look, chosen, onArea]);
  useEffect(() => {
    const { marks } = held.current;
    marks.clearLayers();
    for (const point of points) mark(point).addTo(marks);
  }, [points]);
  useEffect(() => {
    const { map, outlines, marks, shown } = held.current;
    // The reader's own view is kept: the map moves only where other areas are shown than before.
    const now = areas.map(({ code }) => code).join() || (points.length ? "points" : "");
    if (now === shown) return;
    held.current.shown = now;
    const bounds = L.latLngBounds([]).extend(outlines.getBounds()).extend(areas.length ? outlines.getBounds() : marks.getBounds());
    if (bounds.isValid()) map.fitBounds(bounds, { maxZoom: NEAR, animate: false });
  }, [areas, points]);
  return html`<div class="map" ref=${box} role="region" aria-label=${label}></div>`;
}

function outline(area, { class: tone = "", text }, stands, onArea) {
  const { code, name, polygon, centre } = area;
  const className = `outline ${tone} ${stands ? "chosen" : ""}`;
  const layer = polygon ? L.geoJSON(polygon, { coordsToLatLng: base.seen, style: { className } }) : centre ? L.circleMarker(base.seen(centre), { radius: 12, className }) : null;
  layer?.bindTooltip(words(name, text), { sticky: true });
  if (layer && onArea) layer.on("click", () => onArea(code));
  return layer;
}

const middle = ({ centre }, layer) => (centre ? [centre[1], centre[0]] : layer.getBounds().getCenter());

function mark({ lat, lon, text, class: tone = "", onClick }) {
  const point = L.circleMarker(base.seen([lon, lat]), { radius: 7, className: `point ${tone}` }).bindTooltip(words(text));
  if (onClick) point.on("click", onClick);
  return point;
}

/** Texts are told as texts: what people wrote is never read as markup. */
function words(...parts) {
  const element = document.createElement("span");
  element.textContent = parts.filter(Boolean).join(" · ");
  return element;
}
