/** A whole tablet in one page, to copy from: it enrols, records a report with a photo, keeps in sync, and says how things stand. */

import { storageState, Tablet } from "./gridtrail-sync.js";

const MOST_ROWS = 50;
const WORDS = {
  en: {
    enrolled: "Enrolled.", stored: "Stored on this device.", going: "Syncing…", never: "never", kept: "the device keeps it", notKept: "the device may clear it when it is short of room",
    synced: ({ recorded, duplicate, refused }) => `Synced: ${recorded + duplicate} recorded, ${refused} refused.`,
    still: "Everything is still stored here.", none: "nothing was otherwise", proved: (shown, all) => `${shown} of ${all} seen in the ledger`,
    waiting: "waiting", recorded: "recorded", refused: "refused", short: "short of room",
  },
  zh: {
    enrolled: "已登记。", stored: "已保存在本机。", going: "正在同步……", never: "从未", kept: "设备承诺保留", notKept: "空间不足时设备可能清除",
    synced: ({ recorded, duplicate, refused }) => `同步完成：入账 ${recorded + duplicate} 条，拒收 ${refused} 条。`,
    still: "所有内容仍在本机。", none: "未发现不符", proved: (shown, all) => `已在账本中核见 ${shown} / ${all} 条`,
    waiting: "待上传", recorded: "已入账", refused: "已拒收", short: "空间不足",
  },
}; // prettier-ignore

const by = (id) => document.getElementById(id);
const words = () => WORDS[document.documentElement.lang];
const told = (said) => (by("told").textContent = said);
const tablet = await Tablet.open(new URLSearchParams(location.hash.slice(1)).get("name") ?? "embedded");

function speak(language) {
  document.documentElement.lang = language;
  document.title = document.querySelector(`h1 [lang=${language}]`).textContent;
  for (const button of document.querySelectorAll("[data-language]")) button.setAttribute("aria-pressed", button.dataset.language === language);
  told("");
  return show();
}

function row(values) {
  const made = document.createElement("tr");
  made.append(...values.map((value) => Object.assign(document.createElement("td"), { textContent: value })));
  return made;
}

let looks = 0;

async function show() {
  const look = (looks += 1);
  const [enrolled, entries, storage, keys] = [await tablet.enrolled(), await tablet.entries(), await storageState(), await tablet.store.fact("keys")];
  const [faults, syncedAt, say] = [await tablet.faults(), await tablet.store.fact("syncedAt"), words()];
  if (look !== looks) return; // A look that began later shows what is newer.
  for (const id of ["report", "state", "outbox"]) by(id).hidden = !enrolled;
  by("enrol").hidden = enrolled;
  by("waiting").textContent = entries.filter(({ state }) => state === "waiting").length;
  by("synced").textContent = syncedAt ? new Date(syncedAt).toLocaleString(document.documentElement.lang) : say.never;
  by("key").textContent = { Ed25519: "Ed25519", ECDSA: "P-256 (ECDSA)" }[keys?.privateKey.algorithm.name] ?? "";
  by("storage").textContent = `${Math.round(100 * storage.share)} %${storage.short ? ` (${say.short})` : ""}, ${storage.kept ? say.kept : say.notKept}`;
  const shown = entries.filter((each) => each.shown).length;
  by("faults").textContent = faults.length ? faults.map(({ message }) => message).join(" ") : `${say.none}; ${say.proved(shown, entries.length)}`;
  by("faults").className = faults.length ? "wrong" : "";
  const where = ({ state, outcome }) => (state === "refused" ? outcome.detail : outcome ? `${outcome.ledger} · ${outcome.position}` : "");
  by("entries").replaceChildren(...entries.slice(-MOST_ROWS).reverse().map((each) => row([each.seq, each.kind, say[each.state], where(each)])));
}

const failed = (fault) => told(`${fault.name}: ${fault.message} ${words().still}`);

async function sync() {
  told(words().going);
  try {
    told(words().synced(await tablet.sync()));
    await tablet.prove();
  } catch (fault) {
    failed(fault);
  }
}

by("enrol").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await tablet.enrol(location.origin, new FormData(event.target).get("code"), "embedded example");
    told(words().enrolled);
    tablet.keepInSync();
  } catch (fault) {
    told(fault.facts?.detail ?? fault.message);
  }
});
by("report").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { photo, ...said } = Object.fromEntries(new FormData(event.target));
  const { area } = await tablet.enrolment();
  try {
    if (photo.size) said.photos = [await tablet.addPhoto(photo)];
    await tablet.record("case.reported", crypto.randomUUID(), area, said);
    told(words().stored);
    event.target.reset();
  } catch (fault) {
    failed(fault);
  }
});
by("languages").addEventListener("click", ({ target }) => target.closest("button") && speak(target.closest("button").dataset.language));
by("sync").addEventListener("click", sync);
tablet.addEventListener("change", show);
await speak(navigator.language.startsWith("zh") ? "zh" : "en");
if (await tablet.enrolled()) tablet.keepInSync();
document.body.dataset.ready = "yes";
