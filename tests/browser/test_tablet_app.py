"""The tablet app as a worker lives it: enrolled, offline, killed, and synced, entry by entry."""

from typing import Any

import pytest

from tests.browser.conftest import Served
from tests.check import check_everything
from tests.web.city import GRID_A1

pytestmark = pytest.mark.browser


@pytest.fixture
def app(context: Any, served: Served) -> Any:
    """The app in English, enrolled for li."""
    page = context.new_page()
    page.on("pageerror", lambda fault: pytest.fail(f"the page failed: {fault}"))
    page.goto(f"{served.url}/tablet/")
    page.get_by_role("button", name="English").click()
    page.get_by_label("Code").fill(served.code("li"))
    page.get_by_label("How you are called on this tablet").fill("Li")
    page.get_by_label("A PIN of 4 to 8 digits for this worker").fill("4711")
    page.get_by_role("button", name="Enrol", exact=True).click()
    page.get_by_role("heading", name="Today").wait_for()
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    return page


def report(page: Any, words: str) -> None:
    """A report of exposed rubbish through the form."""
    page.get_by_role("link", name="Report", exact=True).click()
    page.get_by_text("environment", exact=True).click()
    page.get_by_text("exposed rubbish", exact=True).click()
    page.get_by_label("In a few words").fill(words)
    page.get_by_role("button", name="Store the report").click()
    page.get_by_role("heading", name="Today").wait_for()


def test_a_report_made_offline_outlives_a_reload_and_is_recorded_once(app: Any, served: Served):
    app.context.set_offline(True)
    report(app, "rubbish behind the market")
    app.reload()
    app.get_by_label("PIN").fill("4711")
    app.get_by_role("button", name="Open").click()
    app.get_by_text("1 waiting to be sent").wait_for()
    app.context.set_offline(False)
    app.get_by_role("button", name="Sync now").click()
    app.get_by_text("Everything is sent.").wait_for()
    app.get_by_role("link", name="Outbox").click()
    app.get_by_text("recorded at").wait_for()
    served.city.catch_up()
    found = served.city.client("sun").get("/v1/cases", text="rubbish behind").json["items"]
    assert [each["area"] for each in found] == [GRID_A1]
    check_everything(served.city.gridtrail)


def test_a_visit_with_nobody_home_takes_three_taps_from_the_form(app: Any, served: Served):
    app.get_by_role("link", name="Visit", exact=True).click()
    app.get_by_label("Household").fill("H-0815")
    taps = 0
    app.get_by_text("No one home").click()
    taps += 1
    app.get_by_role("button", name="Store the visit").click()
    taps += 1
    assert taps <= 3
    app.get_by_text("Everything is sent.").wait_for()
    app.get_by_role("link", name="Outbox").click()
    app.get_by_text("recorded at").wait_for()


def test_a_patrol_goes_from_start_to_finish(app: Any, served: Served):
    app.get_by_role("button", name="Start the patrol").click()
    app.get_by_role("button", name="Start the patrol").click()
    app.get_by_label("Checkpoint, such as gate").fill("gate")
    app.get_by_role("button", name="Pass a checkpoint").click()
    app.get_by_text("1 checkpoints passed").wait_for()
    app.get_by_role("button", name="Finish the patrol").click()
    app.get_by_role("button", name="Start the patrol").wait_for()
    app.get_by_role("link", name="Outbox").click()
    for words in ("Patrol started", "Checkpoint passed", "Patrol finished"):
        app.get_by_text(words).wait_for()


def test_a_second_worker_sees_nothing_of_the_first(app: Any, served: Served):
    report(app, "only for Li's eyes")
    app.get_by_role("button", name="Leave").click()
    app.get_by_role("button", name="Enrol another worker").click()
    app.get_by_label("Code").fill(served.code("wang"))
    app.get_by_label("How you are called").fill("Wang")
    app.get_by_label("A PIN of").fill("0815")
    app.get_by_role("button", name="Enrol", exact=True).click()
    app.get_by_role("heading", name="Today").wait_for()
    app.get_by_role("link", name="Outbox").click()
    app.get_by_text("Nothing was recorded on this tablet yet.").wait_for()
    app.get_by_role("button", name="Leave").click()
    app.get_by_text("Li", exact=True).click()
    app.get_by_label("PIN").fill("0815")
    app.get_by_role("button", name="Open").click()
    app.get_by_text("That is not the PIN.").wait_for()


def test_a_form_that_was_begun_is_there_after_the_page_was_killed(app: Any):
    app.get_by_role("link", name="Report", exact=True).click()
    app.get_by_text("environment", exact=True).click()
    app.get_by_text("exposed rubbish", exact=True).click()
    app.get_by_label("In a few words").fill("half a sent")
    app.reload()
    app.get_by_label("PIN").fill("4711")
    app.get_by_role("button", name="Open").click()
    assert app.get_by_label("In a few words").input_value() == "half a sent"
