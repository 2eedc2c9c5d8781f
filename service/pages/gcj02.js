/**
 * WGS-84 to GCJ-02 and back: mainland base maps are drawn in GCJ-02, a shifted datum; everything stored here is WGS-84.
 *
 * The forward shift is the published one (Krasovsky ellipsoid, sine series), the inverse is its fixed point, found by iteration. Outside of
 * the rectangle around mainland China both are the identity. Compared with npm's gcoord by tests/browser/test_gcj02.py.
 */

const MAJOR_M = 6378245;
const ECCENTRICITY_2 = 0.00669342162296594323;
const WITHIN = { west: 72.004, east: 137.8347, south: 0.8293, north: 55.8271 };
const CLOSE_DEGREES = 1e-10;
const MOST_ROUNDS = 20;

const sin = (turns) => Math.sin(turns * Math.PI);
const isShifted = (lon, lat) => lon >= WITHIN.west && lon <= WITHIN.east && lat >= WITHIN.south && lat <= WITHIN.north;

function waves(x, y) {
  const both = ((20 * sin(6 * x) + 20 * sin(2 * x)) * 2) / 3;
  const north =
    -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * Math.sqrt(Math.abs(x)) + both + ((20 * sin(y) + 40 * sin(y / 3)) * 2) / 3 + ((160 * sin(y / 12) + 320 * sin(y / 30)) * 2) / 3;
  const east =
    300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * Math.sqrt(Math.abs(x)) + both + ((20 * sin(x) + 40 * sin(x / 3)) * 2) / 3 + ((150 * sin(x / 12) + 300 * sin(x / 30)) * 2) / 3;
  return [east, north];
}

/** [longitude, latitude] in degrees of WGS-84, as [longitude, latitude] of GCJ-02. */
export function toGcj02([lon, lat]) {
  if (!isShifted(lon, lat)) return [lon, lat];
  const [east, north] = waves(lon - 105, lat - 35);
  const angle = (lat / 180) * Math.PI;
  const flat = 1 - ECCENTRICITY_2 * Math.sin(angle) ** 2;
  const metresNorth = (MAJOR_M * (1 - ECCENTRICITY_2)) / (flat * Math.sqrt(flat));
  const metresEast = (MAJOR_M / Math.sqrt(flat)) * Math.cos(angle);
  return [lon + (east * 180) / (metresEast * Math.PI), lat + (north * 180) / (metresNorth * Math.PI)];
}

/** [longitude, latitude] in degrees of GCJ-02, as [longitude, latitude] of WGS-84, to 1e-10 degrees (0.01 mm). */
export function toWgs84([lon, lat]) {
  if (!isShifted(lon, lat)) return [lon, lat];
  let [east, north] = [lon, lat];
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const [shownEast, shownNorth] = toGcj02([east, north]);
    [east, north] = [east - (shownEast - lon), north - (shownNorth - lat)];
    if (Math.max(Math.abs(shownEast - lon), Math.abs(shownNorth - lat)) < CLOSE_DEGREES) break;
  }
  return [east, north];
}
