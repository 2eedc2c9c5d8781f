"""The tablet app in hands: enrolled, filled, and used tap by tap. Read by the browser tests and by bench.pages."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.browser.serving import Socket
from tests.web.city import CAST, City

PIN = "4711"
_KEYS = [
    "language", "code", "name", "pin", "enrol", "today", "visit", "report", "cases",
    "outbox", "ask", "open", "store_visit", "no_one_home", "met", "hazard", "manhole", "photo", "store_report",
]  # fmt: skip
_EN = (
    "English|Code|How you are called on this tablet|A PIN of 4 to 8 digits for this worker|Enrol|Today|Visit|Report|Cases|Outbox|PIN|Open|"
    "Store the visit|No one home|Met|safety hazard|missing manhole cover|Photo|Store the report"
)
_ZH = (
    "中文|登记码|您在本机上的称呼|本人的 4 至 8 位数字口令|登记|今日|走访|上报|案件|待传|口令|进入|"
    "保存走访|无人在家|见到|安全隐患/消防|井盖缺失|照片|保存上报"
)
TEXTS = {language: dict(zip(_KEYS, words.split("|"), strict=True)) for language, words in (("en", _EN), ("zh", _ZH))}

IS_KEPT = "Promise.race([navigator.serviceWorker.ready, new Promise((done) => setTimeout(done, 20_000))]).then(Boolean)"
"""Whether the app's files are on the device, which may be never."""
WORKS_SOMEWHERE = "import('/tablet/state.js').then(({ grids }) => grids.value.length > 0)"
"""Whether the first download has told the tablet where its worker works."""
NOTE_THE_CLICK = "() => addEventListener('click', () => { window.clicked = Date.now(); }, { capture: true, once: true })"
IS_SYNCED = """async () => {
    const { syncedAt, syncing, waiting } = await import("/tablet/state.js");
    return !syncing.value && !waiting.value && syncedAt.value >= window.clicked;
}"""
"""Whether a sync that ended after the click sent everything, and what it brought is shown."""

# A picture of one red pixel, as a camera would give a large one.
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==")
PHOTO = {"name": "camera.png", "mimeType": "image/png", "buffer": PIXEL}


def until(page: Any, holds: Callable[[], Any], seconds: float = 20, what: str = "") -> None:
    """Waits until something holds; the page, and what listens to it, goes on meanwhile."""
    for _ in range(int(seconds * 40)):
        if holds():
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"not within {seconds} s: {what}")


def enrol(page: Any, served: Socket, code: str, name: str = "Li", language: str = "en", pin: str = PIN) -> None:
    """Opens the app in a language, enrols with a code, and waits until it can be used offline: the first download is here."""
    say = TEXTS[language]
    page.goto(f"{served.url}/tablet/")
    page.get_by_role("button", name=say["language"], exact=True).click()
    page.get_by_label(say["code"]).fill(code)
    page.get_by_label(say["name"]).fill(name)
    page.get_by_label(say["pin"]).fill(pin)
    page.get_by_role("button", name=say["enrol"], exact=True).click()
    page.get_by_role("heading", level=1, name=say["today"]).wait_for()
    assert page.evaluate(IS_KEPT), "no service worker within 20 s"
    until(page, lambda: page.evaluate(WORKS_SOMEWHERE), what="a grid to work in")


def unlock(page: Any, pin: str = PIN, language: str = "en") -> None:
    """Types the PIN and opens."""
    page.get_by_label(TEXTS[language]["ask"], exact=True).fill(pin)
    page.get_by_role("button", name=TEXTS[language]["open"], exact=True).click()


def sync(page: Any) -> None:
    """Syncs by the button, and waits until everything is sent and what came is shown."""
    page.evaluate(NOTE_THE_CLICK)
    page.get_by_role("button", name="Sync now").click()
    until(page, lambda: page.evaluate(IS_SYNCED), what="a sync that sent everything")
    page.locator("header.bar .state").get_by_text("Everything is sent.").wait_for()
    page.locator("header.bar button[aria-busy=false]").first.wait_for()


def plan(city: City, name: str, *households: str) -> None:
    """Visits that make these households due at once, in the worker's grid."""
    tablet, area = city.tablets[name], CAST[name][1]  # type: ignore[index]
    day = city.clock().date().isoformat()
    for household in households:
        said = {"household": household, "outcome": "met", "care_group": "living_alone", "next_visit": day}
        tablet.record("visit.made", str(uuid4()), area, said)
    tablet.sync()
    city.catch_up()


@dataclass
class Hand:
    """A finger that counts: each tap is one. Typing is not a tap, going into a field is."""

    page: Any
    language: str = "en"
    taps: int = 0

    def tap(self, target: Any) -> None:
        """One tap."""
        self.taps += 1
        target.click()

    def word(self, key: str) -> str:
        """A text of the app."""
        return TEXTS[self.language][key]

    def tab(self, key: str) -> None:
        """A tab at the bottom."""
        self.tap(self.page.get_by_role("navigation").get_by_role("link", name=self.word(key)))

    def choose(self, key: str) -> None:
        """One of a few large tiles."""
        self.tap(self.page.locator(".tile").get_by_text(self.word(key), exact=True))

    def press(self, key: str) -> None:
        """A button."""
        self.tap(self.page.get_by_role("button", name=self.word(key), exact=True))

    def is_stored(self) -> int:
        """Waits until the app says that it is stored and shows Today again; how many taps it took."""
        self.page.get_by_role("heading", level=1, name=self.word("today")).wait_for()
        return self.taps


def visit_no_one_home(page: Any, household: str, language: str = "en") -> int:
    """From Today: nobody opened. How many taps."""
    hand = Hand(page, language)
    hand.tap(page.get_by_role("link", name=household))
    hand.choose("no_one_home")
    hand.press("store_visit")
    return hand.is_stored()


def visit_met(page: Any, household: str, language: str = "en") -> tuple[int, int]:
    """Ad hoc, of a household that no plan knows: met, nothing needed. How many taps, and how many fields were required."""
    hand = Hand(page, language)
    hand.tab("visit")
    field = page.get_by_role("searchbox")
    hand.tap(field)
    field.fill(household)
    hand.tap(page.get_by_role("button", name=household))
    required = 1
    hand.choose("met")
    required += page.locator("form [required]").count() + 1
    hand.press("store_visit")
    return hand.is_stored(), required


def report_hazard(page: Any, language: str = "en") -> int:
    """From Today: a hazard of public space, with a photo. How many taps; those in the camera's own app are not counted."""
    hand = Hand(page, language)
    hand.tab("report")
    hand.choose("hazard")
    hand.choose("manhole")
    with page.expect_file_chooser() as chooser:
        hand.tap(page.get_by_label(hand.word("photo")))
    chooser.value.set_files(PHOTO)
    page.locator(".photos img").wait_for()
    hand.press("store_report")
    return hand.is_stored()
