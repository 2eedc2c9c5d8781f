/**
 * gridtrail-sync.js: the tablet's side of docs/sync-protocol.md, for browsers. One module, no dependencies.
 *
 * It stores what a worker records durably and in order (IndexedDB), seals it as a Merkle tree of the tablet's own (RFC 6962, C2SP
 * signed checkpoints), uploads it whenever there is a network, keeps every receipt and sees that it is kept, and downloads what
 * changed. A city's own app can embed it as it is:
 *
 *     import { Tablet } from "./gridtrail-sync.js";
 *     const tablet = await Tablet.open("worker-7");
 *     await tablet.enrol("https://grid.example.org", "7K3M-9QXA-T5VW-2HJC");
 *     await tablet.record("case.reported", crypto.randomUUID(), "411502001001001", { category: "gridtrail/1/B02", summary: "…" });
 *     const stop = tablet.keepInSync();
 *
 * - The promise of record() is kept only once the entry is on disk. Where the device has no room left, it fails with Full, and all that
 *   was stored before is still there.
 * - sync() and prove() may be called at any time, from any page or worker of the same origin: one of them does the work, the others
 *   wait (Web Locks). Everything is taken from what is stored, so a page may be killed anywhere.
 * - sync() fails with Unreachable (come again), Refused (with the service's code) or OtherHistory (an officer must look into it). Each is
 *   a state as well: the fact "trouble" until the next success, and faults() for what was not as the service had promised.
 * - The key is Ed25519, or P-256 where the browser has no Ed25519; it never leaves the browser and is bound to its algorithm.
 */

export const KEPT_MS = 30 * 24 * 3600 * 1000;
/** What a receipt can tell at most of how much time went by since the one before. */
const LONGEST_STEP_MS = 7 * 24 * 3600 * 1000;
export const SHORT_OF_STORAGE = 0.8;
const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;
const LONGEST_RETRY_MS = 600_000;
const ANSWER_MS = 60_000;
const SLOWEST_BYTES_PER_MS = 4;
const EVERY_MS = 5 * 60_000;
const RECONNECT_MS = 3000;
const BATCH = 500;
const SMALL_BATCH = 8;
const TAKEN = new Set([200, 201]);
const AGAIN = new Set([408, 425, 429, 500, 502, 503, 504]);
const DAMAGED = new Set(["root_mismatch", "length_mismatch", "no_seal", "bad_gzip"]);
const SMALLER = new Set(["too_large", "too_many_entries", "too_slow"]);
const PHOTO_FOR_GOOD = new Set([413, 415, 422]);
/** Refusals of personal values that may pass once the entries are recorded. */
const PASSING = new Set(["too_many_unnamed", "tablet_not_active"]);
const MOST_POSITIONS = 500;
const MOST_HEADS = 50;
const MOST_FAULTS = 50;
const HASH_BYTES = 32;

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { fatal: true });

/** The service did not answer, or said to come again later. Everything is still stored. retryMs: not before so many milliseconds. */
export class Unreachable extends Error {
  constructor(message, retryMs = 0) {
    super(message);
    this.name = "Unreachable";
    this.retryMs = retryMs;
  }
}

/** The service said no, and the same again would not help. code and facts are those of the problem document (RFC 9457). */
export class Refused extends Error {
  constructor(status, facts) {
    super(`${status} ${facts.code ?? ""}: ${facts.detail ?? ""}`);
    this.name = "Refused";
    this.status = status;
    this.code = facts.code ?? "";
    this.facts = facts;
  }
}

/**
 * The service holds another history than this tablet, or shows one that its own signature contradicts. An officer must look into it.
 *
 * evidence: {ledger, seen, told}, the signed checkpoints that contradict each other, where there are such.
 */
export class OtherHistory extends Error {
  constructor(message, evidence = {}) {
    super(message);
    this.name = "OtherHistory";
    this.evidence = evidence;
  }
}

/** The device has no room left. What was being stored is not stored; all that was stored before is. */
export class Full extends Error {
  constructor() {
    super("The device has no room left for this. What was stored before is still there.");
    this.name = "Full";
  }
}


// ---- bytes

export function toBase64(bytes) {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 32_768) binary += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  return btoa(binary);
}

export function fromBase64(coded) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(coded), (each) => each.charCodeAt(0));
  } catch {
    throw new OtherHistory("Not base64.");
  }
  if (toBase64(bytes) !== coded) throw new OtherHistory("Not canonical base64.");
  return bytes;
}

export const toBase64Url = (bytes) => toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
export const toHex = (bytes) => Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");

const sameBytes = (one, other) => one.length === other.length && one.every((each, at) => each === other[at]);

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

// ---- Merkle trees (RFC 6962)

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export const leafHash = (entry) => sha256(joined(LEAF, entry));
export const nodeHash = (left, right) => sha256(joined(NODE, left, right));

/** The right edge of a tree: enough to add leaves and to know the root. roots: of its perfect subtrees, the largest first. */
export class Frontier {
  constructor(size = 0, roots = []) {
    this.size = size;
    this.roots = roots;
  }

  async append(leaf) {
    let hash = leaf;
    for (let carry = this.size; carry % 2 === 1; carry = Math.floor(carry / 2)) hash = await nodeHash(this.roots.pop(), hash);
    this.roots.push(hash);
    this.size += 1;
  }

  async root() {
    if (!this.roots.length) return sha256(new Uint8Array());
    let root = this.roots.at(-1);
    for (const left of this.roots.slice(0, -1).reverse()) root = await nodeHash(left, root);
    return root;
  }

  copy() {
    return new Frontier(this.size, [...this.roots]);
  }
}

/** RFC 9162 section 2.1.3.2. False unless the leaf stands at index in the tree of that size and root. */
export async function verifyInclusion(leaf, index, size, proof, root) {
  if (index < 0 || index >= size || [leaf, root, ...proof].some((each) => each.length !== HASH_BYTES)) return false;
  let [here, last, found] = [BigInt(index), BigInt(size) - 1n, leaf];
  for (const sibling of proof) {
    if (last === 0n) return false;
    if (here & 1n || here === last) {
      found = await nodeHash(sibling, found);
      while (here && !(here & 1n)) [here, last] = [here >> 1n, last >> 1n];
    } else found = await nodeHash(found, sibling);
    [here, last] = [here >> 1n, last >> 1n];
  }
  return last === 0n && sameBytes(found, root);
}

/** RFC 9162 section 2.1.4.2. False unless the second tree begins with the first; a first size of 0 proves nothing. */
export async function verifyConsistency(first, second, proof, firstRoot, secondRoot) {
  if (first <= 0 || first > second) return false;
  if (first === second) return !proof.length && sameBytes(firstRoot, secondRoot);
  if ([firstRoot, secondRoot, ...proof].some((each) => each.length !== HASH_BYTES)) return false;
  let [here, last] = [BigInt(first) - 1n, BigInt(second) - 1n];
  const path = (BigInt(first) & here) === 0n ? [firstRoot, ...proof] : [...proof];
  if (!path.length) return false;
  while (here & 1n) [here, last] = [here >> 1n, last >> 1n];
  let [old, now] = [path[0], path[0]];
  for (const sibling of path.slice(1)) {
    if (last === 0n) return false;
    if (here & 1n || here === last) {
      [old, now] = [await nodeHash(sibling, old), await nodeHash(sibling, now)];
      while (here && !(here & 1n)) [here, last] = [here >> 1n, last >> 1n];
    } else now = await nodeHash(now, sibling);
    [here, last] = [here >> 1n, last >> 1n];
  }
  return last === 0n && sameBytes(old, firstRoot) && sameBytes(now, secondRoot);
}

// ---- Ed25519 for browsers that have none: verification only (RFC 8032 section 5.1.7)
//
// A WebView without Ed25519 signs with P-256, but what the service signs is Ed25519, and a receipt that is not verified is worth nothing.
// Only public values pass through here, so it does not matter that the time it takes tells something of them.

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
let curve = null;

const mod = (value) => ((value % P) + P) % P;

function power(base, exponent) {
  let found = 1n;
  for (let [square, left] = [mod(base), exponent]; left; [square, left] = [(square * square) % P, left >> 1n]) {
    if (left & 1n) found = (found * square) % P;
  }
  return found;
}

const numberOf = (bytes) => BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`);

/** A point in extended coordinates [X, Y, Z, T], or null where the bytes are none (RFC 8032 section 5.1.3). */
function pointOf(bytes, { d, root }) {
  const coded = numberOf(bytes);
  const [sign, y] = [coded >> 255n, coded & (2n ** 255n - 1n)];
  if (y >= P) return null;
  const [u, v] = [mod(y * y - 1n), mod(d * y * y + 1n)];
  let x = mod(u * power(v, 3n) * power(u * power(v, 7n), (P - 5n) / 8n));
  const square = mod(v * x * x);
  if (square === mod(-u)) x = mod(x * root);
  else if (square !== u) return null;
  if (!x && sign) return null;
  if ((x & 1n) !== sign) x = P - x;
  return [x, y, 1n, mod(x * y)];
}

/** The sum of two points, which may be one and the same: the formulas hold for all (RFC 8032 section 5.1.4). */
function sumOf([x1, y1, z1, t1], [x2, y2, z2, t2], d) {
  const a = ((y1 - x1 + P) * (y2 - x2 + P)) % P;
  const b = ((y1 + x1) * (y2 + x2)) % P;
  const c = (((2n * t1 * t2) % P) * d) % P;
  const e = (2n * z1 * z2) % P;
  const [f, g, h, i] = [b - a + P, e - c + P, e + c, b + a];
  return [(f * g) % P, (h * i) % P, (g * h) % P, (f * i) % P];
}

function constants() {
  const d = mod(-121665n * power(121666n, P - 2n));
  const found = { d, root: power(2n, (P - 1n) / 4n) };
  return { ...found, base: pointOf(new Uint8Array(HASH_BYTES).fill(0x66).fill(0x58, 0, 1), found) };
}

/** Whether a public key (32 bytes) signed the message: [s]B = R + [k]A, with R and s in their only form. */
export async function verifyEd25519Here(publicKey, signature, message) {
  curve ??= constants();
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  const key = pointOf(publicKey, curve);
  const s = numberOf(signature.subarray(32));
  if (!key || s >= ORDER) return false;
  const hash = await crypto.subtle.digest("SHA-512", joined(signature.subarray(0, 32), publicKey, message));
  const k = numberOf(new Uint8Array(hash)) % ORDER;
  const minus = [P - key[0], key[1], 1n, P - key[3]];
  const both = sumOf(curve.base, minus, curve.d);
  let found = [0n, 1n, 1n, 0n];
  for (let bit = 255n; bit >= 0n; bit -= 1n) {
    found = sumOf(found, found, curve.d);
    const [ofS, ofK] = [(s >> bit) & 1n, (k >> bit) & 1n];
    if (ofS || ofK) found = sumOf(found, ofS && ofK ? both : ofS ? curve.base : minus, curve.d);
  }
  const inverse = power(found[2], P - 2n);
  const [x, y] = [(found[0] * inverse) % P, (found[1] * inverse) % P];
  return (y | ((x & 1n) << 255n)) === numberOf(signature.subarray(0, 32));
}

/** Whether a public key signed the message; by the browser where it can. */
async function verifyEd25519(publicKey, signature, message) {
  let key;
  try {
    key = await crypto.subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
  } catch {
    return verifyEd25519Here(publicKey, signature, message);
  }
  return crypto.subtle.verify("Ed25519", key, signature, message);
}

// ---- the tablet's own key: Ed25519, or P-256 where the browser has no Ed25519

/** By the name that enrolment binds a key to: the type that stands in key ids, and what WebCrypto is to be asked for. */
const ALGORITHMS = {
  ed25519: { type: Uint8Array.of(1), key: "Ed25519", sign: "Ed25519" },
  p256: {
    type: joined(Uint8Array.of(255), utf8.encode("gridtrail-p256")),
    key: { name: "ECDSA", namedCurve: "P-256" },
    sign: { name: "ECDSA", hash: "SHA-256" },
  },
};
const ED25519 = ALGORITHMS.ed25519.type;

/** A key pair whose private part cannot be read by anybody, of the first algorithm that this browser has. */
async function newKeys() {
  let why;
  for (const { key } of Object.values(ALGORITHMS)) {
    try {
      return await crypto.subtle.generateKey(key, false, ["sign", "verify"]);
    } catch (fault) {
      why = fault;
    }
  }
  throw why;
}

const algorithmOf = (keys) => (keys.privateKey.algorithm.name === "ECDSA" ? "p256" : "ed25519");
const publicBytes = async (keys) => new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
const signedBy = async (keys, said) =>
  new Uint8Array(await crypto.subtle.sign(ALGORITHMS[algorithmOf(keys)].sign, keys.privateKey, utf8.encode(said)));

// ---- signed notes (C2SP signed-note, tlog-checkpoint)

const keyIdOf = async (name, key, type = ED25519) => (await sha256(joined(utf8.encode(`${name}\n`), type, key))).subarray(0, 4);

async function sealOf(origin, size, root, keys) {
  const note = `${origin}\n${size}\n${toBase64(root)}\n`;
  const id = await keyIdOf(origin, await publicBytes(keys), ALGORITHMS[algorithmOf(keys)].type);
  return `${note}\n— ${origin} ${toBase64(joined(id, await signedBy(keys, note)))}\n`;
}

/** Whether one of the keys signed the note under a name; false as well where a signature of one of them is wrong. */
async function isSigned(note, name, publicKeys) {
  const cut = note.lastIndexOf("\n\n");
  const said = utf8.encode(note.slice(0, cut + 1));
  const ids = await Promise.all(publicKeys.map((each) => keyIdOf(name, each)));
  let signed = false;
  for (const line of note.slice(cut + 2).split("\n")) {
    const [dash, signer, coded] = line.split(" ");
    if (dash !== "—" || signer !== name) continue;
    const signature = fromBase64(coded);
    const at = ids.findIndex((id) => sameBytes(signature.subarray(0, 4), id));
    if (at < 0) continue;
    if (!(await verifyEd25519(publicKeys[at], signature.subarray(4), said))) return false;
    signed = true;
  }
  return signed;
}

/** Size and root of a checkpoint that one of the keys signed under the origin. OtherHistory where none did. */
export async function openCheckpoint(note, origin, ...publicKeys) {
  if (typeof note !== "string") throw new OtherHistory(`This is no checkpoint of ${origin}.`);
  const cut = note.lastIndexOf("\n\n");
  const said = note.slice(0, cut + 1);
  const [name, size, root, rest] = said.split("\n");
  if (cut < 0 || name !== origin || !/^(0|[1-9][0-9]{0,15})$/.test(size ?? "") || rest === undefined) {
    throw new OtherHistory(`This is no checkpoint of ${origin}.`);
  }
  if (await isSigned(note, origin, publicKeys)) return { size: Number(size), root: fromBase64(root) };
  throw new OtherHistory(`The checkpoint of ${origin} is not signed by the service's key.`);
}

// ---- the service's key is handed on (docs/sync-protocol.md)

const ROTATION = "gridtrail-key-rotation/1";
const MOST_STATEMENTS = 1000;

/** The public key of a C2SP verifier key of a name. OtherHistory where it is none. */
async function keyOf(told, name) {
  const [, id, coded] = told.startsWith(`${name}+`) ? (/^\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/.exec(told.slice(name.length)) ?? []) : [];
  const bytes = coded ? fromBase64(coded) : new Uint8Array();
  if (bytes.length !== 33 || bytes[0] !== 1 || toHex(await keyIdOf(name, bytes.subarray(1))) !== id) {
    throw new OtherHistory("A statement names a key that is none.");
  }
  return bytes.slice(1);
}

/** What a statement says, if both its keys signed it: {origin, old, new, stolen}. OtherHistory otherwise. */
async function readRotation(statement) {
  const lines = typeof statement === "string" ? statement.slice(0, statement.lastIndexOf("\n\n") + 1).split("\n") : [];
  const [form, origin, old, next, time, last] = lines;
  const timed = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(time ?? "");
  if (lines.length !== 8 || form !== ROTATION || !origin || !timed || !/^(-|0|[1-9][0-9]{0,18})$/.test(last)) {
    throw new OtherHistory("This is no statement that a key was handed on.");
  }
  const keys = [await keyOf(old, origin), await keyOf(next, origin)];
  const signed = await Promise.all(keys.map((each) => isSigned(statement, origin, [each])));
  if (sameBytes(...keys) || !signed.every(Boolean)) throw new OtherHistory("The old key and the new did not both sign that the key was handed on.");
  return { origin, old: keys[0], new: keys[1], stolen: last !== "-" };
}

/** Goes on from {key, earlier} along the statements that begin with it, oldest first. After a theft no earlier key is believed. */
async function followed(statements, origin, trusted) {
  let { key, earlier } = trusted;
  for (const statement of statements) {
    const rotation = await readRotation(statement);
    if (rotation.origin !== origin || !sameBytes(rotation.old, key)) continue;
    earlier = rotation.stolen ? [] : [...earlier, key];
    key = rotation.new;
  }
  return { key, earlier };
}

// ---- enrolment codes

/** A code as it was given out, from whatever was typed. */
export function canonicalCode(typed) {
  const plain = typed.toUpperCase().slice(0, 80).replace(/[^0-9A-Z]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");
  return plain.replace(/(.{4})(?=.)/g, "$1-");
}

// ---- what is stored

/** By store: its key, and the indexes by which it is looked through. A larger VERSION adds what is missing; nothing is ever dropped. */
const VERSION = 2;
const STORES = {
  facts: { key: "name" },
  entries: { key: "seq", by: ["state", "toShow"] },
  otherHistory: { key: "seq" },
  receipts: { key: "at" },
  heads: { key: ["ledger", "incarnation", "size", "root"], by: ["ledger", "at"] },
  photos: { key: "sha256", by: ["state", "sentAt"] },
  disclosures: { key: "digest", by: ["state"] },
  items: { key: ["ledger", "kind", "id"], by: ["kind"] },
  personal: { key: ["kind", "id"] },
};

function answered(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** One IndexedDB database. Every change is one transaction, flushed to disk (durability strict) before its promise is kept. */
class Store {
  static async open(name) {
    const request = indexedDB.open(`gridtrail:${name}`, VERSION);
    request.onupgradeneeded = () => {
      const { result: database, transaction } = request;
      for (const [name, { key, by = [] }] of Object.entries(STORES)) {
        const store = database.objectStoreNames.contains(name) ? transaction.objectStore(name) : database.createObjectStore(name, { keyPath: key });
        for (const path of by) if (!store.indexNames.contains(path)) store.createIndex(path, path);
      }
    };
    const database = await answered(request);
    // Another page of a newer release wants to upgrade: let go of the database rather than keep it waiting for ever.
    database.onversionchange = () => database.close();
    return new Store(database);
  }

  constructor(database) {
    this.database = database;
  }

  /**
   * Runs work inside one transaction; work may await nothing but requests of that transaction. Gives what work gives. Full where there is no
   * room: then nothing changed.
   */
  async change(names, work) {
    try {
      return await this.changed(names, work);
    } catch (fault) {
      throw fault?.name === "QuotaExceededError" ? new Full() : fault;
    }
  }

  async changed(names, work) {
    const transaction = this.database.transaction(names, "readwrite", { durability: "strict" });
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error ?? new Error("The transaction was aborted."));
    });
    const stores = Object.fromEntries(names.map((name) => [name, transaction.objectStore(name)]));
    let found;
    try {
      found = await work(stores);
    } catch (fault) {
      try {
        transaction.abort();
      } catch {
        // It has ended by itself.
      }
      const ended = await done.then(() => null, (reason) => reason);
      throw ended?.name === "QuotaExceededError" ? ended : fault;
    }
    await done;
    return found;
  }

  get(store, key) {
    return answered(this.database.transaction(store).objectStore(store).get(key));
  }

  all(store, range, most) {
    return answered(this.database.transaction(store).objectStore(store).getAll(range, most));
  }

  indexed(store, index, key, most) {
    return answered(this.database.transaction(store).objectStore(store).index(index).getAll(key, most));
  }

  keys(store, index, key) {
    return answered(this.database.transaction(store).objectStore(store).index(index).getAllKeys(key));
  }

  count(store, index, key) {
    return answered(this.database.transaction(store).objectStore(store).index(index).count(key));
  }

  async fact(name, otherwise) {
    return (await this.get("facts", name))?.value ?? otherwise;
  }

  remember(facts) {
    return this.change(["facts"], ({ facts: store }) => putFacts(store, facts));
  }
}

function putFacts(store, facts) {
  for (const [name, value] of Object.entries(facts)) store.put({ name, value });
}

/**
 * How much room the device gives, and whether it promised to keep what is stored: {usage, quota, share, short, kept}. Asks it to, if it did not.
 */
export async function storageState() {
  const { usage = 0, quota = 0 } = (await navigator.storage?.estimate?.()) ?? {};
  const kept = Boolean((await navigator.storage?.persisted?.()) || (await navigator.storage?.persist?.().catch(() => false)));
  const share = quota ? usage / quota : 0;
  return { usage, quota, share, short: share > SHORT_OF_STORAGE, kept };
}

// ---- the tablet

const EMPTY = { size: 0, roots: [] };

/**
 * One enrolled tablet of one worker. Events (EventTarget): "change" whenever something stored changed; "syncing" and "synced".
 */
export class Tablet extends EventTarget {
  /** The tablet that is stored under a name, enrolled or not yet. fetch: for tests and embedding apps. */
  static async open(name, { fetch = globalThis.fetch.bind(globalThis), now = () => new Date(), attempts = ATTEMPTS } = {}) {
    return new Tablet(name, await Store.open(name), fetch, now, attempts);
  }

  constructor(name, store, fetch, now, attempts) {
    super();
    this.name = name;
    this.store = store;
    this.fetch = fetch;
    this.now = now;
    this.attempts = attempts;
    this.boot = crypto.randomUUID();
    this.stop = () => undefined;
    this.channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(`gridtrail:${name}`) : null;
    if (this.channel) this.channel.onmessage = ({ data }) => this.dispatchEvent(new Event(data));
  }

  close() {
    this.stop();
    this.channel?.close();
    this.channel = null;
    this.store.database.close();
  }

  tell(what) {
    this.dispatchEvent(new Event(what));
    // Not that it begins: the other pages would wait for ever for a page that is killed meanwhile.
    if (what !== "syncing") this.channel?.postMessage(what);
  }

  /** Runs work while no other page does what bears the same name; ifFree: not at all (undefined) where one does. */
  locked(what, work, { ifFree = false } = {}) {
    return navigator.locks.request(`gridtrail:${this.name}:${what}`, { ifAvailable: ifFree }, (lock) => (lock ? work() : undefined));
  }

  /** Stores something; where there is no room, the bytes of photos that the service has are let go first. */
  async stored(names, work) {
    try {
      return await this.store.change(names, work);
    } catch (fault) {
      if (!(fault instanceof Full) || !(await this.makeRoom())) throw fault;
      return this.store.change(names, work);
    }
  }

  // ---- enrolment

  /** Whether it is enrolled. */
  async enrolled() {
    return Boolean(await this.store.fact("enrolment"));
  }

  /** Enrols with a code; again after a lost answer goes on with the same key. Refused with the code of the protocol's section 2. */
  enrol(url, typed, label) {
    return this.locked("enrol", async () => {
      if (await this.enrolled()) return;
      await this.store.remember({ url: url.replace(/\/+$/, "") });
      await this.enrolWith(typed, label, { confirmed: 0, floor: EMPTY, tip: EMPTY });
    });
  }

  /**
   * Where the service knows this tablet's token no more (401), since it was restored from a backup that is older than the enrolment:
   * enrols with a new code and the same key, and sends everything again. Refused where the service knows the tablet.
   */
  enrolAgain(typed) {
    return this.locked("enrol", () =>
      this.locked("sync", async () => {
        try {
          await this.standing();
        } catch (no) {
          if (!(no instanceof Refused) || no.status !== 401) throw no;
          await this.rewind(0, await new Frontier().root());
          await this.store.remember({ incarnations: {}, cursor: null, agreed: 0, trouble: null, photosAgain: await this.store.keys("photos", "sentAt", null) });
          return this.enrolWith(typed);
        }
        throw new Refused(409, { code: "known_tablet", detail: "The service knows this tablet; sync sends again what it lacks." });
      }),
    );
  }

  async enrolWith(typed, label, facts = {}) {
    const code = canonicalCode(typed);
    let keys = await this.store.fact("keys");
    if (!keys) {
      // The key is stored before the service hears of it, or a lost answer would lose the tablet.
      keys = await newKeys();
      await this.store.remember({ keys });
    }
    const publicKey = toBase64(await publicBytes(keys));
    const proof = toBase64(await signedBy(keys, `gridtrail-enrol/1\n${code}\n${publicKey}\n`));
    const body = utf8.encode(JSON.stringify({ code, public_key: publicKey, proof, algorithm: algorithmOf(keys), ...(label && { label }) }));
    const answer = await this.ask("POST", "/v1/tablets/enrolments", body, { headers: JSON_TYPE, withToken: false });
    await this.store.remember({ enrolment: await readJson(answer, ...ENROLLED), ...facts });
    this.tell("change");
  }

  async enrolment() {
    const found = await this.store.fact("enrolment");
    if (!found) throw new Error("This tablet is not enrolled yet.");
    return found;
  }

  // ---- recording

  /**
   * Stores the next entry; gives its number. It is on disk when the promise is kept. Full where there is no room for it.
   *
   * personal: [{subject, field, value}], values that travel beside the entry and of which it holds salted digests only (RFC 9901).
   */
  async record(kind, id, area, data, { personal = [], occurredAt = null, v = 1 } = {}) {
    const disclosures = await Promise.all(personal.map(disclosed));
    const digests = disclosures.map(({ subject, field, digest }) => ({ subject, field, digest }));
    const said = digests.length ? { ...data, personal: digests } : data;
    const limit = (await this.enrolment()).limits.entry_bytes;
    const seq = await this.locked("record", async () => {
      const next = await this.size();
      const clocks = { occurred_at: occurredAt ?? isoWithOffset(this.now()), mono_ms: Math.floor(performance.now()), boot: this.boot };
      const bytes = utf8.encode(JSON.stringify({ seq: next, kind, v, id, area, ...clocks, data: said }));
      if (bytes.length > limit) throw new RangeError(`The entry has ${bytes.length} bytes; the service takes ${limit}.`);
      const entry = { seq: next, bytes, leaf: await leafHash(bytes), kind, id, at: this.now().getTime(), state: "waiting", outcome: null };
      await this.stored(["entries", "disclosures"], (stores) => {
        stores.entries.add(entry);
        for (const each of disclosures) stores.disclosures.add({ ...each, area, seq: next, state: "waiting" });
      });
      return next;
    });
    this.tell("change");
    return seq;
  }

  /** Keeps a photo until it is sent, and thirty days more; gives the name to put into an entry. Full where there is no room for it. */
  async addPhoto(blob) {
    const content = new Uint8Array(await blob.arrayBuffer());
    const name = toHex(await sha256(content));
    await this.stored(["photos"], ({ photos }) => photos.put({ sha256: name, content, state: "waiting" }));
    this.tell("change");
    return name;
  }

  /**
   * Whom personal values are about, by what they are known as (household, case, visit): as remembered, as downloaded, or a new random id.
   * Who was erased gets a new one.
   */
  subjectOf(...names) {
    return this.locked("subject", async () => {
      let found = null;
      for (const name of names) {
        found = (await this.store.fact(`subject:${name}`)) ?? (await this.subjectIn(name));
        if (found && !(await this.store.fact(`gone:${found}`))) break;
        found = null;
      }
      found ??= crypto.randomUUID();
      await this.store.remember(Object.fromEntries(names.map((name) => [`subject:${name}`, found])));
      return found;
    });
  }

  async subjectIn(name) {
    const held = await Promise.all(["case", "visit"].map((kind) => this.items(kind)));
    return held.flat().find(({ id, data }) => id === name && data.subject)?.data.subject;
  }

  // ---- looking

  /**
   * Every entry that is remembered, newest last: {seq, kind, id, at, state, outcome, shown, entry}. state: waiting, recorded or refused;
   * shown: where prove() saw it, absent before.
   */
  async entries() {
    return (await this.store.all("entries")).map((each) => ({ ...each, entry: JSON.parse(text.decode(each.bytes)) }));
  }

  /** How many entries the service has not confirmed. */
  waiting() {
    return this.store.count("entries", "state", "waiting");
  }

  /** What was downloaded of a kind: case, visit, area, … as {id, ledger, data}. */
  items(kind) {
    return this.store.indexed("items", "kind", kind);
  }

  /**
   * What was not as the service had promised, the first first: {ledger, message, at, last, times, seen, told, dismissed}.
   *
   * seen and told are signed checkpoints that contradict each other: with the service's public key they convince anybody.
   */
  faults() {
    return this.store.fact("faults", []);
  }

  /** Somebody has looked into the faults: they are kept with that time, and are not new any more. */
  async dismissFaults() {
    const at = this.now().getTime();
    await this.store.change(["facts"], async ({ facts }) => {
      const known = (await answered(facts.get("faults")))?.value ?? [];
      putFacts(facts, { faults: known.map((each) => ({ ...each, dismissed: each.dismissed ?? at })) });
    });
    this.tell("change");
  }

  async keepFault(fault) {
    const [at, message] = [this.now().getTime(), fault.message];
    await this.store
      .change(["facts"], async ({ facts }) => {
        const known = (await answered(facts.get("faults")))?.value ?? [];
        const same = known.find((each) => each.message === message && each.ledger === fault.evidence.ledger);
        if (same) Object.assign(same, { last: at, times: same.times + 1, dismissed: null });
        else if (known.length < MOST_FAULTS) known.push({ ...fault.evidence, message, at, last: at, times: 1, dismissed: null });
        putFacts(facts, { faults: known });
      })
      .catch(() => undefined);
    this.tell("change");
  }

  // ---- the tablet's own tree

  async size() {
    const cursor = await answered(this.store.database.transaction("entries").objectStore("entries").openKeyCursor(null, "prev"));
    return cursor ? cursor.key + 1 : (await this.store.fact("floor", EMPTY)).size;
  }

  /** The tree's frontier at a size, from the nearest one that is stored: after what was confirmed, or after what was forgotten. */
  async frontierAt(size) {
    const [floor, tip] = [await this.store.fact("floor", EMPTY), await this.store.fact("tip", EMPTY)];
    const from = floor.size <= tip.size && tip.size <= size ? tip : floor;
    const frontier = new Frontier(from.size, [...from.roots]);
    const between = from.size < size && IDBKeyRange.bound(from.size, size, false, true);
    const entries = between ? await this.store.all("entries", between) : [];
    if (from.size + entries.length !== size) throw new OtherHistory(`This tablet does not remember entry ${size - 1}.`);
    for (const { leaf } of entries) await frontier.append(leaf);
    return frontier;
  }

  // ---- uploading

  /**
   * Uploads all that waits, then downloads what changed. Gives {recorded, duplicate, refused, photos, photosRefused, disclosures,
   * disclosuresRefused, batches, rewound, changes}; null where ifFree is asked for and another page is at it.
   *
   * Even with nothing to send one empty batch goes out: so a tablet learns that the service lost entries. Unreachable: try again later.
   */
  async sync({ ifFree = false } = {}) {
    const counts = await this.locked("sync", () => this.syncedOnce(), { ifFree });
    return counts ?? null;
  }

  async syncedOnce() {
    this.tell("syncing");
    try {
      const counts = await this.upload();
      counts.changes = await this.download();
      await this.store.remember({ syncedAt: this.now().getTime(), trouble: null });
      return counts;
    } catch (fault) {
      if (fault instanceof OtherHistory) await this.keepFault(fault);
      const trouble = { at: this.now().getTime(), name: fault.name, message: fault.message, code: fault.code ?? null };
      await this.store.remember({ trouble }).catch(() => undefined);
      throw fault;
    } finally {
      this.tell("synced");
      this.tell("change");
    }
  }

  async upload() {
    const { code } = (await this.store.fact("trouble")) ?? {};
    // Sent once more, what the officer has just reinstated would be set aside once more: adopt() goes on.
    if (code === "forked") throw new Refused(409, { code, detail: "An officer looks into it; adopt() goes on once the tablet is reinstated." });
    const none = { recorded: 0, duplicate: 0, refused: 0, photos: 0, photosRefused: 0 };
    const counts = { ...none, disclosures: 0, disclosuresRefused: 0, batches: 0, rewound: 0 };
    const limits = (await this.enrolment()).limits;
    const whole = Math.min(limits.batch_entries, BATCH);
    // On a bad network a small batch goes first: something gets through, and the next is larger.
    let most = (await this.store.fact("trouble")) || slowNetwork() ? SMALL_BATCH : whole;
    await this.sendDisclosures(counts, 1);
    for (;;) {
      const before = await this.store.fact("confirmed", 0);
      let receipt;
      try {
        receipt = await this.uploadBatch(before, most, limits);
      } catch (no) {
        if (!(no instanceof Refused)) throw no;
        most = await this.afterRefusal(no, most, counts);
        continue;
      }
      counts.batches += 1;
      for (const each of receipt.outcomes) counts[each.outcome] += 1;
      this.tell("change");
      if (!(await this.waiting())) break;
      if (receipt.size === before) throw new Unreachable("The service confirmed nothing.");
      most = Math.min(whole, most * 4);
    }
    await this.sendDisclosures(counts);
    await this.sendPhotos(counts);
    await this.forget();
    return counts;
  }

  /** Finds the way on after a refused batch: from the service's size, or with smaller batches. */
  async afterRefusal(no, most, counts) {
    if (no.code === "sequence_gap") {
      counts.rewound += (await this.store.fact("confirmed", 0)) - no.facts.size;
      await this.rewind(no.facts.size, fromBase64(no.facts.root));
      return most;
    }
    if (SMALLER.has(no.code) && most > 1) return Math.max(1, Math.floor(most / 2));
    if (no.facts.agreed >= 0) await this.store.remember({ agreed: no.facts.agreed });
    throw no;
  }

  async uploadBatch(base, most, limits) {
    const { origin } = await this.enrolment();
    const frontier = await this.frontierAt(base);
    const baseRoot = toBase64(await frontier.root());
    const lines = [];
    let room = limits.batch_inflated_bytes - 8192;
    for (const { bytes, leaf } of await this.store.all("entries", IDBKeyRange.lowerBound(base), most)) {
      room -= bytes.length + 1;
      if (lines.length && room < 0) break;
      lines.push(bytes);
      await frontier.append(leaf);
    }
    const root = await frontier.root();
    const seal = {
      seal: await sealOf(origin, frontier.size, root, await this.store.fact("keys")),
      base: { size: base, root: baseRoot },
      sent_at: isoWithOffset(this.now()),
      mono_ms: Math.floor(performance.now()),
      boot: this.boot,
      waiting: (await this.size()) - frontier.size,
    };
    const plain = joined(...[...lines, utf8.encode(JSON.stringify(seal))].flatMap((line) => [line, utf8.encode("\n")]));
    const { body, encoding } = await gzipped(plain);
    const answer = await this.ask("POST", "/v1/sync/batches", body, { headers: { "Content-Type": "application/x-ndjson", ...encoding } });
    const receipt = await readJson(answer, "size", "root", "outcomes", "ledgers", "received_at");
    await this.check(receipt, base, frontier.size, root);
    await this.confirm(receipt, frontier);
    return receipt;
  }

  /** A receipt counts only if it speaks of every entry that was sent, and the ledgers' signatures are the service's. */
  async check(receipt, base, size, root) {
    const sequences = receipt.outcomes.map(({ seq }) => seq);
    const timed = Date.parse(receipt.received_at) > 0;
    if (!timed || sequences.length !== size - base || sequences.some((seq, at) => seq !== base + at) || !(receipt.size >= size)) {
      throw new Unreachable("The receipt does not speak of the entries that were sent.");
    }
    if (receipt.size === size && !sameBytes(fromBase64(receipt.root), root)) {
      throw new OtherHistory("The receipt names another root than this tablet's.");
    }
    const { ledger_origin: pattern } = await this.enrolment();
    const heads = new Map(receipt.ledgers.map((each) => [each.ledger, each]));
    if (receipt.outcomes.some(({ ledger, position }) => !(position < heads.get(ledger)?.size))) {
      throw new OtherHistory("The receipt names an entry that none of its signed checkpoints reaches.");
    }
    for (const each of receipt.ledgers) {
      const origin = pattern.replace("<ledger>", each.ledger).replace("<incarnation>", each.incarnation);
      const evidence = { ledger: each.ledger, told: each.checkpoint };
      const signed = await this.openSigned(each.checkpoint, origin, evidence);
      if (signed.size !== each.size || !sameBytes(signed.root, fromBase64(each.root))) {
        throw new OtherHistory(`The signed checkpoint of ${each.ledger} says something else than the receipt.`, evidence);
      }
    }
  }

  /** A checkpoint of the service. Where no key that is known signed it, the statements are asked for that lead to another. */
  async openSigned(note, origin, evidence = {}) {
    const { ledger_origin: pattern, checkpoint_key: from } = await this.enrolment();
    const kept = await this.store.fact("handedOn");
    const known = kept?.from === from ? kept : { key: fromBase64(from), earlier: [] };
    try {
      return await openCheckpoint(note, origin, known.key, ...known.earlier);
    } catch (fault) {
      if (!(fault instanceof OtherHistory)) throw fault;
      const told = await readJson(await this.ask("GET", "/log/keys", null, { withToken: false }), "rotations");
      try {
        const after = await followed(told.rotations.slice(0, MOST_STATEMENTS), pattern.split("/ledger/", 1)[0], known);
        if (sameBytes(after.key, known.key)) throw fault;
        await this.store.remember({ handedOn: { from, ...after } });
        return await openCheckpoint(note, origin, after.key, ...after.earlier);
      } catch (wrong) {
        throw wrong instanceof OtherHistory ? new OtherHistory(wrong.message, evidence) : wrong;
      }
    }
  }

  /** Keeps a receipt: entries up to the frontier are confirmed, each with its outcome. */
  confirm(receipt, frontier) {
    return this.stored(["entries", "receipts", "heads", "photos", "facts"], async (stores) => {
      const { entries, receipts, heads, photos, facts } = stores;
      const at = await heardAt(stores, Date.parse(receipt.received_at));
      const outcomes = new Map(receipt.outcomes.map((each) => [each.seq, each]));
      const first = frontier.size - receipt.outcomes.length;
      const sent = receipt.outcomes.length ? await answered(entries.getAll(IDBKeyRange.bound(first, frontier.size, false, true))) : [];
      for (const entry of sent) {
        const outcome = outcomes.get(entry.seq);
        const state = outcome.outcome === "duplicate" ? outcome.first_outcome : outcome.outcome;
        entries.put({ ...entry, state, outcome, confirmedAt: at, toShow: outcome.ledger });
      }
      if (sent.length) receipts.put({ at: await freeTime(receipts, at), receipt });
      seeHeads(heads, receipt.ledgers, at);
      const before = (await answered(facts.get("incarnations")))?.value ?? {};
      const told = Object.fromEntries(receipt.ledgers.map(({ ledger, incarnation }) => [ledger, incarnation]));
      // A backup was restored: which photos the service lacks, nobody says. Those that are there are only looked at again.
      if (Object.keys(told).some((ledger) => (before[ledger] ?? told[ledger]) !== told[ledger])) {
        putFacts(facts, { photosAgain: await answered(photos.index("sentAt").getAllKeys()) });
      }
      putFacts(facts, { confirmed: frontier.size, tip: { size: frontier.size, roots: frontier.roots }, incarnations: { ...before, ...told } });
    });
  }

  /** The service lost entries (a backup was restored): from size on they are sent again. OtherHistory where the roots differ. */
  async rewind(size, root) {
    const frontier = size > (await this.size()) ? null : await this.frontierAt(size);
    if (!frontier || !sameBytes(await frontier.root(), root)) {
      throw new OtherHistory(`The service's first ${size} entries are not this tablet's.`);
    }
    await this.store.change(["entries", "facts"], async ({ entries, facts }) => {
      for (const { toShow, shown, ...entry } of await answered(entries.getAll(IDBKeyRange.lowerBound(size)))) {
        entries.put({ ...entry, state: "waiting", outcome: null, confirmedAt: null });
      }
      putFacts(facts, { confirmed: size, tip: { size, roots: frontier.roots } });
    });
  }

  /** Forgets what was confirmed more than thirty days ago, oldest first, keeping the tree's frontier. */
  async forget() {
    const { now, since } = await this.store.fact("clock");
    const before = now - KEPT_MS;
    const from = await this.firstThatStays(before);
    const frontier = await this.frontierAtFloor(from);
    await this.store.change(["entries", "receipts", "heads", "photos", "facts"], async ({ entries, receipts, heads, photos, facts }) => {
      if (frontier) {
        entries.delete(IDBKeyRange.upperBound(from, true));
        putFacts(facts, { floor: frontier });
      }
      receipts.delete(IDBKeyRange.upperBound(before));
      for (const key of await answered(heads.index("at").getAllKeys(IDBKeyRange.upperBound(before)))) heads.delete(key);
      // Some may bear a time of the tablet's own clock, by an older release: they are kept until thirty days after it.
      if (since > before) return;
      for (const key of await answered(photos.index("sentAt").getAllKeys(IDBKeyRange.upperBound(before)))) photos.delete(key);
    });
  }

  /** The number of the first entry that is not yet to be forgotten, or null where that is the first that there is. */
  async firstThatStays(before) {
    const store = this.store.database.transaction("entries").objectStore("entries");
    const last = await new Promise((resolve, reject) => {
      const request = store.openCursor();
      let old = null;
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const cursor = request.result;
        if (!cursor?.value.confirmedAt || cursor.value.confirmedAt >= before) return resolve(old);
        old = cursor.key;
        cursor.continue();
      };
    });
    return last === null ? null : last + 1;
  }

  async frontierAtFloor(from) {
    if (from === null) return null;
    const floor = await this.store.fact("floor", EMPTY);
    const frontier = new Frontier(floor.size, [...floor.roots]);
    for (const { leaf } of await this.store.all("entries", IDBKeyRange.bound(floor.size, from, false, true))) await frontier.append(leaf);
    return { size: frontier.size, roots: frontier.roots };
  }

  /**
   * Sends personal values, before the entries that hold their digests and what is left once more after them. They keep no entry back:
   * faults wait for the next time. A value that the service has is forgotten here at once.
   */
  async sendDisclosures(counts, attempts = this.attempts) {
    let waiting = await this.store.indexed("disclosures", "state", "waiting");
    let most = 100;
    while (waiting.length) {
      const part = waiting.slice(0, most);
      const body = utf8.encode(JSON.stringify({ items: part.map(({ subject, area, disclosure }) => ({ subject, area, disclosure })) }));
      let told;
      try {
        told = await readJson(await this.ask("PUT", "/v1/sync/disclosures", body, { headers: JSON_TYPE, attempts }), "items");
      } catch (no) {
        if (no instanceof Refused && no.status === 413 && most > 1) {
          most = Math.max(1, Math.floor(most / 2));
          continue;
        }
        if (no instanceof Refused || no instanceof Unreachable) return;
        throw no;
      }
      const outcomes = told.items;
      if (outcomes.length !== part.length || outcomes.some(({ digest }, at) => digest !== part[at].digest)) return;
      await this.settle(part, outcomes, counts);
      waiting = waiting.slice(part.length);
    }
  }

  async settle(part, outcomes, counts) {
    await this.store.change(["disclosures", "facts"], ({ disclosures, facts }) => {
      for (const [at, each] of part.entries()) {
        const { outcome, code } = outcomes[at];
        if (outcome === "refused") disclosures.put({ ...each, state: PASSING.has(code) ? "waiting" : "refused", code });
        else disclosures.delete(each.digest);
        // Who was erased takes nothing new: what is said of them later is said under another id.
        if (outcome === "erased") putFacts(facts, { [`gone:${each.subject}`]: true });
      }
    });
    const refused = outcomes.filter(({ outcome }) => outcome === "refused").length;
    counts.disclosures += outcomes.length - refused;
    counts.disclosuresRefused += refused;
  }

  /** Sends the photos that wait, and after a restore those that were sent before; one that is refused for good keeps no other back. */
  async sendPhotos(counts) {
    const { now } = await this.store.fact("clock");
    const left = await this.store.fact("photosAgain");
    const again = new Set(typeof left === "number" ? await this.store.keys("photos", "sentAt", null) : left);
    for (const name of [...(await this.store.keys("photos", "state", "waiting")), ...again]) {
      const photo = await this.store.get("photos", name);
      if (!photo) continue;
      let state = "sent";
      try {
        const answer = await this.ask("PUT", `/v1/photos/${name}`, photo.content, { headers: { "Content-Type": "application/octet-stream" } });
        if (await answer.text().catch(() => "cut short")) throw new Unreachable(NOT_READ);
        counts.photos += 1;
      } catch (no) {
        if (!(no instanceof Refused) || !PHOTO_FOR_GOOD.has(no.status)) throw no;
        state = no.code;
        counts.photosRefused += 1;
      }
      again.delete(name);
      await this.stored(["photos", "facts"], ({ photos, facts }) => {
        photos.put({ ...photo, state, sentAt: now });
        if (left) putFacts(facts, { photosAgain: [...again] });
      });
    }
    if (left) await this.store.remember({ photosAgain: null });
  }

  /**
   * Lets go of photos that the service has, the oldest first, half of what there is. Gives how many.
   *
   * They are kept for a service that is restored from a backup; a day's work that finds no room is worse than that.
   */
  async makeRoom() {
    const names = new Set(await this.store.keys("photos", "state", "sent"));
    const sent = (await this.store.keys("photos", "sentAt", null)).filter((name) => names.has(name));
    const gone = sent.slice(0, Math.ceil(sent.length / 2));
    await this.store.change(["photos"], ({ photos }) => gone.forEach((name) => photos.delete(name)));
    return gone.length;
  }

  // ---- downloading

  /** Fetches what changed in the tablet's scope. Gives the number of changes. */
  async download() {
    let count = 0;
    for (;;) {
      const cursor = await this.store.fact("cursor");
      const page = await readJson(await this.ask("GET", `/v1/sync/changes${cursor ? `?since=${encodeURIComponent(cursor)}` : ""}`), "items", "next", "upload");
      await this.stored(["items", "personal", "facts"], ({ items, personal, facts }) => {
        if (page.reset) {
          items.clear();
          personal.clear();
        }
        for (const { ledger, kind, id, gone, data } of page.items) {
          if (gone) {
            items.delete([ledger, kind, id]);
            personal.delete([kind, id]);
          } else items.put({ ledger, kind, id, data });
        }
        putFacts(facts, { cursor: page.next });
      });
      count += page.items.length;
      if (page.upload.size < (await this.store.fact("confirmed", 0))) await this.rewind(page.upload.size, fromBase64(page.upload.root));
      if (!page.more) return count;
    }
  }

  /**
   * Asks for the personal values of one task, {case} or {household}, and keeps them for work without network until the task is gone.
   * Gives [{subject, field, digest, state, value, …}] as section 9 says. Each read is on record, with the purpose.
   */
  async askPersonal({ case: one, household, purpose }) {
    const query = new URLSearchParams(one ? { case: one } : { household });
    const headers = purpose ? { "Gridtrail-Purpose": encodeURIComponent(purpose) } : {};
    const { items: values } = await readJson(await this.ask("GET", `/v1/sync/personal?${query}`, null, { headers }), "items");
    const [kind, id] = one ? ["case", one] : ["visit", household];
    await this.stored(["personal"], ({ personal }) => personal.put({ kind, id, values }));
    return values;
  }

  /** The personal values that were asked for, or null. */
  async personal({ case: one, household }) {
    return (await this.store.get("personal", one ? ["case", one] : ["visit", household]))?.values ?? null;
  }

  async standing() {
    return readJson(await this.ask("GET", "/v1/sync/standing", null, { attempts: Math.min(2, this.attempts) }), "status", "size", "frontier");
  }

  /** After an officer reinstated a forked tablet: goes on from the service's history. Gives how many entries were numbered anew. */
  async adopt() {
    const standing = await this.standing();
    if (standing.status !== "active") throw new Refused(409, { code: "set_aside", detail: "The tablet was not reinstated." });
    const adopted = await this.locked("sync", async () => {
      await this.confirmAgreed(standing.size);
      return this.locked("record", () => this.adoptedOnce(standing));
    });
    this.tell("change");
    return adopted;
  }

  /** Fetches the receipts of entries that both histories hold: sent once more under their old numbers, they are duplicates there. */
  async confirmAgreed(size) {
    const { limits } = await this.enrolment();
    const agreed = Math.min(await this.store.fact("agreed", 0), size, await this.size());
    let most = Math.min(limits.batch_entries, BATCH);
    for (;;) {
      const confirmed = await this.store.fact("confirmed", 0);
      if (confirmed >= agreed) return;
      try {
        await this.uploadBatch(confirmed, Math.min(most, agreed - confirmed), limits);
      } catch (no) {
        if (!(no instanceof Refused)) throw no;
        most = await this.afterRefusal(no, most, {});
      }
    }
  }

  async adoptedOnce(standing) {
    // A service that was restored from a backup meanwhile may have less than it confirmed.
    const confirmed = Math.min(await this.store.fact("confirmed", 0), standing.size);
    const old = await this.store.all("entries");
    const moved = [];
    for (const { toShow, shown, ...entry } of old.filter(({ seq }) => seq >= confirmed)) {
      const seq = standing.size + moved.length;
      const bytes = utf8.encode(JSON.stringify({ ...JSON.parse(text.decode(entry.bytes)), seq }));
      moved.push({ ...entry, seq, bytes, leaf: await leafHash(bytes), state: "waiting", outcome: null, confirmedAt: null });
    }
    const floor = { size: standing.size, roots: standing.frontier.map(fromBase64) };
    await this.store.change(["entries", "otherHistory", "facts"], ({ entries, otherHistory, facts }) => {
      for (const entry of old) otherHistory.put(entry);
      entries.clear();
      for (const entry of moved) entries.add(entry);
      putFacts(facts, { floor, tip: floor, confirmed: standing.size, agreed: 0, trouble: null });
    });
    return moved.length;
  }

  // ---- being a witness

  /**
   * Sees that the service keeps what its receipts promised (section 8); call it after sync(), when the tablet is idle.
   *
   * Gives {entries, checkpoints, waiting, begunAnew, faults}: how many own entries were shown to stand in their ledger, how many
   * checkpoints of receipts to lie on one history, how many entries no published checkpoint reaches yet, how many ledgers began anew
   * after a restore, and how many ledgers are not as was promised. That is no exception but a state, which faults() tells: recording and
   * uploading go on. Unreachable and Refused as sync(). With ifFree all are 0 where another page is at it.
   */
  async prove({ ifFree = false } = {}) {
    const told = { entries: 0, checkpoints: 0, waiting: 0, begunAnew: 0, faults: 0 };
    try {
      await this.locked("prove", () => this.proveAll(told), { ifFree });
    } finally {
      if (told.entries || told.checkpoints || told.begunAnew || told.faults) this.tell("change");
    }
    return told;
  }

  async proveAll(told) {
    for (const ledger of await this.ledgersToProve()) {
      const prover = new Prover(this, ledger, told);
      try {
        await prover.round();
      } catch (fault) {
        if (!(fault instanceof OtherHistory)) throw fault;
        told.faults += 1;
        await this.keepFault(new OtherHistory(fault.message, { ledger, ...fault.evidence }));
      }
      told.waiting += await this.store.count("entries", "toShow", ledger);
    }
  }

  async ledgersToProve() {
    const found = new Set();
    for (const [store, index] of [["entries", "toShow"], ["heads", "ledger"]]) {
      const cursors = this.store.database.transaction(store).objectStore(store).index(index);
      await eachKey(cursors.openKeyCursor(null, "nextunique"), (key) => found.add(key));
    }
    return [...found].sort();
  }

  // ---- by itself

  /**
   * Syncs and proves by itself: at once, on reconnect, when the page is shown or gets the focus, and every so often; after a failure later
   * and later, at a random time, and never sooner than the service asks. Gives a function that ends it; so does close().
   */
  keepInSync({ everyMs = EVERY_MS } = {}) {
    this.stop();
    let [timer, failures, going, again, due] = [null, 0, false, false, 0];
    const later = (ms) => {
      clearTimeout(timer);
      timer = setTimeout(turn, ms);
    };
    const turn = async () => {
      [going, again] = [true, false];
      let wait = everyMs;
      try {
        await this.sync({ ifFree: true });
        failures = 0;
        await idle();
        await this.prove({ ifFree: true });
      } catch (fault) {
        failures += 1;
        const retry = fault.retryMs ?? 0;
        due = Date.now() + retry;
        if (fault instanceof Unreachable) wait = Math.min(everyMs, retry + jitter(failures + 2));
      }
      going = false;
      // Whoever asked meanwhile may have recorded something that this turn did not see.
      if (timer !== undefined) later(again ? Math.max(0, due - Date.now()) : wait);
    };
    const ask = (ms) => (going ? (again = true) : later(Math.max(ms, due - Date.now())));
    const soon = () => ask(0);
    const online = () => ask(Math.random() * RECONNECT_MS);
    const shown = () => document.visibilityState === "visible" && soon();
    const heard = [[globalThis, "online", online], [globalThis, "focus", soon]];
    if (globalThis.document) heard.push([document, "visibilitychange", shown]);
    for (const [where, what, hear] of heard) where.addEventListener(what, hear);
    later(0);
    this.stop = () => {
      for (const [where, what, hear] of heard) where.removeEventListener(what, hear);
      clearTimeout(timer);
      timer = undefined;
      this.stop = () => undefined;
    };
    return () => this.stop();
  }

  // ---- requests

  /**
   * The service's answer. Tries again with full jitter where that is right, never sooner than the service asks; Unreachable when it was
   * enough, or where the service asks for a longer pause than one would wait for; Refused for a no.
   */
  async ask(method, path, body = null, { headers = {}, withToken = true, attempts = this.attempts } = {}) {
    const url = (await this.store.fact("url")) + path;
    const token = withToken ? { Authorization: `Bearer ${(await this.enrolment()).token}` } : {};
    let last = new Unreachable("The service does not answer.");
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      if (last.retryMs > LONGEST_PAUSE_MS) break;
      if (attempt) await pause(jitter(attempt) + last.retryMs);
      let answer;
      try {
        const signal = within(ANSWER_MS + (body?.length ?? 0) / SLOWEST_BYTES_PER_MS);
        answer = await this.fetch(url, { method, body, headers: { ...headers, ...token }, cache: "no-store", credentials: "omit", signal });
      } catch (lost) {
        last = new Unreachable(`The service does not answer: ${lost.message}`);
        if (globalThis.navigator && navigator.onLine === false) break;
        continue;
      }
      if (TAKEN.has(answer.status)) return answer;
      const facts = (await answer.json().catch(() => null)) ?? {};
      // A no counts only if it is a problem document: others may answer in the service's place, as networks do that want a login.
      if (SMALLER.has(facts.code) || (facts.code && !AGAIN.has(answer.status) && !DAMAGED.has(facts.code))) throw new Refused(answer.status, facts);
      last = new Unreachable(`The service says ${answer.status} ${facts.code ?? ""}.`, retryAfter(answer));
    }
    throw last;
  }
}

// ---- a ledger, as this tablet knows it

const INCARNATION = "([0-9A-Za-z]{1,32})";
const STATE_MEMBER = ',"state":{';
const ENTRY_MEMBER = ',"entry":';
const DATA_MEMBER = ',"data":';

/** One round over one ledger. anchor: the newest checkpoint that was verified, {ledger, incarnation, size, root, checkpoint}. */
class Prover {
  constructor(tablet, ledger, told) {
    this.tablet = tablet;
    this.store = tablet.store;
    this.ledger = ledger;
    this.told = told;
  }

  /** Each step is one question, under the lock of sync: nothing that it looks at is rewound meanwhile, and a sync waits for one step only. */
  async round() {
    while (await this.step(() => this.showEntries()));
    const passed = new Set();
    for (let each = 0; each < MOST_HEADS; each += 1) {
      if (!(await this.step(() => this.linkNext(passed)))) break;
    }
  }

  step(work) {
    return this.tablet.locked("sync", async () => {
      this.anchor = (await this.store.fact("verified", {}))[this.ledger] ?? null;
      return work();
    });
  }

  // ---- what there is to show

  /** Verifies the next own entries; false where there are none, or none that a published checkpoint reaches. */
  async showEntries() {
    const mine = new Map();
    for (const entry of await this.store.indexed("entries", "toShow", this.ledger, MOST_POSITIONS)) mine.set(entry.outcome.position, entry);
    if (!mine.size) return false;
    const told = await this.ask([...mine.keys()], this.anchor);
    if (!told?.entries.length) return false;
    const point = await this.advance(told);
    const shown = [];
    for (const each of told.entries) {
      const entry = mine.get(each.position);
      mine.delete(each.position);
      await this.verifyEntry(each, entry, point);
      shown.push(entry.seq);
    }
    await this.store.change(["entries"], async ({ entries }) => {
      for (const seq of shown) {
        const { toShow, ...entry } = (await answered(entries.get(seq))) ?? {};
        if (toShow) entries.put({ ...entry, shown: `${point.ledger}/${point.incarnation}/${entry.outcome.position}` });
      }
    });
    this.told.entries += shown.length;
    return true;
  }

  /** Shows that the next checkpoint which a receipt brought lies on the history of the newest; false where there is none left. */
  async linkNext(passed) {
    const heads = (await this.store.indexed("heads", "ledger", this.ledger)).sort((one, other) => one.size - other.size);
    const head = heads.find((each) => !passed.has(each.checkpoint));
    if (!head) return false;
    passed.add(head.checkpoint);
    const told = await this.ask([], head);
    if (!told) return false;
    const point = await this.open(told.checkpoint);
    if (point.incarnation !== head.incarnation) {
      // Of a former incarnation nothing can be shown any more: it is kept with what was verified before the restore.
      await this.store.change(["heads", "facts"], async ({ heads: store, facts }) => {
        await keepFormer(facts, head);
        store.delete([head.ledger, head.incarnation, head.size, head.root]);
      });
      return true;
    }
    if (told.consistency === null) return true;
    await this.verifyGrowth(head, told, point);
    const newest = await this.newest(point);
    const { now = 0 } = await this.store.fact("clock", {});
    await this.store.change(["heads"], ({ heads: store }) => {
      store.delete([head.ledger, head.incarnation, head.size, head.root]);
      // It grew between the two questions: what the head was linked to is itself still to be linked.
      if (newest.size !== point.size || newest.root !== point.root) seeHeads(store, [point], now);
    });
    this.told.checkpoints += 1;
    return true;
  }

  /** The anchor, moved on where the point is not it. */
  async newest(point) {
    if (this.anchor?.incarnation !== point.incarnation) return this.keep(point);
    if (point.size === this.anchor.size && point.root === this.anchor.root) return point;
    const told = await this.ask([], this.anchor);
    return told ? this.advance(told) : point;
  }

  // ---- asking

  /** The service's answer; null where nothing is published yet, or where the service lost entries, which the next sync finds out. */
  async ask(positions, seen) {
    const asked = { ledger: this.ledger, positions, ...(seen && { seen: { size: seen.size, root: seen.root } }) };
    const body = utf8.encode(JSON.stringify(asked));
    let told;
    try {
      told = await readJson(await this.tablet.ask("POST", "/v1/sync/proofs", body, { headers: JSON_TYPE, attempts: 2 }), "checkpoint", "consistency", "entries");
    } catch (no) {
      if (!(no instanceof Refused) || no.status !== 404) throw no;
      if (no.code === "not_published" || (await this.lost())) return null;
      throw new OtherHistory(`The service does not know entries of ledger ${this.ledger} that its receipts named.`);
    }
    return told;
  }

  /** Whether the service has fewer entries of this tablet than it confirmed: it was restored from a backup since the last sync. */
  async lost() {
    const { size } = await this.tablet.standing();
    return size < (await this.store.fact("confirmed", 0));
  }

  // ---- verifying

  /** A signed checkpoint of this ledger, of whatever incarnation. OtherHistory where the service's key did not sign it under such a name. */
  async open(note) {
    const { ledger_origin: pattern } = await this.tablet.enrolment();
    const form = pattern.replace("<ledger>", this.ledger).split("<incarnation>").map(escaped).join(INCARNATION);
    const origin = note.split("\n", 1)[0];
    const match = new RegExp(`^${form}$`).exec(origin);
    const evidence = { ledger: this.ledger, told: note };
    if (!match) throw new OtherHistory(`The service showed what is no checkpoint of ledger ${this.ledger}.`, evidence);
    const { size, root } = await this.tablet.openSigned(note, origin, evidence);
    return { ledger: this.ledger, incarnation: match[1], size, root: toBase64(root), checkpoint: note };
  }

  /** The checkpoint of an answer, shown to extend the anchor, in whose place it is kept. */
  async advance(told) {
    const [point, old] = [await this.open(told.checkpoint), this.anchor];
    if (old?.incarnation === point.incarnation) {
      if (point.size < old.size) this.contradicted(old, point, `it has gone back from ${old.size} entries to ${point.size}`);
      await this.verifyGrowth(old, told, point);
    }
    return this.keep(point);
  }

  async verifyGrowth(old, told, point) {
    const holds = await held(async () => {
      const proof = (told.consistency ?? []).map(fromBase64);
      return verifyConsistency(old.size, point.size, proof, fromBase64(old.root), fromBase64(point.root));
    });
    if (!holds) this.contradicted(old, point, "the tree does not begin with the one that was seen");
  }

  /** The own entry stands inside the line, the line says where it stands, and it is in the signed tree. OtherHistory otherwise. */
  async verifyEntry(each, entry, point) {
    if (!entry) throw new OtherHistory(`The service shows an entry of ledger ${this.ledger} that nobody asked for.`);
    const position = entry.outcome.position;
    const holds = await held(async () => {
      const recorded = JSON.parse(each.line);
      if (recorded.ledger !== this.ledger || recorded.position !== position) return false;
      const inside = entryIn(each.line);
      const same = inside === null ? sameBytes(fromBase64(recorded.state.leaf), entry.leaf) : sameBytes(utf8.encode(inside), entry.bytes);
      const proof = each.proof.map(fromBase64);
      return same && verifyInclusion(await leafHash(utf8.encode(each.line)), position, point.size, proof, fromBase64(point.root));
    });
    if (!holds) {
      const message = `Entry ${entry.seq} is not kept at position ${position} of ledger ${this.ledger}.`;
      throw new OtherHistory(message, { ledger: this.ledger, told: point.checkpoint });
    }
  }

  contradicted(old, point, how) {
    const evidence = { ledger: this.ledger, seen: old.checkpoint, told: point.checkpoint };
    throw new OtherHistory(`Ledger ${this.ledger} is not what the service signed before: ${how}.`, evidence);
  }

  /** Keeps the newest verified checkpoint. After a restore all own entries are to be shown again, and the last one before it is kept. */
  async keep(point) {
    const before = this.anchor;
    const anew = before !== null && before.incarnation !== point.incarnation;
    await this.store.change(["facts", "entries"], async ({ facts, entries }) => {
      const verified = (await answered(facts.get("verified")))?.value ?? {};
      putFacts(facts, { verified: { ...verified, [this.ledger]: point } });
      if (!anew) return;
      await keepFormer(facts, before);
      for (const entry of await answered(entries.getAll())) {
        if (entry.outcome?.ledger === this.ledger) entries.put({ ...entry, toShow: this.ledger });
      }
    });
    if (anew) this.told.begunAnew += 1;
    this.anchor = point;
    return point;
  }
}

/** The text of the entry in a recorded line, or null where it holds none: the entry is the last member of the state. */
function entryIn(line) {
  const state = line.indexOf(STATE_MEMBER);
  const start = state < 0 ? -1 : line.indexOf(ENTRY_MEMBER, state);
  if (start < 0 || line.slice(state, start).includes(DATA_MEMBER)) return null;
  return line.slice(start + ENTRY_MEMBER.length, -2);
}

async function keepFormer(facts, head) {
  const former = (await answered(facts.get("former")))?.value ?? [];
  putFacts(facts, { former: [...former, head].slice(-MOST_HEADS) });
}

function seeHeads(store, heads, at) {
  for (const { ledger, incarnation, size, root, checkpoint } of heads) if (size) store.put({ ledger, incarnation, size, root, checkpoint, at });
}

/** What is forgotten by age, and the time that it bears. */
const TIMED = { entries: "confirmedAt", heads: "at", receipts: "at" };

/**
 * The time by the service's clock, moved on by a receipt: the tablet's own may be years wrong. Receipts are never taken to be more than a
 * week apart: so a service with a wrong clock makes nothing be forgotten at once, and its next right receipt takes it back.
 */
async function heardAt(stores, heard) {
  let clock = (await answered(stores.facts.get("clock")))?.value;
  if (!clock) {
    await retime(stores, heard);
    clock = { now: heard, heard, since: heard };
  }
  const now = clock.now + Math.max(-LONGEST_STEP_MS, Math.min(LONGEST_STEP_MS, heard - clock.heard));
  putFacts(stores.facts, { clock: { ...clock, now, heard } });
  return now;
}

/** What an older release timed by the tablet's own clock is kept for thirty days from now on. */
async function retime(stores, at) {
  for (const [name, time] of Object.entries(TIMED)) {
    const rows = await answered(stores[name].getAll());
    stores[name].clear();
    for (const [each, row] of rows.entries()) stores[name].put({ ...row, ...(row[time] && { [time]: at + each }) });
  }
}

/** Whether a check holds; false where what it looks at has not even the form. */
async function held(check) {
  try {
    return await check();
  } catch (fault) {
    if (fault instanceof OtherHistory || fault instanceof TypeError || fault instanceof SyntaxError || fault instanceof RangeError) return false;
    throw fault;
  }
}

// ---- small things

const JSON_TYPE = { "Content-Type": "application/json" };

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const idle = () => (globalThis.requestIdleCallback ? new Promise((resolve) => requestIdleCallback(resolve, { timeout: 5000 })) : pause(200));
/** Full jitter, so that a fleet that lost its network together does not come back together. */
const jitter = (attempt) => Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
const slowNetwork = () => ["slow-2g", "2g"].includes(globalThis.navigator?.connection?.effectiveType);
const escaped = (plain) => plain.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

function within(ms) {
  if (AbortSignal.timeout) return AbortSignal.timeout(ms);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), ms);
  return controller.signal;
}

/** Milliseconds that the service asks to wait, at most ten minutes; a date is not read. */
function retryAfter(answer) {
  const said = answer.headers.get("Retry-After") ?? "";
  return /^[0-9]{1,9}$/.test(said) ? Math.min(1000 * Number(said), LONGEST_RETRY_MS) : 0;
}

const NOT_READ = "The service's answer cannot be read.";
const ENROLLED = ["tablet", "token", "origin", "ledger_origin", "checkpoint_key", "limits"];
const LISTS = new Set(["items", "outcomes", "ledgers", "entries", "rotations", "frontier"]);

/** The JSON object of an answer; Unreachable where it was cut short, or lacks what it is read for: then it is not the service's. */
async function readJson(answer, ...names) {
  const told = await answer.json().catch(() => null);
  if (names.some((name) => (LISTS.has(name) ? !Array.isArray(told?.[name]) : told?.[name] === undefined))) throw new Unreachable(NOT_READ);
  return told;
}

function eachKey(request, take) {
  return new Promise((resolve, reject) => {
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      if (!request.result) return resolve();
      take(request.result.key);
      request.result.continue();
    };
  });
}

/** A free key near a time, in a store that is keyed by it. */
async function freeTime(store, at) {
  let free = at;
  while (await answered(store.getKey(free))) free += 1;
  return free;
}

/** The bytes as they are sent: gzip where the browser has it. */
async function gzipped(bytes) {
  if (!globalThis.CompressionStream) return { body: bytes, encoding: {} };
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return { body: new Uint8Array(await new Response(stream).arrayBuffer()), encoding: { "Content-Encoding": "gzip" } };
}

/** A time with its offset, as the protocol wants it: 2026-11-21T09:03:12.123+08:00. */
export function isoWithOffset(moment) {
  const minutes = -moment.getTimezoneOffset();
  const local = new Date(moment.getTime() + minutes * 60_000).toISOString().slice(0, -1);
  const away = Math.abs(minutes);
  return `${local}${minutes < 0 ? "-" : "+"}${String(Math.floor(away / 60)).padStart(2, "0")}:${String(away % 60).padStart(2, "0")}`;
}

/** A personal value as a disclosure (RFC 9901 section 4.2) under a fresh salt of 128 bits. */
async function disclosed({ subject, field, value }) {
  const salt = toBase64Url(crypto.getRandomValues(new Uint8Array(16)));
  const disclosure = toBase64Url(utf8.encode(JSON.stringify([salt, field, value])));
  return { subject, field, disclosure, digest: toBase64Url(await sha256(utf8.encode(disclosure))) };
}
