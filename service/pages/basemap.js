/**
 * The base map that the city configured, if it did: its tiles, and the datum they are drawn in. Read by the tablet's and the console's maps.
 *
 *     const base = await baseMap();
 *     base.draw(L, map);                              // tiles, where there are any; polygons alone otherwise
 *     L.geoJSON(polygon, { coordsToLatLng: base.seen }).addTo(map);
 *     map.setView(base.seen([place.lon, place.lat]), 17);
 *     map.on("click", ({ latlng }) => use(base.meant(latlng)));   // {lat, lon} of WGS-84
 */

import { toGcj02, toWgs84 } from "./gcj02.js";

const NONE = { tiles: null, datum: "wgs84", attribution: null };
const DEEPEST = 18;
let asked = null;

/** The base map, asked for once; none (polygons only) where the answer cannot be had. */
export function baseMap() {
  asked ??= fetch("/v1/base-map")
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(answer.statusText))))
    .then(baseOf)
    .catch(() => {
      asked = null;
      return baseOf(NONE);
    });
  return asked;
}

/** How WGS-84 and the map's datum meet. told: {tiles, datum, attribution} as the service says it. */
export function baseOf({ tiles, datum, attribution }) {
  const isShifted = Boolean(tiles) && datum === "gcj02";
  return {
    tiles,
    /** Where a [longitude, latitude] of WGS-84 is seen on the map: {lat, lng}. */
    seen([lon, lat]) {
      const [east, north] = isShifted ? toGcj02([lon, lat]) : [lon, lat];
      return { lat: north, lng: east };
    },
    /** What a {lat, lng} of the map means: {lat, lon} of WGS-84, to the sixth decimal (0.1 m). */
    meant({ lat, lng }) {
      const [east, north] = isShifted ? toWgs84([lng, lat]) : [lng, lat];
      return { lat: Number(north.toFixed(6)), lon: Number(east.toFixed(6)) };
    },
    draw(L, map) {
      if (!tiles) return;
      if (attribution) map.attributionControl?.setPrefix(false);
      L.tileLayer(tiles, { maxZoom: DEEPEST + 1, maxNativeZoom: DEEPEST, attribution: escaped(attribution ?? "") }).addTo(map);
    },
  };
}

const escaped = (words) => words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
