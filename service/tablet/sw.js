/** Keeps the app's own files on the device, so that it opens in airplane mode and after a reboot. Data never passes through here. */

const CACHE = "gridtrail-2";
const FILES = [
  "./",
  "index.html",
  ..."app cases grids gridtrail-sync map outbox patrol people photos report rules state today visit".split(" ").map((name) => `${name}.js`),
  "../pages/ui.js",
  "tablet.css",
  "icon.svg",
  "manifest.webmanifest",
  ..."htm leaflet preact preact-hooks qr-scanner qr-scanner-worker.min signals signals-core".split(" ").map((name) => `../vendor/${name}.js`),
  "../vendor/pico.css",
  "../vendor/leaflet.css",
  "../texts/en.json",
  "../texts/zh.json",
  "/v1/case-rules",
];
const KEPT = new Set(FILES.map((file) => new URL(file, location.href).pathname));

addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES.map((file) => new Request(file, { cache: "no-cache" })))));
});
addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
      .then(() => clients.claim()),
  );
});
addEventListener("message", ({ data }) => data === "open" && skipWaiting());

/** What is kept is answered from the device at once, and fetched anew behind it for the next time. */
addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !KEPT.has(new URL(request.url).pathname)) return;
  event.respondWith(
    caches.open(CACHE).then(async (cache) => {
      const held = await cache.match(request, { ignoreSearch: true });
      const fresh = fetch(request).then((answer) => {
        if (answer.ok) cache.put(request, answer.clone());
        return answer;
      });
      if (!held) return fresh;
      event.waitUntil(fresh.catch(() => undefined));
      return held;
    }),
  );
});
