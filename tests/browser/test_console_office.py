"""The auditor's and the administrator's pages as they use them: the past, proofs that hold outside, people, codes, areas, books."""

import json
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from domain.books import shipped_items
from service.audit.dossiers.script import script
from service.audit.proofs import verify_proof
from service.ledger.note import Verifier
from tests.browser.conftest import Served
from tests.check import check_everything
from tests.web.city import CITY, COMMUNITY_A, COUNTY, GRID_A1, SUBDISTRICT_A, City, person_id

pytestmark = pytest.mark.browser

STEPS_IN_A_BREATH = """(slider, times) => {
    for (let step = 0; step < times; step += 1) {
        slider.stepUp();
        slider.dispatchEvent(new Event("input", { bubbles: true }));
    }
}"""
PHONE = {"width": 390, "height": 844}
PAGES = {
    "sun": ["past", f"past?area={SUBDISTRICT_A}", "ledgers", f"ledgers/{SUBDISTRICT_A}", f"history/{SUBDISTRICT_A}", "reads", "keys"],
    "guan": [
        "areas",
        f"areas?code={GRID_A1}",
        "areas/staffing",
        "areas/import",
        "people",
        "people/new",
        f"people/{person_id('li')}",
        "codes",
        "rulebooks",
        "rulebooks/limits/gridtrail/1",
        "rulebooks/publish",
        "keys",
        "health",
    ],
}


@dataclass
class Late:
    """A case that was reported at once and solved an hour later, out of reach: that became known six hours after."""

    case: str
    solved_at: str


@pytest.fixture
def late(served: Served) -> Late:
    city, tablet, case = served.city, served.city.tablets["li"], str(uuid4())
    tablet.record("case.reported", case, GRID_A1, {"category": "gridtrail/1/A01", "summary": "rubbish by the pond"})
    tablet.sync()
    city.clock.forward(hours=1)
    tablet.record("case.self_handled", case, GRID_A1, {"result": "carried it away"})
    solved = city.clock.now.isoformat()
    city.clock.forward(hours=6)
    tablet.sync()
    city.catch_up()
    city.gridtrail.publisher.turn()
    return Late(case, solved)


def cell(page: Any, member: str, column: str) -> str:
    """What the comparison says of a member of the case."""
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=member, exact=True))
    return str(row.locator(f'td[data-title="{column}"]').inner_text())


def test_an_auditor_moves_the_slider_and_sees_the_case_as_it_was_known_then(late: Late, served: Served, console: Any):
    page = console("sun", f"past/{late.case}")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/hindsight" in request.url else None)
    page.get_by_text("All that had happened was known.").wait_for()
    slider = page.get_by_role("slider", name="Moment")
    slider.press("Home")
    page.get_by_text("had not been reported").or_(page.get_by_text("All that had happened was known.")).wait_for()
    for _ in range(3):
        slider.press("PageUp")
    page.get_by_text("Steps that had happened and could not be known yet: 1.").wait_for()
    assert cell(page, "State", "as known then") == "Reported"
    assert "Solved on the spot" in cell(page, "State", "as it had happened")
    assert "≠" in cell(page, "State", "as it had happened"), "a sign, not only a colour"
    page.get_by_text("Recorded 6 hours after it happened").wait_for()
    assert slider.get_attribute("aria-valuetext")
    before = len(asked)
    slider.evaluate(STEPS_IN_A_BREATH, 25)
    page.get_by_role("status").filter(has_text="could not be known yet: 1").wait_for()
    assert len(asked) - before <= 5, "not one request for each step of the slider"
    page.reload()
    page.get_by_text("Steps that had happened and could not be known yet: 1.").wait_for()
    page.get_by_role("button", name="Now").click()
    page.get_by_text("All that had happened was known.").wait_for()
    page.wait_for_function("!location.hash.includes('at=')")


def test_the_list_of_an_earlier_moment_differs_by_what_was_known(late: Late, console: Any):
    page = console("sun", f"past?area={SUBDISTRICT_A}")
    row = page.get_by_role("row").filter(has_text="rubbish by the pond")
    page.get_by_role("slider", name="Moment").wait_for()
    page.get_by_label("Exactly").wait_for()
    page.evaluate(
        "at => { const url = new URL(location.href); location.hash = `${location.hash}&at=${encodeURIComponent(at)}`; }", late.solved_at
    )
    page.reload()
    row.wait_for()
    assert "Reported" in row.inner_text()
    page.get_by_label("As of").or_(page.get_by_label("Sense")).select_option("happened")
    page.get_by_role("row").filter(has_text="rubbish by the pond").filter(has_text="Solved on the spot").wait_for()


def test_a_dossier_downloaded_in_the_browser_verifies_outside(late: Late, served: Served, console: Any, tmp_path: Path):
    page = console("sun", f"past/{late.case}")
    page.get_by_role("button", name="Dossier with proofs").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    path, verifier = tmp_path / "case.zip", tmp_path / "verify.py"
    download.value.save_as(path)
    verifier.write_bytes(script())
    key = str(served.city.gridtrail.signer.verifier)
    page.get_by_role("region", name="Verify it on another machine").filter(has_text=key).wait_for()
    command = [sys.executable, "-I", str(verifier), str(path), "--key", key]
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"}, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "All holds" in ran.stdout
    assert any(late.case.encode() in (zipfile.ZipFile(path).read(name)) for name in zipfile.ZipFile(path).namelist())


def test_a_proof_downloaded_in_the_history_holds_under_the_ledgers_key(late: Late, console: Any, tmp_path: Path):
    page = console("sun", f"history/{SUBDISTRICT_A}?topic=case.self_handled")
    page.locator(".office-events summary").first.click()
    line = page.get_by_role("region", name="The stored line").inner_text()
    assert json.loads(line)["stream"] == late.case
    with page.expect_download() as download:
        page.get_by_role("button", name="Proof as a file").click()
    download.value.save_as(tmp_path / "entry.tlog-proof")
    page.get_by_role("link", name="How this ledger stands").click()
    key = page.get_by_role("region", name="Key of this ledger").inner_text()
    told = verify_proof((tmp_path / "entry.tlog-proof").read_text("utf-8"), line.encode(), Verifier.parse(key.strip()))
    assert told.size > json.loads(line)["position"]


def test_who_read_what_shows_the_auditors_own_look(served: Served, console: Any):
    page = console("sun", "reads?act=list_reads")
    page.get_by_role("heading", name="Who read what").wait_for()
    page.get_by_text("Nothing to show.").wait_for()
    page.reload()
    mine = page.get_by_role("row").filter(has_text="list_reads")
    mine.first.wait_for()
    assert "sun" in mine.first.inner_text()


def test_an_auditors_verification_stands_beside_the_ledger(late: Late, served: Served, console: Any):
    page = console("sun", f"ledgers/{SUBDISTRICT_A}")
    note = page.get_by_role("region", name="Latest checkpoint, signed").inner_text()
    page.get_by_role("button", name="Put your verification on record").click()
    page.get_by_label(re.compile("The checkpoint of your copy")).fill(note)
    page.get_by_role("button", name="Put it on record").click()
    page.get_by_text("It is on record. The service has the same root.").wait_for()
    page.get_by_role("link", name="All ledgers").click()
    page.get_by_role("row").filter(has_text=SUBDISTRICT_A).filter(has_text="holds").wait_for()


# ---- administrators


def choose_area(page: Any, *codes: str) -> None:
    """Down the tree, one step after the other."""
    for code in codes:
        page.get_by_role("combobox", name="Area", exact=True).select_option(code)


def test_an_administrator_assigns_a_worker_and_the_tablet_enrols_with_the_printed_code(served: Served, console: Any, browser: Any):
    page = console("guan", "people")
    page.get_by_label("Find by name or login").fill("of nobody")
    page.get_by_role("button", name="label of nobody").click()
    page.get_by_text("No assignment.").wait_for()
    page.get_by_role("button", name="Assign").click()
    choose_area(page, CITY, COUNTY, SUBDISTRICT_A, COMMUNITY_A, GRID_A1)
    page.get_by_role("dialog").get_by_role("button", name="Assign").click()
    page.get_by_role("row").filter(has_text=GRID_A1).filter(has_text="in force").wait_for()
    page.get_by_role("button", name="Enrolment code").or_(page.get_by_role("link", name="Enrolment code")).last.click()
    page.get_by_role("button", name="Make a code").click()
    code = page.locator(".office-code .code").inner_text()
    picture = page.get_by_role("img", name="QR code with which the tablet of label of nobody enrols")
    assert picture.bounding_box()["width"] > 100
    page.emulate_media(media="print")
    assert picture.is_visible()
    assert not page.get_by_role("button", name="Make a code").is_visible()

    tablet = browser.new_context().new_page()
    tablet.goto(f"{served.url}/tablet/")
    tablet.get_by_role("button", name="English").click()
    tablet.get_by_label("Code").fill(code)
    tablet.get_by_label("How you are called on this tablet").fill("New")
    tablet.get_by_label("A PIN of 4 to 8 digits for this worker").fill("4711")
    tablet.get_by_role("button", name="Enrol", exact=True).click()
    tablet.get_by_role("heading", name="Today").wait_for()
    tablet.context.close()
    found = served.city.client("guan").get("/v1/tablets", person=person_id("nobody")).json["items"]
    assert [(each["area"], each["status"]) for each in found] == [(GRID_A1, "active")]
    check_everything(served.city.gridtrail)


def test_an_assignment_is_ended_and_a_grid_without_a_worker_is_found(served: Served, console: Any):
    page = console("guan", f"people/{person_id('li')}")
    page.get_by_role("row").filter(has_text=GRID_A1).get_by_role("button", name="End").click()
    page.get_by_label("Last day").fill("2026-11-20")
    page.get_by_role("dialog").get_by_role("button", name="End").click()
    page.get_by_text("It is recorded.").wait_for()
    page.goto(f"{served.url}/console/#/areas/staffing?day=2026-11-21")
    page.get_by_role("row").filter(has_text=GRID_A1).wait_for()
    page.get_by_label("On day").fill("2026-11-20")
    page.get_by_text("Every grid has a worker on that day.").wait_for()


def test_a_file_of_areas_is_tried_before_it_is_recorded(served: Served, console: Any, tmp_path: Path):
    path = tmp_path / "areas.csv"
    path.write_text("level,code,name,kind\ngrid,411502001001009,School grid,exclusive\ngrid,411502001001010,,general\n", "utf-8")
    page = console("guan", "areas/import")
    page.get_by_label("File").set_input_files(path)
    page.get_by_role("button", name="Try it").click()
    page.get_by_role("row").filter(has_text="School grid").filter(has_text="new").wait_for()
    flaw = page.get_by_role("table", name="What is wrong").get_by_role("row").nth(1)
    assert "3" in flaw.inner_text()
    assert "name" in flaw.inner_text()
    assert names(served.city, "411502001001009") == []
    page.get_by_role("button", name="Record the changes (1)").click()
    page.get_by_role("heading", name="What was recorded").wait_for()
    assert names(served.city, "411502001001009") == ["School grid"]
    page.goto(f"{served.url}/console/#/areas?code=411502001001009")
    page.get_by_role("heading", name="School grid").wait_for()


def names(city: City, code: str) -> list[str]:
    return [each["name"] for each in city.client("guan").get("/v1/areas", area=code).json["items"]]


def test_a_rulebook_is_compared_tried_and_published(served: Served, console: Any, tmp_path: Path):
    limits = next(item for item in shipped_items() if item["kind"] == "limits")
    changed = json.loads(json.dumps({**limits, "version": "2", "effective_from": "2026-11-01"}))
    changed["content"]["limits"][0]["amount"] = 9
    path = tmp_path / "limits.json"
    path.write_text(json.dumps(changed), "utf-8")
    page = console("guan", "rulebooks/publish")
    page.get_by_label("File (JSON)").set_input_files(path)
    page.get_by_role("button", name="Try it").click()
    page.get_by_text("would be published").wait_for()
    page.get_by_role("heading", name="Compared with gridtrail@1").wait_for()
    difference = page.get_by_role("table", name="Differences").get_by_role("row").nth(1).inner_text()
    assert "amount" in difference
    assert "9" in difference
    page.get_by_role("button", name="Publish gridtrail@2").click()
    page.get_by_text("It is published.").first.wait_for()
    page.get_by_role("link", name="All rulebooks").click()
    page.get_by_role("row").filter(has_text="gridtrail@2").filter(has_text="decides today").wait_for()


def test_health_says_in_plain_words_what_to_do(served: Served, console: Any):
    page = console("guan", "health")
    page.get_by_text("There is nothing to do.").wait_for()
    from projections.tables import PROGRESS
    from service.database import writing

    mine = (PROGRESS.c.ledger == SUBDISTRICT_A) & (PROGRESS.c.read_model == "visit_log")
    with writing(served.city.gridtrail.database) as conn:
        conn.execute(PROGRESS.update().where(mine).values(parked_position=3, parked_error="x", parked_at="2026-11-20T01:00:00.000Z"))
    page.get_by_role("button", name="Look again").click()
    page.get_by_text("The list visit_log stands still in ledger 411502001 at position 3").wait_for()
    page.get_by_text("gridtrail engine resume visit_log 411502001").wait_for()


# ---- everybody


def test_a_worker_without_these_rights_sees_none_of_it(served: Served, console: Any):
    page = console("li", "ledgers")
    page.get_by_role("heading", name="There is no such page for you").wait_for()
    links = page.get_by_role("navigation").first.get_by_role("link").all_inner_texts()
    assert not {"Ledgers", "History", "The past", "Who read what", "Areas", "People", "Enrolment codes", "Rulebooks", "Health"} & set(links)
    asked: list[str] = []
    page.on("response", lambda answer: asked.append(f"{answer.status} {answer.url}") if "/v1/" in answer.url else None)
    for address in ("ledgers", "past", "reads", "people", "areas/import", "health", "keys"):
        page.goto(f"{served.url}/console/#/{address}")
        page.get_by_role("heading", name="There is no such page for you").wait_for()
    assert not [each for each in asked if each.startswith("2") and not re.search(r"/v1/(areas|me)", each)]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_whole_in_both_languages_and_fits_a_phone(late: Late, served: Served, console: Any, no_serious_issue: Any, name: str):
    for language in ("zh", "en"):
        page = console(name, language=language)
        page.set_viewport_size(PHONE)
        for address in [*PAGES[name], *([f"past/{late.case}"] if name == "sun" else [])]:
            page.goto(f"{served.url}/console/#/{address}")
            page.reload()
            page.locator("#main h1").wait_for()
            page.wait_for_load_state("networkidle")
            said = page.locator("#main").inner_text()
            raw = re.findall(r"\b(?:ledgers|past|reads|areas|people|codes|books|keys|health|office|console)\.[a-z_.]+", said)
            assert not raw, (address, language, raw)
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{address} is {wide} px wider than a phone"
            if language == "en":
                no_serious_issue(page)
        page.close()
