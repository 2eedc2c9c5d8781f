/**
 * Keeps the app's own files on the device, so that it opens in airplane mode and after a reboot. Data never passes through here.
 *
 * All files of one release lie in one cache, which is filled whole before it is used: an app is never made of two releases.
 */

const FILES = [
  "./",
  "index.html",
  ..."app cases drafts gridtrail-sync map more outbox parts patrol people personal photos place plain reasons report rules state stored today visit".split(" ").map((name) => `${name}.js`),
  "tablet.css",
  "icon.svg",
  "manifest.webmanifest",
  ..."basemap gcj02 ui".split(" ").map((name) => `../pages/${name}.js`),
  ..."htm leaflet preact preact-hooks qr-scanner qr-scanner-worker.min signals signals-core".split(" ").map((name) => `../vendor/${name}.js`),
  "../vendor/pico.css",
  "../vendor/leaflet.css",
  "../texts/tablet-en.json",
  "../texts/tablet-zh.json",
  "/v1/case-rules",
  "/v1/base-map",
];
const RELEASE = "release.json";
const PREFIX = "gridtrail-tablet-";
const WHICH = `${PREFIX}which`;
const KEPT = new Set(FILES.map((file) => new URL(file, location.href).pathname));
const TABLET = new URL("./", location.href).pathname;

const released = async () => (await (await fetch(RELEASE, { cache: "no-store" })).json()).release;
/** The name of the cache that is whole and in use; null where there is none yet. */
const whole = async () => (await (await caches.open(WHICH)).match(RELEASE))?.text() ?? null;

/** Fills the cache of the release that the service serves now, unless it is in use. True where it was not. */
async function fetchRelease() {
  const release = await released();
  const name = PREFIX + release;
  if ((await whole()) === name) return false;
  await caches.delete(name);
  const cache = await caches.open(name);
  await cache.addAll(FILES.map((file) => new Request(file, { cache: "no-cache" })));
  // Where the service was upgraded meanwhile, what was fetched may be of both: the next start fetches again.
  if ((await released()) !== release) return false;
  await (await caches.open(WHICH)).put(RELEASE, new Response(name));
  for (const old of await caches.keys()) if (old.startsWith("gridtrail-") && old !== name && old !== WHICH) await caches.delete(old);
  return true;
}

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(fetchRelease());
});
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

async function look() {
  const isNew = await fetchRelease().catch(() => false);
  if (isNew) for (const client of await clients.matchAll()) client.postMessage("new release");
}

async function answer(request) {
  const name = await whole();
  const cache = name && (await caches.open(name));
  const held = cache && (await cache.match(request, { ignoreSearch: true }));
  return { cache, held };
}

/** What is kept is answered from the device at once; of the service's two small tables a fresh copy is fetched behind it. */
addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin || !KEPT.has(pathname)) return;
  const found = answer(request);
  event.respondWith(found.then(({ held }) => held ?? fetch(request)));
  if (pathname.startsWith("/v1/")) event.waitUntil(found.then(({ cache }) => cache?.add(request)).catch(() => undefined));
  if (request.mode === "navigate" && pathname.startsWith(TABLET)) event.waitUntil(look());
});
