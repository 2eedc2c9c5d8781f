/** The console's only way to the service: the public interface, with the session of whoever is logged in. Read by every page. */

import { signal, useEffect, useRef, useState } from "../pages/ui.js";

const KEPT_AS = "gridtrail:session";
const PAGE = 500;
const SOON_MS = 15_000;
/** Who is not admitted asks so often again, where that is wanted in so few seconds: before a list asks anew by itself. */
const TIMES_AGAIN = 2;
const MOST_WAIT_S = 3;

/** An answer that is no success. fields: {name: sentence}; current: the version that a case has now, where it was changed meanwhile. */
export class Problem extends Error {
  constructor({ status, code, title, detail, errors, current, ...facts }) {
    super(detail ?? title ?? code);
    Object.assign(this, { status, code, title, detail, fields: fieldsOf(errors), current, facts });
  }
}

function fieldsOf(errors) {
  const found = {};
  for (const part of Object.values(errors ?? {})) for (const [name, said] of Object.entries(part ?? {})) found[name] = [said].flat(2).map((each) => (typeof each === "string" ? each : JSON.stringify(each))).join(" ");
  return found;
}

// ---- the session

/** {token, person, name, login, grants: [{role, unit}], expires_at}, or null. It ends with the browser's last tab. */
export const session = signal(stored());
/** Why the last session ended: "", "expired" or "left". */
export const farewell = signal("");

function stored() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT_AS) ?? "null");
  return kept && new Date(kept.expires_at) > new Date() ? kept : null;
}

function begin(kept) {
  sessionStorage.setItem(KEPT_AS, JSON.stringify(kept));
  farewell.value = "";
  session.value = kept;
}

function end(why) {
  sessionStorage.removeItem(KEPT_AS);
  farewell.value = why;
  session.value = null;
}

// Tabs of one browser are one person's: a case that is opened in another tab needs no second login, and logging out ends all.
const tabs = new BroadcastChannel("gridtrail:session");
tabs.addEventListener("message", ({ data }) => {
  if (data.asking && session.value) tabs.postMessage({ begun: session.value });
  if (data.begun && !session.value && farewell.value !== "left" && new Date(data.begun.expires_at) > new Date()) begin(data.begun);
  if (data.left && data.left === session.value?.token) end("left");
});
if (!session.value) tabs.postMessage({ asking: true });

/** Ends the session at its hour, also where nothing is asked of the service meanwhile. */
setInterval(() => session.value && new Date(session.value.expires_at) <= new Date() && end("expired"), SOON_MS);

/** Logs in; Problem wrong_login or too_many_attempts where that is refused. */
export async function login(name, password) {
  const { body: issued } = await send("POST", "/v1/sessions", { login: name, password });
  const me = await answered(await asked("/v1/me", { headers: { Authorization: `Bearer ${issued.token}` } }));
  begin({ token: issued.token, person: issued.person, login: name, name: me.label || name, grants: me.grants, expires_at: issued.expires_at });
  tabs.postMessage({ begun: session.value });
}

/** Logs out, here and at the service. */
export async function logout() {
  const token = session.value?.token;
  end("left");
  tabs.postMessage({ left: token });
  if (token) await fetch("/v1/sessions", { method: "DELETE", headers: { Authorization: `Bearer ${token}` } }).catch(() => undefined);
}

/** Whether the person has one of these roles today. */
export const hasRole = (...roles) => (session.value?.grants ?? []).some(({ role }) => roles.includes(role));

// ---- requests

/** A path with its query; what is undefined, null or "" is left out. */
export function addressOf(path, query = {}) {
  const said = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return said.length ? `${path}?${new URLSearchParams(said)}` : path;
}

/** The answer. Where all places were taken nothing was done: so what was asked, also to record, is asked again when that is wanted. */
async function asked(path, said = {}) {
  const person = session.value?.person;
  for (let again = 0; ; again += 1) {
    const answer = await askedOnce(path, said);
    const wait_s = again < TIMES_AGAIN && (await toWait(answer));
    if (!wait_s) return answer;
    await new Promise((resolve) => setTimeout(resolve, 1000 * (wait_s + Math.random())));
    // Nobody speaks for another person, who may have logged in meanwhile.
    if (session.value?.person !== person) return answer;
  }
}

/** Seconds until one may come again; null where that is no use. */
async function toWait(answer) {
  if (answer.status !== 503) return null;
  const wait_s = Number(answer.headers.get("Retry-After"));
  const { code } = await answer.clone().json().catch(() => ({}));
  return code === "overloaded" && wait_s <= MOST_WAIT_S ? wait_s : null;
}

async function askedOnce(path, { purpose, version, etag, ...options }) {
  const token = session.value?.token;
  const headers = { ...options.headers };
  if (token) headers.Authorization ??= `Bearer ${token}`;
  if (purpose) headers["Gridtrail-Purpose"] = encodeURIComponent(purpose);
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  if (etag) headers["If-None-Match"] = etag;
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new Problem({ status: 0, code: "unreachable" });
  }
  if (answer.status === 401 && token && token === session.value?.token) end("expired");
  return answer;
}

/** The body of a success; Problem for anything else. */
async function answered(answer) {
  if (answer.status === 204) return null;
  const isJson = answer.headers.get("Content-Type")?.includes("json");
  const body = isJson ? await answer.json() : null;
  if (!answer.ok) throw new Problem({ code: "unreadable", ...body, status: answer.status });
  return body;
}

/** The body of a GET. */
export async function get(path, query = {}, more = {}) {
  return answered(await asked(addressOf(path, query), more));
}

/** Sends a body (or none); version: that of the case as it was read, which goes as If-Match. Gives {body, etag}. */
export async function send(method, path, body, { version, purpose } = {}) {
  const said = body === undefined || body === null ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const answer = await asked(path, { method, version, purpose, ...said });
  return { body: await answered(answer), etag: answer.headers.get("ETag") };
}

/** Sends a file as it is. Gives the body of the answer. */
export async function sendFile(path, query, file, type) {
  return answered(await asked(addressOf(path, query), { method: "POST", body: file, headers: { "Content-Type": type } }));
}

/** What is no JSON: a photo, a dossier, a table. */
export async function fetchFile(path, query = {}, more = {}) {
  const answer = await asked(addressOf(path, query), more);
  if (!answer.ok) await answered(answer);
  return answer.blob();
}

/** The items of all pages, one by one, at most so many. */
export async function* everything(path, query = {}, { most = 5000 } = {}) {
  let cursor;
  for (let told = 0; told < most; ) {
    const page = await get(path, { ...query, limit: Math.min(PAGE, most - told), cursor });
    yield* page.items;
    told += page.items.length;
    cursor = page.next;
    if (!cursor) return;
  }
}

/** All items as a list, at most so many. */
export async function allOf(path, query = {}, more = {}) {
  const found = [];
  for await (const each of everything(path, query, more)) found.push(each);
  return found;
}

/**
 * What a path answers, for a component: {data, problem, loading, reload}. Asked anew when path or query change, and every so many
 * milliseconds while the page is visible; what was there stays until the new is. No path, no question.
 *
 * An auditor's reads go on record one by one, so nothing is asked of the service on a timer for an auditor.
 */
export function useData(path, query = {}, { every } = {}) {
  const address = path ? addressOf(path, query) : null;
  const [told, tell] = useState({ address: null, data: null, problem: null, loading: Boolean(path) });
  const [turn, setTurn] = useState(0);
  const held = useRef({});
  useEffect(() => {
    if (!address) return tell({ address, data: null, problem: null, loading: false });
    let wanted = true;
    const known = held.current.address === address ? held.current : {};
    tell((before) => ({ ...before, loading: true }));
    ask(address, {}, known)
      .then(({ etag, data }) => {
        if (!wanted) return;
        if (data !== undefined) held.current = { address, etag, data };
        tell({ address, data: held.current.data, problem: null, loading: false });
      })
      .catch((problem) => wanted && tell((before) => ({ address, data: before.address === address ? before.data : null, problem, loading: false })));
    return () => (wanted = false);
  }, [address, turn]);
  useEffect(() => {
    if (!every || !address || hasRole("auditor")) return undefined;
    const again = () => document.visibilityState === "visible" && setTurn((before) => before + 1);
    const timer = setInterval(again, every);
    document.addEventListener("visibilitychange", again);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", again);
    };
  }, [address, every]);
  return { data: told.data, problem: told.problem, loading: told.loading, reload: () => setTurn((before) => before + 1) };
}

/** {etag, data}; data undefined where nothing changed since etag. */
export async function ask(path, query = {}, { etag } = {}) {
  const answer = await asked(addressOf(path, query), { etag });
  if (answer.status === 304) return { etag };
  return { etag: answer.headers.get("ETag"), data: await answered(answer) };
}

/** Brings bytes, such as a photo. */
export async function putFile(path, blob) {
  await answered(await asked(path, { method: "PUT", body: blob, headers: { "Content-Type": blob.type } }));
}
