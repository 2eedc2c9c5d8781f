/**
 * Follows what is stored on a tablet, reading only what can have changed: a tablet may hold thousands of entries and households.
 *
 * An entry that the service confirmed never changes again, unless the service lost it (its confirmed size goes back); what was downloaded
 * changes only together with the cursor. So each look costs what is new.
 */

const AT_ONCE = 1000;
const utf8 = new TextDecoder();

/** One stored entry; what it says is read when somebody asks. */
class Row {
  constructor({ seq, kind, id, at, state, outcome, bytes }) {
    Object.assign(this, { seq, kind, id, at, state, outcome });
    this.bytes = bytes;
  }

  get entry() {
    this.said ??= JSON.parse(utf8.decode(this.bytes));
    return this.said;
  }
}

export class Followed {
  constructor(tablet, kinds) {
    this.tablet = tablet;
    this.kinds = kinds;
    this.rows = [];
    this.confirmed = 0;
    this.cursor = null;
    this.items = Object.fromEntries(kinds.map((kind) => [kind, []]));
  }

  /** {entries, items, syncedAt, trouble, person, faults}: entries oldest first, items by kind. The same objects as before where nothing changed. */
  async look() {
    const { store } = this.tablet;
    const [confirmed, floor, cursor, syncedAt, trouble, enrolment, faults] = await Promise.all(
      ["confirmed", "floor", "cursor", "syncedAt", "trouble", "enrolment", "faults"].map((name) => store.fact(name)),
    );
    await this.readEntries(confirmed ?? 0, floor?.size ?? 0);
    if (cursor !== this.cursor) await this.readItems(cursor);
    const open = (faults ?? []).filter(({ dismissed }) => !dismissed);
    return { entries: this.rows, items: this.items, syncedAt: syncedAt ?? null, trouble: trouble ?? null, person: enrolment?.person ?? "", faults: open };
  }

  async readEntries(confirmed, floor) {
    const next = this.rows.length ? this.rows.at(-1).seq + 1 : 0;
    const from = confirmed === this.confirmed ? next : Math.min(next, confirmed, this.confirmed);
    const read = [];
    for (let at = from; ; ) {
      const part = await this.tablet.store.all("entries", IDBKeyRange.lowerBound(at), AT_ONCE);
      read.push(...part.map((each) => new Row(each)));
      if (part.length < AT_ONCE) break;
      at = part.at(-1).seq + 1;
    }
    this.confirmed = confirmed;
    if (!read.length && from === next && (!this.rows.length || this.rows[0].seq >= floor)) return;
    this.rows = [...this.rows.filter(({ seq }) => seq >= floor && seq < from), ...read];
  }

  async readItems(cursor) {
    const items = {};
    for (const kind of this.kinds) items[kind] = await this.tablet.items(kind);
    this.items = items;
    this.cursor = cursor;
  }
}
