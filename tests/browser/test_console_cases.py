"""Officers at the console, in a real browser: logging in, the list that changes by itself, a case's steps, and what nobody else sees."""

import csv
import io
import json
import re
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.browser.conftest import Served, held_back
from tests.check import check_everything
from tests.web.city import COMMUNITY_A, GRID_A1, GRID_A2, GRID_B1, PASSWORD

pytestmark = pytest.mark.browser
A_WHILE_MS = 11_000
"""A little more than a list waits before it asks again."""


def reported(served: Served, words: str, area: str = GRID_A1, **said: Any) -> str:
    """A case with a summary to find it by."""
    return served.city.report(area, summary=words, **said)


def row(page: Any, words: str) -> Any:
    """The row of the list that says so."""
    return page.get_by_role("row").filter(has_text=words)


def act(served: Served, name: str, case: str, verb: str, **said: Any) -> None:
    """A step that somebody takes elsewhere."""
    hand = served.city.client(name)
    seen = hand.get(f"/v1/cases/{case}").headers["ETag"]
    assert hand.post(f"/v1/cases/{case}/{verb}", said, If_Match=seen).status_code == 200
    served.city.catch_up()


def asks_again(page: Any, path: str) -> None:
    """Lets the page ask anew now, and not by itself in the ten seconds that follow."""
    with page.expect_response(lambda answer: path in answer.url):
        page.clock.fast_forward(A_WHILE_MS)


def test_the_right_password_opens_the_console_and_a_wrong_one_says_so(context: Any, served: Served, console: Any):
    page = console("zhao")
    page.get_by_role("heading", name="Cases").wait_for()
    other = context.new_page()
    other.goto(f"{served.url}/console/")
    other.get_by_role("button", name="English").click()
    other.get_by_label("Login").fill("zhao")
    other.get_by_label("Password").fill("a guess")
    other.get_by_role("button", name="Log in").click()
    other.get_by_role("alert").filter(has_text="Login or password is wrong.").wait_for()
    assert other.get_by_label("Login").input_value() == "zhao"


def test_each_role_finds_the_own_pages(console: Any):
    officer = console("zhao").get_by_role("navigation").first
    assert officer.get_by_role("link", name="Cases").count() == 1
    administrator = console("guan", "cases")
    administrator.get_by_role("heading", name="There is no such page for you").wait_for()
    assert administrator.get_by_role("navigation").get_by_role("link", name="Cases").count() == 0


def test_the_list_changes_by_itself_while_a_tablet_syncs(served: Served, console: Any):
    page = console("zhao")
    row(page, "canary").first.wait_for()
    row(page, f"canary-{GRID_A2}").get_by_role("checkbox").check()
    asks_again(page, "/v1/cases?")
    tablet = served.city.tablets["li"]
    tablet.record("case.reported", str(uuid4()), GRID_A1, {"category": "gridtrail/1/A01", "summary": "rubbish by the pond"})
    tablet.sync()
    served.city.catch_up()
    page.clock.fast_forward(A_WHILE_MS)
    row(page, "rubbish by the pond").wait_for()
    assert "changed" in row(page, "rubbish by the pond").get_attribute("class")
    assert "changed" not in (row(page, f"canary-{GRID_A2}").get_attribute("class") or "")
    assert row(page, f"canary-{GRID_A2}").get_by_role("checkbox").is_checked()
    page.get_by_role("status").filter(has_text="just changed: 1").wait_for()


def test_filters_stand_in_the_address_and_survive_a_reload(served: Served, console: Any):
    reported(served, "lamp at the gate", GRID_A2, category="gridtrail/1/E03")
    page = console("zhao", "cases?text=lamp")
    row(page, "lamp at the gate").wait_for()
    page.get_by_role("combobox", name="Status", exact=True).select_option("reported")
    page.wait_for_url("**status=reported**")
    page.reload()
    row(page, "lamp at the gate").wait_for()
    assert page.get_by_label("Words or number").input_value() == "lamp"
    assert page.get_by_role("combobox", name="Status", exact=True).input_value() == "reported"
    assert row(page, "canary").count() == 0
    page.get_by_role("button", name="Save view").click()
    page.get_by_label("Name of the view").fill("my lamps")
    page.get_by_role("dialog").get_by_role("button", name="Save view").click()
    page.get_by_role("button", name="Clear filters").click()
    row(page, "canary").first.wait_for()
    page.get_by_role("combobox", name="View", exact=True).select_option(label="my lamps")
    row(page, "lamp at the gate").wait_for()
    row(page, "canary").first.wait_for(state="detached")


def test_a_step_is_taken_with_the_keyboard_alone(served: Served, console: Any):
    case = reported(served, "a broken bench")
    page = console("zhao", f"case/{case}")
    accept = page.get_by_role("button", name="Accept")
    accept.wait_for()
    for _ in range(60):
        page.keyboard.press("Tab")
        if accept.evaluate("each => each === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Accept").wait_for()
    page.keyboard.type("on my way")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("listitem").filter(has_text="Accepted").filter(has_text="on my way").wait_for()
    assert page.get_by_role("heading", name="What you may do now").evaluate("each => each === document.activeElement")
    check_everything(served.city.gridtrail)


def test_a_case_that_somebody_changed_meanwhile_is_decided_anew(served: Served, console: Any):
    case = reported(served, "a hole in the road")
    page = console("zhao", f"case/{case}")
    page.get_by_role("button", name="Transfer").click()
    page.get_by_label("Why?").fill("it lies behind the school")
    page.get_by_role("combobox", name="Area", exact=True).select_option(GRID_A2)
    asks_again(page, f"/v1/cases/{case}")
    act(served, "chen", case, "accept", note="seen")
    page.locator("form.step").get_by_role("button", name="Transfer").click()
    page.get_by_role("alert").filter(has_text="Somebody changed this meanwhile").wait_for()
    page.get_by_role("listitem").filter(has_text="seen").wait_for()
    page.get_by_role("button", name="I have seen it, go on").click()
    assert page.get_by_label("Why?").input_value() == "it lies behind the school"
    page.locator("form.step").get_by_role("button", name="Transfer").click()
    page.get_by_role("listitem").filter(has_text="Transferred").filter(has_text="it lies behind the school").wait_for()
    assert served.city.client("zhao").get(f"/v1/cases/{case}").json["holder"] == GRID_A2


def test_who_is_turned_away_for_a_moment_comes_again_by_itself(served: Served, console: Any):
    case = reported(served, "a loose shutter")
    page, once = console("zhao"), set()

    def turn_away(route: Any) -> None:
        asked = f"{route.request.method} {route.request.url}"
        if asked in once:
            return route.continue_()
        once.add(asked)
        said = {"status": 503, "code": "overloaded", "title": "More is asked than can be done now"}
        return route.fulfill(status=503, headers={"Retry-After": "1"}, content_type="application/problem+json", body=json.dumps(said))

    page.route("**/v1/**", turn_away)
    page.goto(f"{served.url}/console/#/case/{case}")
    page.get_by_role("button", name="Accept").click()
    page.locator("form.step textarea").fill("on my way")
    page.locator("form.step").get_by_role("button", name="Accept").click()
    page.get_by_role("listitem").filter(has_text="on my way").wait_for()
    assert any(each.startswith("POST") for each in once)
    check_everything(served.city.gridtrail)


def test_what_was_just_recorded_is_waited_for_though_the_page_would_look_again(served: Served, console: Any):
    case = reported(served, "a swing without a seat")
    page = console("zhao", f"case/{case}")
    page.get_by_role("button", name="Accept").click()
    page.route(re.compile(f"/v1/cases/{case}$"), lambda route: route.fulfill(status=304))
    answers = held_back(page, f"/v1/cases/{case}?min_position=")
    page.locator("form.step textarea").fill("on my way")
    page.locator("form.step").get_by_role("button", name="Accept").click()
    page.get_by_role("status").filter(has_text="Recorded at").wait_for()
    page.clock.fast_forward(A_WHILE_MS)
    answers()
    page.get_by_role("listitem").filter(has_text="on my way").wait_for()


def test_many_cases_are_sent_on_each_with_the_own_result(served: Served, console: Any):
    kept, moved = reported(served, "first of two"), reported(served, "second of two")
    page = console("zhao", "cases?text=of+two")
    for words in ("first of two", "second of two"):
        row(page, words).get_by_role("checkbox").check()
    page.get_by_role("button", name="Transfer").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Area", exact=True).select_option(GRID_A2)
    dialog.get_by_label("Why?").fill("two of us are ill")
    act(served, "chen", kept, "accept")
    dialog.get_by_role("button", name="Transfer").click()
    dialog.get_by_role("listitem").filter(has_text="second of two").filter(has_text="Done").wait_for()
    dialog.get_by_role("listitem").filter(has_text="first of two").filter(has_text="Somebody changed this meanwhile").wait_for()
    dialog.get_by_role("button", name="Close").last.click()
    served.city.catch_up()
    holders = [served.city.client("zhao").get(f"/v1/cases/{case}").json["holder"] for case in (kept, moved)]
    assert holders == [GRID_A1, GRID_A2]
    check_everything(served.city.gridtrail)


def test_an_ended_session_leads_to_the_login_and_back_to_the_same_place(served: Served, console: Any):
    case = reported(served, "a lost dog")
    page = console("zhao", f"case/{case}")
    page.get_by_role("button", name="Reject").click()
    page.get_by_label("Why?").fill("it came back by itself")
    served.city.clock.forward(hours=13)
    page.clock.fast_forward(A_WHILE_MS)
    page.get_by_text("Your session has ended.").wait_for()
    assert page.get_by_text("a lost dog").count() == 0
    page.get_by_label("Login").fill("zhao")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("a lost dog").first.wait_for()
    assert page.get_by_label("Why?").input_value() == "it came back by itself"


def test_another_tab_needs_no_second_login_and_logging_out_ends_both(served: Served, console: Any):
    page = console("zhao")
    other = page.context.new_page()
    other.goto(f"{served.url}/console/#/case/{served.city.cases[GRID_A1]}")
    other.get_by_text("What you may do now").wait_for()
    page.get_by_text("label of zhao").click()
    page.get_by_role("button", name="Log out").click()
    other.get_by_text("You are logged out.").wait_for()
    assert other.get_by_text("canary").count() == 0


def test_nobody_sees_another_units_cases(served: Served, console: Any):
    page = console("qian")
    row(page, f"canary-{GRID_B1}").first.wait_for()
    assert row(page, f"canary-{GRID_A1}").count() == 0
    page.goto(f"{served.url}/console/#/case/{served.city.cases[GRID_A1]}")
    page.get_by_role("alert").filter(has_text="outside your area").wait_for()
    assert page.get_by_text("canary").count() == 0


def test_what_is_said_of_persons_is_shown_for_a_purpose_that_goes_on_record(served: Served, console: Any):
    case = reported(served, "a quarrel about the yard", category="gridtrail/1/D")
    page = console("chen", f"case/{case}")
    page.get_by_role("heading", name="What it says of persons").wait_for()
    assert page.get_by_text("a quarrel about the yard").count() == 0
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_label("Why do you read this?").fill("the neighbour complained")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_text("a quarrel about the yard").wait_for()
    reads = served.city.client("sun").get("/v1/access-log", object=case).json["items"]
    assert "the neighbour complained" in {each["purpose"] for each in reads}


def test_a_file_holds_exactly_what_the_list_shows(served: Served, console: Any):
    served.city.clock.forward(minutes=1)
    reported(served, "=1+1, a formula", GRID_A2, place={"lat": 32.125, "lon": 114.075, "purpose": "find_matter"})
    served.city.clock.forward(minutes=1)
    reported(served, "a plain one", GRID_A2)
    page = console("zhao", f"cases?area={GRID_A2}&sort=reported_at")
    row(page, "a formula").wait_for()
    found = {}
    for form in ("CSV", "XLSX", "GeoJSON"):
        with page.expect_download() as download:
            page.get_by_role("button", name=form, exact=True).click()
        found[form] = download.value.path().read_bytes()
    assert found["CSV"].startswith(b"\xef\xbb\xbf")
    table = list(csv.reader(io.StringIO(found["CSV"].decode("utf-8-sig"))))
    shown = page.get_by_role("row").count() - 1
    matter = table[0].index("Matter")
    assert len(table) == shown + 1
    assert [line[matter] for line in table[-2:]] == ["'=1+1, a formula", "a plain one"]
    with zipfile.ZipFile(io.BytesIO(found["XLSX"])) as book:
        assert book.testzip() is None
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row>") == shown + 1
    assert "&apos;" not in sheet
    assert "'=1+1, a formula" in sheet
    features = json.loads(found["GeoJSON"])["features"]
    assert [each["geometry"] for each in features][-2:] == [{"type": "Point", "coordinates": [114.075, 32.125]}, None]


def test_a_report_at_the_counter_keeps_the_person_apart(served: Served, console: Any):
    page = console("zhao", "report")
    page.get_by_role("combobox", name="Area", exact=True).select_option(COMMUNITY_A)
    page.get_by_role("combobox", name="Category", exact=True).select_option("gridtrail/1/A01")
    page.get_by_label("What is the matter?").fill("rubbish behind the school")
    page.get_by_text("Who reported it").click()
    page.get_by_role("textbox", name="Name optional").fill("Mrs Sunlight")
    page.get_by_role("button", name="Report", exact=True).click()
    page.get_by_role("listitem").filter(has_text="Reported").filter(has_text="rubbish behind the school").wait_for()
    (case,) = served.city.client("zhao").get("/v1/cases", text="rubbish behind the school").json["items"]
    assert (case["holder"], case["source"], case["level"]) == (COMMUNITY_A, "resident", "community")
    assert "Sunlight" not in json.dumps(served.city.client("zhao").get(f"/v1/cases/{case['case_id']}/history").json)
    check_everything(served.city.gridtrail)


def test_no_page_of_cases_has_a_serious_barrier(served: Served, console: Any, no_serious_issue: Any):
    case = reported(served, "a wall leans over the path", place={"lat": 32.125, "lon": 114.075, "purpose": "find_matter"})
    page = console("zhao", "cases?map=true")
    row(page, "a wall leans").wait_for()
    no_serious_issue(page)
    row(page, "a wall leans").get_by_role("checkbox").check()
    page.get_by_role("button", name="Transfer").click()
    page.get_by_role("dialog").wait_for()
    no_serious_issue(page)
    for address, words in ((f"case/{case}", "What you may do now"), ("report", "Who reported it")):
        page.goto(f"{served.url}/console/#/{address}")
        page.get_by_text(words).wait_for()
        if address.startswith("case"):
            page.get_by_role("button", name="Merge").click()
        no_serious_issue(page)
    page.get_by_text("label of zhao").click()
    no_serious_issue(page)
    page.get_by_role("button", name="Log out").click()
    page.get_by_text("You are logged out.").wait_for()
    no_serious_issue(page)


def test_a_phone_in_the_dark_shows_the_same_without_a_serious_barrier(served: Served, console: Any, no_serious_issue: Any):
    case = reported(served, "a wall leans over the path")
    page = console("zhao", f"case/{case}", language="zh")
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    page.get_by_role("heading", name="办理过程").wait_for()
    no_serious_issue(page)
    page.goto(f"{served.url}/console/#/cases")
    row(page, "a wall leans").wait_for()
    no_serious_issue(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("header .menu summary").click()
    page.get_by_role("link", name="走访").click()
    page.get_by_role("heading", name="走访", level=1).wait_for()
    page.locator("h1:focus").wait_for()


def test_a_photo_goes_along_with_what_was_done(served: Served, console: Any, tmp_path: Path):
    zhao = served.city.client("zhao")
    said = {"area": COMMUNITY_A, "level": "community", "category": "gridtrail/1/A01", "summary": "rubbish in the yard"}
    case = zhao.post("/v1/cases", said).json["case_id"]
    served.city.catch_up()
    for verb in ("accept", "register"):
        act(served, "zhao", case, verb)
    page = console("zhao", f"case/{case}")
    (tmp_path / "yard.png").write_bytes(page.screenshot())
    page.get_by_role("button", name="Handle", exact=True).click()
    page.get_by_label("What was done?").fill("swept and carried away")
    page.locator("form.step input[type=file]").set_input_files(tmp_path / "yard.png")
    page.locator("form.step").get_by_role("img", name="Photo 1").wait_for()
    page.get_by_role("button", name="Add").click()
    page.get_by_label("What", exact=True).fill("bags")
    page.get_by_label("How much").fill("12")
    page.locator("form.step").get_by_role("button", name="Handle", exact=True).click()
    page.get_by_role("listitem").filter(has_text="Handled").filter(has_text="bags 12").wait_for()
    page.get_by_role("button", name="Photo 1").click()
    page.get_by_role("dialog").get_by_text("SHA-256").wait_for()
    shown = zhao.get(f"/v1/cases/{case}").json
    assert (len(shown["photos"]), shown["quantities"]) == (1, {"bags": 12})
    check_everything(served.city.gridtrail)


def test_a_subdistrict_whistles_for_a_department_and_another_unit(served: Served, console: Any):
    case = reported(served, "smoke over the market")
    act(served, "zhao", case, "accept")
    act(served, "zhao", case, "register")
    page = console("chen", f"case/{case}")
    page.get_by_role("button", name="Whistle").click()
    page.locator("form.step").wait_for()
    lead, assists = page.locator("form.step fieldset.unit").all()
    lead.get_by_text("Another unit, by its code").click()
    lead.get_by_label("Code, such as").fill("411502001/fire")
    assists.get_by_role("combobox", name="Area", exact=True).select_option(COMMUNITY_A)
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_label("What there is to do").fill("look where it burns")
    page.locator("form.step").get_by_role("button", name="Whistle").click()
    page.get_by_role("listitem").filter(has_text="Whistled").filter(has_text="look where it burns").wait_for()
    shown = served.city.client("feng").get(f"/v1/cases/{case}").json
    assert (shown["holder"], shown["called"]) == ("411502001/fire", ["411502001/fire", COMMUNITY_A])


def test_an_auditor_downloads_a_case_as_a_dossier_and_may_do_nothing_else(served: Served, console: Any):
    case = reported(served, "a lamp that hums")
    served.city.gridtrail.publisher.turn()
    page = console("sun", f"case/{case}")
    page.get_by_role("heading", name="Evidence").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the dossier").click()
    with zipfile.ZipFile(download.value.path()) as dossier:
        assert dossier.testzip() is None
    assert page.get_by_role("heading", name="What you may do now").count() == 0
    assert page.get_by_role("heading", name="What it says of persons").count() == 0


def test_the_readers_place_in_the_list_stays_through_news_and_a_look_at_a_case(served: Served, console: Any):
    for number in range(40):
        reported(served, f"lamp number {number:02}", GRID_A2, category="gridtrail/1/E03")
        served.city.clock.forward(seconds=1)
    page = console("zhao", "cases?sort=-reported_at&text=lamp")
    there = row(page, "lamp number 05")
    there.scroll_into_view_if_needed()
    before = there.bounding_box()["y"]
    reported(served, "lamp number 99", GRID_A2, category="gridtrail/1/E03")
    page.clock.fast_forward(A_WHILE_MS)
    row(page, "lamp number 99").wait_for(state="attached")
    page.wait_for_function("([row, y]) => Math.abs(row.getBoundingClientRect().y - y) < 2", arg=[there.element_handle(), before])
    scrolled = page.evaluate("scrollY")
    there.get_by_role("link").click()
    page.get_by_role("heading", name="What you may do now").wait_for()
    assert page.evaluate("scrollY") == 0
    page.get_by_role("link", name="All cases").click()
    there.wait_for()
    page.wait_for_function(f"Math.abs(scrollY - {scrolled}) < 2")


def test_the_first_page_leads_to_the_tablet_the_console_and_the_documentation(context: Any, served: Served, no_serious_issue: Any):
    page = context.new_page()
    page.goto(served.url)
    no_serious_issue(page)
    found = [link.get_attribute("href") for link in page.get_by_role("link").all()]
    assert found == ["tablet/", "console/", "docs"]
    for address in found:
        assert page.request.get(f"{served.url}/{address}").ok, address


def test_the_trail_marks_what_a_wrong_clock_said_and_what_came_late(served: Served, console: Any):
    city, case, late = served.city, str(uuid4()), str(uuid4())
    tablet = city.enrol("li")
    tablet.record("case.reported", late, GRID_A1, {"category": "gridtrail/1/A01", "summary": "written down, sent later"})
    city.clock.forward(hours=2)
    tablet.sync()
    tablet.wall = lambda: city.clock() - timedelta(days=400)
    tablet.record("case.reported", case, GRID_A1, {"category": "gridtrail/1/A01", "summary": "rubbish of another year"})
    tablet.sync()
    city.catch_up()
    page = console("zhao", f"case/{case}")
    page.get_by_role("listitem").filter(has_text="the tablet's clock was wrong: it said 16 Oct 2025").wait_for()
    page.goto(f"{served.url}/console/#/case/{late}")
    step = page.get_by_role("listitem").filter(has_text="written down, sent later")
    step.filter(has_text="recorded 20 Nov 2026").wait_for()
    assert "clock was wrong" not in step.inner_text()
