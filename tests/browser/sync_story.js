async () => {
  // What the stories of test_sync_stories.py do in a page: window.story. Each takes the name of a tablet first.
  const { Tablet } = await import("/tablet/gridtrail-sync.js");
  const JPEG = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 1, 2, 3, 4);
  const open = (name, options = {}) => Tablet.open(name, { attempts: 1, ...options });
  const seen = (work) => work.then((done) => ({ done }), (fault) => ({ fault: fault.name, code: fault.code ?? null, message: fault.message, retryMs: fault.retryMs ?? null }));
  window.story = {
    open,
    async enrol(name, code) {
      const tablet = await open(name);
      const told = await seen(tablet.enrol(location.origin, code));
      return { ...told, algorithm: (await tablet.store.fact("keys"))?.privateKey.algorithm.name };
    },
    async make(name, count, area, personal = null) {
      const tablet = await open(name);
      for (let each = 0; each < count; each += 1) {
        const said = personal ? { household: "H-1", outcome: "met" } : { category: "gridtrail/1/A01", summary: `matter ${each}` };
        const apart = personal ? [{ subject: await tablet.subjectOf("H-1"), field: "need_voiced", value: personal }] : [];
        await tablet.record(personal ? "visit.made" : "case.reported", crypto.randomUUID(), area, said, { personal: apart });
      }
      return tablet.waiting();
    },
    async photo(name, area, more = []) {
      const tablet = await open(name);
      const photo = await tablet.addPhoto(new Blob([JPEG, Uint8Array.from(more)]));
      await tablet.record("case.reported", crypto.randomUUID(), area, { category: "gridtrail/1/A01", summary: "matter with a photo", photos: [photo] });
      return photo;
    },
    sync: async (name, options) => seen((await open(name, options)).sync()),
    prove: async (name) => seen((await open(name)).prove()),
    enrolAgain: async (name, code) => seen((await open(name)).enrolAgain(code)),
    async look(name) {
      const tablet = await open(name);
      const entries = await tablet.entries();
      const facts = {};
      for (const fact of ["trouble", "verified", "former", "incarnations", "confirmed", "photosAgain"]) facts[fact] = (await tablet.store.fact(fact)) ?? null;
      return {
        states: entries.map(({ state }) => state), shown: entries.filter(({ shown }) => shown).length, faults: await tablet.faults(), facts,
        heads: (await tablet.store.all("heads")).length, photos: (await tablet.store.all("photos")).map(({ state }) => state),
        disclosures: (await tablet.store.all("disclosures")).map(({ state }) => state), receipts: (await tablet.store.all("receipts")).length,
      };
    },
  };
}
