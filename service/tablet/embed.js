import { Tablet } from "./gridtrail-sync.js";

const by = (id) => document.getElementById(id);
const told = (words) => (by("told").textContent = words);
const tablet = await Tablet.open(new URLSearchParams(location.hash.slice(1)).get("name") ?? "embedded");

async function show() {
  const enrolled = await tablet.enrolled();
  by("enrol").hidden = enrolled;
  by("report").hidden = !enrolled;
  const rows = (await tablet.entries()).map(({ seq, kind, state, outcome }) => {
    const row = document.createElement("tr");
    const where = state === "refused" ? outcome.detail : outcome ? `${outcome.ledger} at ${outcome.position}` : "";
    row.append(...[seq, kind, state, where].map((value) => Object.assign(document.createElement("td"), { textContent: value })));
    return row;
  });
  by("entries").replaceChildren(...rows);
}

async function sync() {
  try {
    const { recorded, refused, changes } = await tablet.sync();
    told(`Synced: ${recorded} recorded, ${refused} refused, ${changes} changes downloaded.`);
  } catch (fault) {
    told(`${fault.name}: ${fault.message} Everything is still stored here.`);
  }
}

by("enrol").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await tablet.enrol(location.origin, new FormData(event.target).get("code"), "embedded example");
    told("Enrolled.");
    await sync();
  } catch (fault) {
    told(`${fault.name}: ${fault.message}`);
  }
});
by("report").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { area } = await tablet.enrolment();
  const seq = await tablet.record("case.reported", crypto.randomUUID(), area, Object.fromEntries(new FormData(event.target)));
  told(`Entry ${seq} is stored.`);
  event.target.reset();
});
by("sync").addEventListener("click", sync);
addEventListener("online", sync);
tablet.addEventListener("change", show);
await show();
document.body.dataset.ready = "yes";
