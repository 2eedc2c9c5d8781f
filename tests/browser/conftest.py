"""A real browser beside a real server: Debian's Chromium, driven by Playwright. Skips with a sentence where there is none."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.books import shipped_items
from service.imports.recording import publish_books
from tests.browser.serving import ANSWER_MS, CHROMIUM, Served, launch, log_in
from tests.web.city import PASSWORD, build

__all__ = ["Served", "held_back"]
AXE = (Path(__file__).parent / "axe.min.js").read_text()
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
GRAVE = ("serious", "critical")
# A colour that is half way between two states is no barrier: what moves is brought to its end first.
AT_REST = """document.getAnimations().filter(each => each.effect.getComputedTiming().endTime !== Infinity).forEach(each => each.finish())"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The browser, one for the whole run."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = launch(driver)
        yield browser
        browser.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A fresh city behind a real socket."""
    # What a page shows is the matter here, not who is turned away: a browser asks for many things at once, of a machine that may be busy.
    city = build(f"sqlite:///{tmp_path}/gridtrail.db", tmp_path, slots=16, wait_for_slot_s=1.0)
    publish_books(city.gridtrail, list(shipped_items()))
    city.catch_up()
    served = Served(city)
    yield served
    served.stop()
    city.gridtrail.database.dispose()


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """A browser with empty storage."""
    context = browser.new_context()
    context.set_default_timeout(ANSWER_MS)
    yield context
    context.close()


def held_back(page: Any, part: str) -> Callable[[], None]:
    """Keeps what a page asks of an address with this part on its way until what is given back is called."""
    waiting: list[Any] = []
    gone = threading.Event()
    page.route(lambda url: part in url, lambda route: route.continue_() if gone.is_set() else waiting.append(route))

    def let_go() -> None:
        while not waiting:
            page.wait_for_timeout(10)
        gone.set()
        for each in waiting:
            each.continue_()

    return let_go


@pytest.fixture
def no_serious_issue() -> Callable[[Any], None]:
    """``no_serious_issue(page)``: axe-core finds nothing serious or critical on the page as it stands, once it is at rest."""

    def look(page: Any) -> None:
        page.evaluate(AXE)
        page.locator(".stale").wait_for(state="detached")
        page.evaluate(AT_REST)
        found = page.evaluate(
            "rules => axe.run(document, { runOnly: { type: 'tag', values: rules } }).then(told => told.violations)", list(RULES)
        )
        grave = [
            (each["id"], each["help"], [node["html"][:160] for node in each["nodes"][:5]]) for each in found if each["impact"] in GRAVE
        ]
        assert not grave, f"{page.url}: {json.dumps(grave, indent=1, ensure_ascii=False)}"

    return look


@pytest.fixture
def console(browser: Any, served: Served) -> Iterator[Callable[..., Any]]:
    """Opens the console for one of the cast, logged in, each in a browser of their own, while the read models follow.

    ``console("zhao", "cases?overdue=true")`` gives the page. The browser's clock shows the city's time and goes on from there:
    ``page.clock.fast_forward(11_000)`` lets a list ask again.
    """
    stop = threading.Event()
    following = threading.Thread(target=served.city.gridtrail.follower.run, args=(stop, 0.1), daemon=True)
    following.start()
    contexts = []

    def opened(name: str, address: str = "", language: str = "en") -> Any:
        context = browser.new_context(timezone_id="Asia/Shanghai")
        contexts.append(context)
        context.set_default_timeout(ANSWER_MS)
        context.clock.install(time=served.city.clock.now)
        page = context.new_page()
        page.on("pageerror", lambda fault: pytest.fail(f"the page failed: {fault}"))
        page.add_init_script(f"localStorage.setItem('gridtrail:language', '{language}')")
        log_in(page, f"{served.url}/console/#/{address}", name, PASSWORD)
        return page

    yield opened
    for context in contexts:
        context.close()
    stop.set()
    following.join()
