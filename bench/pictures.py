"""``make screenshots``: pictures of the main pages, for the README: a seeded city, both languages, three screens, into docs/pictures.

Each picture is a row of PICTURES; a page that is added gets a row. WebP, less than 150 kB each.
"""

import argparse
import base64
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from projections import open_cases
from service.config import Config
from service.database import reading
from service.fleet.settling import person_of
from service.imports.recording import terminal_actor
from service.seed.city import PASSWORD, county_of
from service.seed.plant import plant
from service.wiring import Gridtrail, make_app
from tests.browser.serving import ANSWER_MS, CHROMIUM, Socket, launch, log_in
from tests.browser.tablet import PIN, enrol

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
PHONE, TABLET, DESKTOP = (390, 844), (820, 1180), (1440, 900)
MOST_BYTES = 150_000
SETTLE_MS = 500
QUALITIES = (80, 60, 40)
LANGUAGES = ("zh", "en")


@dataclass(frozen=True)
class Picture:
    """One page: its name, whose it is ("tablet", or a login of the console), its address behind #, and on which screens."""

    name: str
    whose: str
    address: str
    screens: tuple[tuple[int, int], ...]
    scheme: str = "light"
    act: Callable[[Any], None] | None = None


def _chosen(*numbers: int) -> Callable[[Any], None]:
    """Taps tiles of the form by their places, one after another."""

    def act(page: Any) -> None:
        for at in numbers:
            page.locator("main form .tile span").nth(at).click()
        page.mouse.move(0, 0)

    return act


PICTURES = (
    Picture("tablet-today", "tablet", "/", (PHONE, TABLET, DESKTOP)),
    Picture("tablet-visit", "tablet", "/visit/{household}", (PHONE,), act=_chosen(0)),
    Picture("tablet-report", "tablet", "/report", (PHONE,), act=_chosen(1, 9)),
    Picture("tablet-cases", "tablet", "/cases", (PHONE,), scheme="dark"),
    Picture("tablet-case", "tablet", "/case/{case}", (PHONE,)),
    Picture("tablet-patrol", "tablet", "/patrol", (PHONE,)),
    Picture("tablet-outbox", "tablet", "/outbox", (PHONE,), scheme="dark"),
    Picture("cases", "he", "/cases", (DESKTOP, PHONE)),
    Picture("case", "he", "/case/{case}", (DESKTOP,)),
    Picture("visits", "he", "/visits", (DESKTOP,)),
    Picture("coverage", "he", "/coverage", (DESKTOP, TABLET)),
    Picture("workload", "he", "/workload", (DESKTOP,)),
    Picture("tablets", "he", "/tablets", (DESKTOP,)),
    Picture("refusals", "he", "/refusals", (DESKTOP,)),
    Picture("indicators", "he", "/indicators", (DESKTOP,)),
    Picture("summary", "he", "/summary", (DESKTOP,)),
    Picture("ledgers", "sun", "/ledgers", (DESKTOP,)),
    Picture("history", "sun", "/history", (DESKTOP,)),
    Picture("past", "sun", "/past/{case}", (DESKTOP,)),
    Picture("reads", "sun", "/reads", (DESKTOP,)),
    Picture("areas", "admin", "/areas", (DESKTOP,)),
    Picture("people", "admin", "/people", (DESKTOP,)),
    Picture("codes", "admin", "/codes", (DESKTOP,)),
    Picture("rulebooks", "admin", "/rulebooks", (DESKTOP,)),
    Picture("keys", "admin", "/keys", (DESKTOP,)),
    Picture("health", "admin", "/health", (DESKTOP,), scheme="dark"),
)


class Scene:
    """The demo city behind a socket, and browsers in which somebody is logged in."""

    def __init__(self, folder: Path) -> None:
        self.config = Config(
            database_url=f"sqlite:///{folder}/gridtrail.db",
            vault_url=f"sqlite:///{folder}/vault.db",
            vault_key_file=f"{folder}/vault.key",
            signing_key_file=f"{folder}/signing.key",
            watermark_file=f"{folder}/signed.journal",
            erasures_file=f"{folder}/erasures.journal",
            photos_url=f"{folder}/photos",
            log_level="error",
        )
        self.pieces = Gridtrail(self.config)
        self.pieces.upgrade()
        plant(self.config, folder / "tablets", (datetime.now(UTC) - timedelta(days=1)).date(), 1)
        self.pieces.follower.catch_up()
        self.pieces.publisher.turn()
        self.socket = Socket(make_app(self.pieces))

    def code(self, login: str) -> str:
        """An enrolment code for one of the demo's cast."""
        return self.pieces.enrolment.make_code(terminal_actor(self.config), str(person_of(self.config.city, login))).code

    def stop(self) -> None:
        """Ends the city."""
        self.socket.stop()
        self.pieces.database.dispose()


def on_the_tablet(scene: Scene, context: Any, language: str) -> Any:
    """A page of the app, enrolled for li, with something of each kind in the outbox."""
    page = context.new_page()
    enrol(page, scene.socket, scene.code("li"), "Li 李", language, PIN)
    area = county_of(scene.config.city) + "001001001"
    page.evaluate(
        """async ([area, ids]) => {
            const { tablet, record } = await import("/tablet/state.js");
            await tablet.value.record("patrol.started", ids[0], area, {});
            const say = (kind, id, data) => tablet.value.record(kind, id, area, data);
            for (const checkpoint of ["East gate", "3 号楼道"]) await say("patrol.checkpoint_passed", ids[0], { checkpoint });
            await say("visit.made", ids[1], { household: "H-1207", outcome: "met", channel: "at_door", care_group: "living_alone" });
            await tablet.value.record("case.handled", ids[2], area, { result: "done" });
            await tablet.value.sync();
            await say("visit.made", ids[3], { household: "H-0311", outcome: "no_one_home", care_group: "extreme_poverty" });
        }""",
        [area, [str(uuid4()) for _ in range(4)]],
    )
    scene.pieces.follower.catch_up()
    page.evaluate(
        "async () => { const { tablet } = await import('/tablet/state.js'); await tablet.value.download(); tablet.value.tell('change'); }"
    )
    return page


def on_the_console(scene: Scene, context: Any, language: str, login: str) -> Any:
    """A page of the console, logged in."""
    page = context.new_page()
    page.add_init_script(f"localStorage.setItem('gridtrail:language', '{language}')")
    log_in(page, f"{scene.socket.url}/console/", login, PASSWORD)
    return page


def names_of(scene: Scene, page: Any, whose: str) -> dict[str, str]:
    """What stands for {household} and {case} in an address."""
    if whose != "tablet":
        with reading(scene.pieces.database) as conn:
            longest = sa.select(open_cases.C.case_id).order_by(open_cases.C.version.desc(), open_cases.C.case_id).limit(1)
            return {"case": str(conn.scalar(longest))}
    return page.evaluate(
        """async () => {
            const { items } = await import("/tablet/state.js");
            const { mine } = await import("/tablet/today.js");
            return { household: items.value.visit[0]?.id ?? "H-1207", case: (mine.value[0] ?? items.value.case[0].data).case_id };
        }"""
    )


def take(page: Any, path: Path) -> int:
    """A WebP of what is seen, as good as fits; how many bytes."""
    client = page.context.new_cdp_session(page)
    for quality in QUALITIES:
        told = client.send("Page.captureScreenshot", {"format": "webp", "quality": quality})
        content = base64.b64decode(told["data"])
        if len(content) <= MOST_BYTES:
            break
    client.detach()
    path.write_bytes(content)
    return len(content)


def main() -> None:
    """Takes all pictures, or those whose names begin as is said."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="beginning of the names")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    if CHROMIUM is None:
        raise SystemExit("no Chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    options.folder.mkdir(parents=True, exist_ok=True)
    wanted = [each for each in PICTURES if each.name.startswith(options.only)]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        scene, browser = Scene(Path(folder)), launch(driver)
        for language in LANGUAGES:
            for whose in dict.fromkeys(each.whose for each in wanted):
                shoot(scene, browser, language, whose, [each for each in wanted if each.whose == whose], options.folder)
        browser.close()
        scene.stop()


def shoot(scene: Scene, browser: Any, language: str, whose: str, pictures: list[Picture], folder: Path) -> None:
    """All pictures of one person in one language, in one browser."""
    context = browser.new_context(locale={"zh": "zh-CN", "en": "en-GB"}[language], timezone_id="Asia/Shanghai")
    context.set_default_timeout(ANSWER_MS)
    page = on_the_tablet(scene, context, language) if whose == "tablet" else on_the_console(scene, context, language, whose)
    names = names_of(scene, page, whose)
    for each in pictures:
        page.emulate_media(color_scheme=each.scheme)
        for width, height in each.screens:
            page.set_viewport_size({"width": width, "height": height})
            # Another page first: the same address again would keep what was done on it.
            page.evaluate("() => { location.hash = '/more'; }")
            page.wait_for_timeout(100)
            page.evaluate("address => { location.hash = address; }", each.address.format(**names))
            page.wait_for_timeout(300)
            page.wait_for_load_state("networkidle")
            page.locator("h1").first.wait_for()
            page.mouse.move(0, 0)
            page.wait_for_timeout(SETTLE_MS)
            if each.act:
                each.act(page)
                page.wait_for_timeout(200)
            size = take(page, folder / f"{each.name}-{language}-{width}.webp")
            print(f"  {each.name}-{language}-{width}.webp {size:>8,}", flush=True)
    context.close()


if __name__ == "__main__":
    main()
