/**
 * gridtrail-sync.js: the tablet's side of docs/sync-protocol.md, for browsers. One module, no dependencies.
 *
 * It stores what a worker records durably and in order (IndexedDB), seals it as a Merkle tree of the tablet's own (RFC 6962, C2SP
 * signed checkpoints), uploads it whenever there is a network, keeps every receipt, and downloads what changed. A city's own app can
 * embed it as it is:
 *
 *     import { Tablet } from "./gridtrail-sync.js";
 *     const tablet = await Tablet.open("worker-7");
 *     await tablet.enrol("https://grid.example.org", "7K3M-9QXA-T5VW-2HJC");
 *     await tablet.record("case.reported", crypto.randomUUID(), "411502001001001", { category: "gridtrail/1/B02", summary: "…" });
 *     await tablet.sync();
 *
 * The promise of record() is kept only once the entry is on disk. sync() may be called at any time, from any page or worker of the same
 * origin: one of them does the work, the others wait for it. Everything is taken from what is stored, so a page may be killed anywhere.
 */

export const KEPT_MS = 30 * 24 * 3600 * 1000;
const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;
const ANSWER_MS = 60_000;
const AGAIN = new Set([408, 425, 429, 500, 502, 503, 504]);
const DAMAGED = new Set(["root_mismatch", "length_mismatch", "no_seal", "bad_gzip"]);
const SMALLER = new Set(["too_large", "too_many_entries", "too_slow"]);
const PHOTO_FOR_GOOD = new Set([413, 415, 422]);
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

/** The service holds another history than this tablet, or shows one that its own signature contradicts. An officer must look into it. */
export class OtherHistory extends Error {
  constructor(message) {
    super(message);
    this.name = "OtherHistory";
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

// ---- signed notes (C2SP signed-note, tlog-checkpoint)

const ED25519 = Uint8Array.of(1);

const keyIdOf = async (name, key) => (await sha256(joined(utf8.encode(`${name}\n`), ED25519, key))).subarray(0, 4);

async function sealOf(origin, size, root, keys) {
  const note = `${origin}\n${size}\n${toBase64(root)}\n`;
  const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", keys.privateKey, utf8.encode(note)));
  const id = await keyIdOf(origin, new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey)));
  return `${note}\n— ${origin} ${toBase64(joined(id, signature))}\n`;
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
    const key = await crypto.subtle.importKey("raw", publicKeys[at], "Ed25519", false, ["verify"]);
    if (!(await crypto.subtle.verify("Ed25519", key, signature.subarray(4), said))) return false;
    signed = true;
  }
  return signed;
}

/** Size and root of a checkpoint that one of the keys signed under the origin. OtherHistory where none did. */
export async function openCheckpoint(note, origin, ...publicKeys) {
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

const STORES = {
  facts: "name",
  entries: "seq",
  otherHistory: "seq",
  receipts: "at",
  photos: "sha256",
  disclosures: "digest",
  items: ["ledger", "kind", "id"],
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
    const request = indexedDB.open(`gridtrail:${name}`, 1);
    request.onupgradeneeded = () => {
      for (const [store, keyPath] of Object.entries(STORES)) request.result.createObjectStore(store, { keyPath });
      request.transaction.objectStore("entries").createIndex("state", "state");
      request.transaction.objectStore("items").createIndex("kind", "kind");
    };
    const database = await answered(request);
    // Another page of a newer release wants to upgrade: let go of the database rather than keep it waiting for ever.
    database.onversionchange = () => database.close();
    return new Store(database);
  }

  constructor(database) {
    this.database = database;
  }

  /** Runs work inside one transaction; work may await nothing but requests of that transaction. Gives what work gives. */
  async change(names, work) {
    const transaction = this.database.transaction(names, "readwrite", { durability: "strict" });
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error("The transaction was aborted."));
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
      await done.catch(() => undefined);
      throw fault;
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

  indexed(store, index, key) {
    return answered(this.database.transaction(store).objectStore(store).index(index).getAll(key));
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

// ---- the tablet

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
    this.channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(`gridtrail:${name}`) : null;
    if (this.channel) this.channel.onmessage = ({ data }) => this.dispatchEvent(new Event(data));
  }

  close() {
    this.channel?.close();
    this.store.database.close();
  }

  tell(what) {
    this.dispatchEvent(new Event(what));
    this.channel?.postMessage(what);
  }

  locked(what, work) {
    return navigator.locks.request(`gridtrail:${this.name}:${what}`, work);
  }

  /** Whether it is enrolled. */
  async enrolled() {
    return Boolean(await this.store.fact("enrolment"));
  }

  /** Enrols with a code; again after a lost answer goes on with the same key. Refused with the code of the protocol's section 2. */
  enrol(url, typed, label) {
    return this.locked("enrol", async () => {
      if (await this.enrolled()) return;
      const base = url.replace(/\/+$/, "");
      const code = canonicalCode(typed);
      let keys = await this.store.fact("keys");
      if (!keys) {
        // The key is stored before the service hears of it, or a lost answer would lose the tablet.
        keys = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
        await this.store.remember({ keys });
      }
      const publicKey = toBase64(new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey)));
      const signed = utf8.encode(`gridtrail-enrol/1\n${code}\n${publicKey}\n`);
      const proof = toBase64(new Uint8Array(await crypto.subtle.sign("Ed25519", keys.privateKey, signed)));
      const body = utf8.encode(JSON.stringify({ code, public_key: publicKey, proof, ...(label && { label }) }));
      await this.store.remember({ url: base });
      const answer = await this.ask("POST", "/v1/tablets/enrolments", body, { "Content-Type": "application/json" }, false);
      await this.store.remember({ enrolment: await answer.json(), confirmed: 0, floor: { size: 0, roots: [] } });
      this.tell("change");
    });
  }

  // ---- recording

  /**
   * Stores the next entry; gives its number. It is on disk when the promise is kept.
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
      await this.store.change(["entries", "disclosures"], (stores) => {
        stores.entries.add(entry);
        for (const each of disclosures) stores.disclosures.add({ ...each, area, seq: next, state: "waiting" });
      });
      return next;
    });
    this.tell("change");
    return seq;
  }

  /** Keeps a photo until it is sent; gives the name to put into an entry. */
  async addPhoto(blob) {
    const content = new Uint8Array(await blob.arrayBuffer());
    const name = toHex(await sha256(content));
    await this.store.change(["photos"], ({ photos }) => photos.put({ sha256: name, content, state: "waiting" }));
    this.tell("change");
    return name;
  }

  /** Every entry that is remembered, newest last: {seq, kind, id, at, state, outcome, entry}. state: waiting, recorded or refused. */
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

  async enrolment() {
    const found = await this.store.fact("enrolment");
    if (!found) throw new Error("This tablet is not enrolled yet.");
    return found;
  }

  async size() {
    const cursor = await answered(this.store.database.transaction("entries").objectStore("entries").openKeyCursor(null, "prev"));
    return cursor ? cursor.key + 1 : (await this.store.fact("floor")).size;
  }

  async frontierAt(size) {
    const floor = await this.store.fact("floor");
    const frontier = new Frontier(floor.size, [...floor.roots]);
    const between = floor.size < size && IDBKeyRange.bound(floor.size, size, false, true);
    const entries = between ? await this.store.all("entries", between) : [];
    if (floor.size + entries.length !== size) throw new OtherHistory(`This tablet does not remember entry ${size - 1}.`);
    for (const { leaf } of entries) await frontier.append(leaf);
    return frontier;
  }

  // ---- uploading

  /**
   * Uploads all that waits, then downloads what changed. Gives {recorded, duplicate, refused, photos, batches, changes}.
   *
   * Even with nothing to send one empty batch goes out: so a tablet learns that the service lost entries. Unreachable: try again later.
   */
  sync() {
    return this.locked("sync", async () => {
      this.tell("syncing");
      try {
        const counts = await this.upload();
        counts.changes = await this.download();
        await this.store.remember({ syncedAt: this.now().getTime(), trouble: null });
        return counts;
      } catch (fault) {
        await this.store.remember({ trouble: { at: this.now().getTime(), name: fault.name, message: fault.message, code: fault.code ?? null } });
        throw fault;
      } finally {
        this.tell("synced");
        this.tell("change");
      }
    });
  }

  async upload() {
    const counts = { recorded: 0, duplicate: 0, refused: 0, photos: 0, batches: 0 };
    const limits = (await this.enrolment()).limits;
    const whole = Math.min(limits.batch_entries, 500);
    // On a bad network a small batch goes first: something gets through, and the next is larger.
    let most = (await this.store.fact("trouble")) ? 8 : whole;
    await this.sendDisclosures();
    for (;;) {
      const before = await this.store.fact("confirmed", 0);
      let receipt;
      try {
        receipt = await this.uploadBatch(before, most, limits);
      } catch (no) {
        if (!(no instanceof Refused)) throw no;
        most = await this.afterRefusal(no, most);
        continue;
      }
      counts.batches += 1;
      for (const each of receipt.outcomes) counts[each.outcome] += 1;
      this.tell("change");
      if (!(await this.waiting())) break;
      if (receipt.size === before) throw new Unreachable("The service confirmed nothing.");
      most = Math.min(whole, most * 4);
    }
    counts.photos = await this.sendPhotos();
    await this.forget();
    return counts;
  }

  async afterRefusal(no, most) {
    if (no.code === "sequence_gap") {
      await this.rewind(no.facts.size, fromBase64(no.facts.root));
      return most;
    }
    if (SMALLER.has(no.code) && most > 1) return Math.max(1, Math.floor(most / 2));
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
    const headers = { "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip" };
    const receipt = await (await this.ask("POST", "/v1/sync/batches", await gzipped(plain), headers)).json();
    await this.check(receipt, base, frontier.size, root);
    await this.confirm(receipt, frontier.size);
    return receipt;
  }

  /** A receipt counts only if it speaks of every entry that was sent, and the ledgers' signatures are the service's. */
  async check(receipt, base, size, root) {
    const sequences = receipt.outcomes.map(({ seq }) => seq);
    if (sequences.length !== size - base || sequences.some((seq, at) => seq !== base + at) || receipt.size < size) {
      throw new Unreachable("The receipt does not speak of the entries that were sent.");
    }
    if (receipt.size === size && !sameBytes(fromBase64(receipt.root), root)) {
      throw new OtherHistory("The receipt names another root than this tablet's.");
    }
    const { ledger_origin: pattern } = await this.enrolment();
    for (const each of receipt.ledgers) {
      const origin = pattern.replace("<ledger>", each.ledger).replace("<incarnation>", each.incarnation);
      const signed = await this.openSigned(each.checkpoint, origin);
      if (signed.size !== each.size || !sameBytes(signed.root, fromBase64(each.root))) {
        throw new OtherHistory(`The signed checkpoint of ${each.ledger} says something else than the receipt.`);
      }
    }
  }

  /** A checkpoint of the service. Where no key that is known signed it, the statements are asked for that lead to another. */
  async openSigned(note, origin) {
    const { ledger_origin: pattern, checkpoint_key: from } = await this.enrolment();
    const kept = await this.store.fact("handedOn");
    const known = kept?.from === from ? kept : { key: fromBase64(from), earlier: [] };
    try {
      return await openCheckpoint(note, origin, known.key, ...known.earlier);
    } catch (fault) {
      if (!(fault instanceof OtherHistory)) throw fault;
      const told = await (await this.ask("GET", "/log/keys", null, {}, false)).json();
      const after = await followed((told.rotations ?? []).slice(0, MOST_STATEMENTS), pattern.split("/ledger/", 1)[0], known);
      if (sameBytes(after.key, known.key)) throw fault;
      await this.store.remember({ handedOn: { from, ...after } });
      return openCheckpoint(note, origin, after.key, ...after.earlier);
    }
  }

  confirm(receipt, size) {
    const at = this.now().getTime();
    return this.store.change(["entries", "receipts", "facts"], async ({ entries, receipts, facts }) => {
      for (const outcome of receipt.outcomes) {
        const entry = await answered(entries.get(outcome.seq));
        const became = outcome.outcome === "duplicate" ? outcome.first_outcome : outcome.outcome;
        entries.put({ ...entry, state: became, outcome, confirmedAt: at });
      }
      if (receipt.outcomes.length) receipts.put({ at: await freeTime(receipts, at), receipt });
      putFacts(facts, { confirmed: size });
    });
  }

  /** The service lost entries (a backup was restored): from size on they are sent again. OtherHistory where the roots differ. */
  async rewind(size, root) {
    if (size > (await this.size()) || !sameBytes(await (await this.frontierAt(size)).root(), root)) {
      throw new OtherHistory(`The service's first ${size} entries are not this tablet's.`);
    }
    await this.store.change(["entries", "facts"], async ({ entries, facts }) => {
      for (const entry of await answered(entries.getAll(IDBKeyRange.lowerBound(size)))) {
        entries.put({ ...entry, state: "waiting", outcome: null, confirmedAt: null });
      }
      putFacts(facts, { confirmed: size });
    });
  }

  /** Forgets what was confirmed more than thirty days ago, oldest first, keeping the tree's frontier. */
  async forget() {
    const before = this.now().getTime() - KEPT_MS;
    const entries = await this.store.all("entries");
    const stays = entries.find((entry) => !entry.confirmedAt || entry.confirmedAt >= before);
    const from = stays ? stays.seq : await this.size();
    const frontier = await this.frontierAt(from);
    await this.store.change(["entries", "receipts", "facts", "photos", "disclosures"], async (stores) => {
      stores.entries.delete(IDBKeyRange.upperBound(from, true));
      stores.receipts.delete(IDBKeyRange.upperBound(before));
      putFacts(stores.facts, { floor: { size: frontier.size, roots: frontier.roots } });
    });
  }

  /** Sends personal values before the entries that hold their digests; each is forgotten once the service has it. */
  async sendDisclosures() {
    const waiting = (await this.store.all("disclosures")).filter(({ state }) => state === "waiting");
    for (let at = 0; at < waiting.length; at += 100) {
      const part = waiting.slice(at, at + 100);
      const body = utf8.encode(JSON.stringify({ items: part.map(({ subject, area, disclosure }) => ({ subject, area, disclosure })) }));
      const told = await (await this.ask("PUT", "/v1/sync/disclosures", body, { "Content-Type": "application/json" })).json();
      await this.store.change(["disclosures"], ({ disclosures }) => {
        for (const [number, each] of part.entries()) {
          const outcome = told.items[number];
          if (outcome.outcome === "refused") disclosures.put({ ...each, state: "refused", code: outcome.code });
          else disclosures.delete(each.digest);
        }
      });
    }
  }

  /** Sends the photos that wait; one that is refused for good keeps no other back. A sent photo's bytes are let go. */
  async sendPhotos() {
    let sent = 0;
    const waiting = (await this.store.all("photos")).filter(({ state }) => state === "waiting");
    for (const { sha256: name, content } of waiting) {
      let state = "sent";
      try {
        await this.ask("PUT", `/v1/photos/${name}`, content, { "Content-Type": "application/octet-stream" });
        sent += 1;
      } catch (no) {
        if (!(no instanceof Refused) || !PHOTO_FOR_GOOD.has(no.status)) throw no;
        state = no.code;
      }
      await this.store.change(["photos"], ({ photos }) => photos.put({ sha256: name, state, ...(state !== "sent" && { content }) }));
    }
    return sent;
  }

  // ---- downloading

  /** Fetches what changed in the tablet's scope. Gives the number of changes. */
  async download() {
    let count = 0;
    for (;;) {
      const cursor = await this.store.fact("cursor");
      const page = await (await this.ask("GET", `/v1/sync/changes${cursor ? `?since=${encodeURIComponent(cursor)}` : ""}`)).json();
      await this.store.change(["items", "facts"], ({ items, facts }) => {
        if (page.reset) items.clear();
        for (const { ledger, kind, id, gone, data } of page.items) {
          if (gone) items.delete([ledger, kind, id]);
          else items.put({ ledger, kind, id, data });
        }
        putFacts(facts, { cursor: page.next });
      });
      count += page.items.length;
      if (page.upload.size < (await this.store.fact("confirmed", 0))) await this.rewind(page.upload.size, fromBase64(page.upload.root));
      if (!page.more) return count;
    }
  }

  /** After an officer reinstated a forked tablet: goes on from the service's history. Gives how many entries were numbered anew. */
  async adopt() {
    const standing = await (await this.ask("GET", "/v1/sync/standing")).json();
    if (standing.status !== "active") throw new Refused(409, { code: "set_aside", detail: "The tablet was not reinstated." });
    return this.locked("record", async () => {
      const confirmed = await this.store.fact("confirmed", 0);
      const old = await this.store.all("entries");
      const moved = [];
      for (const entry of old.filter(({ seq }) => seq >= confirmed)) {
        const seq = standing.size + moved.length;
        const bytes = utf8.encode(JSON.stringify({ ...JSON.parse(text.decode(entry.bytes)), seq }));
        moved.push({ ...entry, seq, bytes, leaf: await leafHash(bytes), state: "waiting", outcome: null, confirmedAt: null });
      }
      const floor = { size: standing.size, roots: standing.frontier.map(fromBase64) };
      await this.store.change(["entries", "otherHistory", "facts"], ({ entries, otherHistory, facts }) => {
        for (const entry of old) otherHistory.put(entry);
        entries.clear();
        for (const entry of moved) entries.add(entry);
        putFacts(facts, { floor, confirmed: standing.size });
      });
      this.tell("change");
      return moved.length;
    });
  }

  // ---- requests

  /** The service's answer. Tries again with full jitter where that is right; Unreachable when it was enough, Refused for a no. */
  async ask(method, path, body = null, headers = {}, withToken = true) {
    const url = (await this.store.fact("url")) + path;
    const token = withToken ? { Authorization: `Bearer ${(await this.enrolment()).token}` } : {};
    let last = new Unreachable("The service does not answer.");
    for (let attempt = 0; attempt < this.attempts; attempt += 1) {
      if (attempt) await pause(Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) + last.retryMs);
      let answer;
      try {
        answer = await this.fetch(url, {
          method,
          body,
          headers: { ...headers, ...token },
          cache: "no-store",
          credentials: "omit",
          signal: AbortSignal.timeout(ANSWER_MS),
        });
      } catch (lost) {
        last = new Unreachable(`The service does not answer: ${lost.message}`);
        if (globalThis.navigator && navigator.onLine === false) break;
        continue;
      }
      if (answer.ok) return answer;
      const facts = await answer.json().catch(() => ({}));
      if (!AGAIN.has(answer.status) && !DAMAGED.has(facts.code)) throw new Refused(answer.status, facts);
      last = new Unreachable(`The service says ${answer.status} ${facts.code ?? ""}.`, 1000 * Number(answer.headers.get("Retry-After") || 0));
    }
    throw last;
  }
}

// ---- small things

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A free key near a time, in a store that is keyed by it. */
async function freeTime(store, at) {
  let free = at;
  while (await answered(store.getKey(free))) free += 1;
  return free;
}

async function gzipped(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
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
