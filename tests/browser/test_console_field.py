"""The console's pages of field work as officers use them, with tablets at the other end of the line."""

import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from service.tablet_client import Refused, Tablet
from tests.browser.conftest import Served, held_back
from tests.check import check_everything
from tests.web.city import CANARY, CITY, COUNTY, GRID_A1, GRID_A2, GRID_B1, SUBDISTRICT_A, person_id

pytestmark = pytest.mark.browser

SCAN = """async () => {
    const { default: Scanner } = await import("/vendor/qr-scanner.js");
    const drawn = new XMLSerializer().serializeToString(document.querySelector("svg.qr"));
    const image = new Image();
    image.src = `data:image/svg+xml;utf8,${encodeURIComponent(drawn)}`;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: 600, height: 600 });
    canvas.getContext("2d").drawImage(image, 0, 0, 600, 600);
    return (await Scanner.scanImage(canvas, { returnDetailedScanResult: true })).data;
}"""


class Desk:
    """Somebody at the console, whose clock is right also after days have passed."""

    def __init__(self, console: Any, served: Served, name: str) -> None:
        self.served, self.page = served, console(name)
        self.page.clock.set_system_time(served.city.clock())

    def open(self, address: str, heading: str) -> Any:
        """A page of the console, fresh, once its heading is there."""
        self.page.goto(f"{self.served.url}/console/#/{address}")
        self.page.reload()
        self.page.get_by_role("heading", name=heading, level=1).wait_for()
        return self.page


@pytest.fixture
def desk(console: Any, served: Served) -> Any:
    """``desk(name)``: one of the cast at the console."""
    return lambda name: Desk(console, served, name)


def row(page: Any, words: str) -> Any:
    return page.get_by_role("row").filter(has_text=words)


def follows(served: Served, words: Any) -> None:
    """Waits for what a page says once the engine has folded what was recorded last."""
    for _ in range(20):
        served.city.catch_up()
        if words.is_visible():
            return
        words.page.wait_for_timeout(100)
    words.wait_for()


def refused_report(served: Served) -> tuple[Any, str]:
    """Wang reports rubbish in a grid that is not Wang's yet; gives Wang's tablet and the case's id."""
    tablet, case = served.city.tablets["wang"], str(uuid4())
    tablet.record("case.reported", case, GRID_A1, {"category": "gridtrail/1/A01", "summary": "rubbish behind the school"})
    assert tablet.sync().refused == 1
    served.city.catch_up()
    return tablet, case


def test_a_refused_entry_is_repaired_from_the_console_to_the_tablet(desk: Any, served: Served, no_serious_issue: Any):
    tablet, case = refused_report(served)
    tablet.download()
    assert "out_of_scope" in {each["code"] for each in tablet.outbox.items("refusal").values()}
    chen = desk("chen")
    page = chen.open("refusals", "Refused entries")
    no_serious_issue(page)
    row(page, "no assignment that reaches").get_by_role("link").first.click()
    page.get_by_role("heading", name="Refused entry: Report").wait_for()
    page.get_by_role("button", name="Show what it said").click()
    page.get_by_text("rubbish behind the school").wait_for()
    no_serious_issue(page)
    page.get_by_role("button", name="Decide again").click()
    page.get_by_role("dialog").get_by_role("button", name="Decide again").click()
    page.get_by_role("dialog").get_by_text("no assignment that reaches").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()

    said = {"assignment": str(uuid4()), "role": "worker", "unit": GRID_A1, "from_day": "2026-11-01"}
    served.city.gridtrail.inspection.change_person(served.city.root, CITY, person_id("wang"), "assign", said)
    page.get_by_role("button", name="Decide again").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("assigned late")
    page.get_by_role("dialog").get_by_role("button", name="Decide again").click()
    page.get_by_text("Taken after all: 1").wait_for()
    served.city.catch_up()
    tablet.download()
    assert "out_of_scope" not in {each["code"] for each in tablet.outbox.items("refusal").values()}
    assert tablet.outbox.items("case")[case]["summary"] == "rubbish behind the school"
    chen.open("refusals?state=reapplied", "Refused entries").locator("table").get_by_text("taken after all").wait_for()
    check_everything(served.city.gridtrail)


def test_several_are_dismissed_at_once_and_the_worker_is_told_why(desk: Any, served: Served):
    page = desk("chen").open("refusals", "Refused entries")
    page.get_by_label("Select all rows shown").check()
    page.get_by_role("button", name="Dismiss (2)").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("there is no such category")
    page.get_by_role("dialog").get_by_role("button", name="Dismiss").click()
    page.get_by_text("Dismissed: 2").wait_for()
    served.city.catch_up()
    page.get_by_text("No refused entry waits").wait_for()
    tablet = served.city.tablets["li"]
    tablet.download()
    assert [each["reason"] for each in tablet.outbox.items("refusal").values()] == ["there is no such category"]


def test_a_report_with_a_wrong_field_is_reported_corrected_in_the_officers_own_name(desk: Any, served: Served):
    chen = desk("chen")
    page = chen.open("refusals", "Refused entries")
    row(page, "no published book").get_by_role("link").first.click()
    page.get_by_role("button", name="Show what it said").click()
    page.get_by_role("button", name="Report it corrected, in my name").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Category").select_option("gridtrail/1/A01")
    form.get_by_label("In a few words").fill("cardboard at the gate, as the worker said")
    form.get_by_role("button", name="Report it corrected, in my name").click()
    page.get_by_text("Reported in your name").wait_for()
    served.city.catch_up()
    (case,) = served.city.client("chen").get("/v1/cases", text="cardboard at the gate").json["items"]
    assert served.city.client("chen").get(f"/v1/cases/{case['case_id']}").json["reporter"] == person_id("chen")
    (settled,) = served.city.client("chen").get("/v1/refusals", state="dismissed").json["items"]
    assert case["case_id"] in settled["reason"]
    check_everything(served.city.gridtrail)


def test_coverage_shows_the_days_patrol_and_what_was_left_out(desk: Any, served: Served, no_serious_issue: Any):
    page = desk("zhao").open("coverage", "Patrol coverage")
    grid = row(page, f"area {GRID_A1}")
    grid.wait_for()
    assert grid.get_by_role("cell").all_inner_texts()[-2:] == ["1\n1\nstops", "1/14"]
    page.get_by_text("2 of 2 grids were patrolled: 100%").wait_for()
    no_serious_issue(page)
    served.city.clock.forward(days=1)
    tablet = served.city.tablets["li"]
    tablet.record("patrol.started", str(uuid4()), GRID_A1, {})
    tablet.sync()
    served.city.catch_up()
    zhao = desk("zhao")
    page = zhao.open("coverage", "Patrol coverage")
    page.get_by_text("1 of 2 grids were patrolled: 50%").wait_for()
    page.get_by_role("region", name="Map of the grids").wait_for()
    assert page.locator("ul.inline li").all_inner_texts() == [f"area {GRID_A2}"]
    answers = held_back(page, "from_day=2026-11-20&to_day=2026-11-20")
    page.get_by_title("Show 20 Nov 2026 on the map").click()
    page.get_by_role("heading", name="20 Nov 2026").wait_for()
    page.locator("ul.inline li").first.wait_for(state="detached")
    answers()
    page.get_by_role("region", name="Map of the grids").wait_for()
    page.get_by_text("2 of 2 grids were patrolled: 100%").wait_for()
    assert "day=2026-11-20" in page.url
    page = zhao.open("coverage?until=2025-12-31", "Patrol coverage")
    page.get_by_text("There was no grid here in these days.").wait_for()


def test_a_tablet_that_is_taken_out_of_use_is_told_so_and_comes_back(desk: Any, served: Served, no_serious_issue: Any):
    tablet = served.city.tablets["li"]
    page = desk("chen").open(f"tablets/{tablet.id}", "Tablet")
    page.get_by_text("Entries here: 5, of 5").wait_for()
    no_serious_issue(page)
    page.get_by_role("button", name="Take out of use").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Reason").fill("left on the bus")
    form.get_by_role("button", name="Take out of use").click()
    follows(served, page.get_by_text("Its entries up to number 4 count"))
    page.get_by_text("Reason: left on the bus").wait_for()
    with pytest.raises(Refused) as told:
        tablet.download()
    assert told.value.code == "tablet_revoked"
    page.get_by_role("button", name="Give back into use").click()
    form.get_by_label("Reason").fill("found again")
    form.get_by_role("button", name="Give back into use").click()
    follows(served, page.get_by_text("It may upload and download."))
    tablet.download()
    check_everything(served.city.gridtrail)


def test_a_tablet_that_told_two_histories_is_set_aside_and_said_to_be(desk: Any, served: Served, tmp_path: Path, no_serious_issue: Any):
    tablet = served.city.tablets["wang"]
    copied = tmp_path / "copied.db"
    with sqlite3.connect(copied) as target:
        tablet.outbox.db.backup(target)
    twin = Tablet(str(copied), transport=tablet.transport, wall=served.city.clock, mono=lambda: 1.0, sleep=lambda _: None)
    for each, household in ((tablet, "H-1"), (twin, "H-2")):
        each.record("visit.made", str(uuid4()), GRID_A2, {"household": household, "outcome": "met"})
    tablet.sync()
    with pytest.raises(Refused):
        twin.sync()
    served.city.catch_up()
    chen = desk("chen")
    page = chen.open("tablets?status=set_aside", "Tablets")
    row(page, "set aside").get_by_role("link").first.click()
    page.get_by_text("It told two different histories").wait_for()
    no_serious_issue(page)
    page.get_by_role("link", name="Look at the refused entries of this tablet").click()
    row(page, "another history before").wait_for()
    page = chen.open(f"tablets/{tablet.id}", f"Tablet {tablet.id[:8]}")
    page.get_by_role("button", name="Give back into use").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("the copy is destroyed")
    page.get_by_role("dialog").get_by_role("button", name="Give back into use").click()
    follows(served, page.get_by_text("It may upload and download."))
    check_everything(served.city.gridtrail)


def test_what_is_shown_is_saved_as_it_is_shown(desk: Any, served: Served):
    served.city.tablets["li"].record(
        "visit.made", str(uuid4()), GRID_A1, {"household": "H-7", "outcome": "met", "care_group": "extreme_poverty"}
    )
    served.city.tablets["li"].sync()
    served.city.catch_up()
    page = desk("zhao").open("visits?ahead=month", "Visits due")
    row(page, "H-7").wait_for()
    with page.expect_download() as visits:
        page.get_by_role("button", name="CSV").click()
    lines = list(csv.DictReader(io.StringIO(visits.value.path().read_text("utf-8-sig"))))
    wanted = {"Household": "H-7", "Care group": "Extreme poverty", "Rhythm": "High risk", "Outcome": "Met", "Visited by": "label of li"}
    assert wanted.items() <= next(line for line in lines if line["Household"] == "H-7").items()
    page = desk("zhao").open("coverage?span=week", "Patrol coverage")
    row(page, f"area {GRID_A1}").wait_for()
    with page.expect_download() as patrols:
        page.get_by_role("button", name="CSV").click()
    lines = list(csv.DictReader(io.StringIO(patrols.value.path().read_text("utf-8-sig"))))
    assert [(line["Code"], line["2026-11-19"], line["2026-11-20"]) for line in lines] == [(GRID_A1, "0", "1"), (GRID_A2, "0", "1")]
    with page.expect_download() as outlines:
        page.get_by_role("button", name="GeoJSON").click()
    told = json.loads(outlines.value.path().read_text())
    assert {each["properties"]["code"] for each in told["features"]} == {
        GRID_A1,
        GRID_A2,
    }


def test_a_code_on_the_screen_is_read_by_a_scanner_and_enrols_a_tablet(desk: Any, served: Served, no_serious_issue: Any):
    page = desk("guan").open("tablets", "Tablets")
    page.get_by_role("button", name="Give a tablet").click()
    form = page.get_by_role("dialog")
    form.get_by_text("Choose a subdistrict").wait_for()
    for area in (CITY, COUNTY, SUBDISTRICT_A):
        form.get_by_label("Area").select_option(area)
    form.get_by_label("Grid worker").select_option(person_id("wang"))
    page.get_by_role("button", name="Make a code").click()
    page.get_by_role("img", name="QR code of the enrolment code").wait_for()
    no_serious_issue(page)
    scanned = page.evaluate(SCAN)
    code = page.locator(".mono.large").inner_text()
    assert scanned.endswith(f"/tablet/#enrol={code}")


def test_who_is_overdue_for_a_visit_stands_first_once_time_has_passed(desk: Any, served: Served, no_serious_issue: Any):
    city = served.city
    for household, group in (("H-0815", "extreme_poverty"), ("H-0816", "empty_nest")):
        said = {"household": household, "outcome": "met", "care_group": group}
        city.tablets["li"].record("visit.made", str(uuid4()), GRID_A1, said)
    city.tablets["li"].sync()
    city.catch_up()
    page = desk("zhao").open("visits", "Visits due")
    page.get_by_text("No household is due for a visit today.").wait_for()
    city.clock.forward(days=8)
    page.close()
    zhao = desk("zhao")
    page = zhao.open("visits", "Visits due")
    page.get_by_text("1 overdue").wait_for()
    assert "1 day overdue" in row(page, "H-0815").inner_text()
    assert "High risk" in row(page, "H-0815").inner_text()
    assert row(page, "H-0816").count() == 0
    no_serious_issue(page)
    page.get_by_label("Due until").select_option("quarter")
    row(page, "H-0816").wait_for()
    rows = page.get_by_role("row").all_inner_texts()[1:]
    assert "H-0815" in rows[0]
    assert [line for line in rows if CANARY.format(GRID_B1) in line] == []
    page.get_by_role("link", name="H-0815").click()
    page.get_by_role("heading", name="Visits made").wait_for()
    row(page, "H-0815").wait_for()
    no_serious_issue(page)


def test_work_by_day_shows_what_was_done_and_cannot_be_ranked(desk: Any, served: Served, no_serious_issue: Any):
    page = desk("zhao").open("workload", "Work by day")
    page.get_by_text("These counts are no score").wait_for()
    work = page.get_by_role("region", name="Work by day")
    work.get_by_role("row").nth(2).wait_for()
    assert work.get_by_role("columnheader").get_by_role("button").count() == 0
    no_serious_issue(page)


@pytest.mark.parametrize("address", ["visits?ahead=quarter", "visits/log", "coverage", "workload", "refusals", "tablets"])
def test_an_officer_of_elsewhere_sees_nothing_of_here(desk: Any, served: Served, address: str):
    headings = {"visits": "Visits", "coverage": "Patrol coverage", "workload": "Work by day", "refusals": "Refused", "tablets": "Tablets"}
    page = desk("qian").open(address, headings[address.partition("?")[0].partition("/")[0]])
    page.locator("main").get_by_role("row").nth(1).wait_for()
    seen = page.locator("main table").all_inner_texts()
    for where in (GRID_A1, GRID_A2):
        assert not [text for text in seen if where in text]
    for name in ("li", "wang"):
        assert not [text for text in seen if person_id(name)[:8] in text]


def test_a_tablet_of_elsewhere_is_no_page(desk: Any, served: Served):
    page = desk("qian").open(f"tablets/{served.city.tablets['li'].id}", "Tablet")
    page.get_by_text("There is nothing here, or it lies outside your area.").wait_for()


def test_an_auditor_sees_and_decides_nothing(desk: Any, served: Served):
    sun = desk("sun")
    page = sun.open("refusals", "Refused entries")
    page.get_by_role("row").nth(1).wait_for()
    assert page.get_by_role("button", name="Dismiss").count() == 0
    page.get_by_role("row").nth(1).get_by_role("link").first.click()
    page.get_by_text("What it said is shown to the officers").wait_for()
    page = sun.open(f"tablets/{served.city.tablets['li'].id}", "Tablet")
    page.get_by_text("Still owes").wait_for()
    assert page.get_by_role("button", name="Take out of use").count() == 0
