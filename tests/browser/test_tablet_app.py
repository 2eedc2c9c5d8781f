"""The tablet app as a worker lives it: enrolled, offline, killed, shared, and synced, entry by entry."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from service.routes import page_files
from tests.browser.conftest import Served
from tests.browser.tablet import PHOTO, PIN, enrol, plan, sync, unlock
from tests.check import check_everything
from tests.web.city import GRID_A1

pytestmark = pytest.mark.browser


@pytest.fixture
def app(context: Any, served: Served) -> Any:
    """The app in English, enrolled for li."""
    plan(served.city, "li", "H-0001", "H-0002")
    page = context.new_page()
    page.on("pageerror", lambda fault: pytest.fail(f"the page failed: {fault}"))
    enrol(page, served, served.code("li"))
    page.get_by_role("link", name="H-0001").wait_for()
    return page


def tab(page: Any, name: str) -> None:
    """Goes to one of the five."""
    page.get_by_role("navigation").get_by_role("link", name=name).click()


def start_patrol(page: Any) -> None:
    """From Today, by two buttons of one name."""
    for heading in ("Today", "Patrol"):
        page.get_by_role("heading", level=1, name=heading).wait_for()
        page.get_by_role("button", name="Start the patrol").click()
    page.get_by_role("button", name="Finish the patrol").wait_for()


def report(page: Any, words: str) -> None:
    """A report of exposed rubbish through the form."""
    tab(page, "Report")
    page.get_by_text("environment", exact=True).click()
    page.get_by_text("exposed rubbish", exact=True).click()
    page.get_by_label("In a few words").fill(words)
    page.get_by_role("button", name="Store the report").click()
    page.get_by_role("heading", level=1, name="Today").wait_for()


def kinds(page: Any) -> list[tuple[str, str]]:
    """Kind and state of every entry that is stored, oldest first."""
    return page.evaluate(
        """async () => {
            const { tablet } = await import("/tablet/state.js");
            return (await tablet.value.entries()).map(({ kind, state }) => [kind, state]);
        }"""
    )


# ---- a day offline


def test_a_whole_day_offline_with_reloads_and_a_killed_form_is_recorded_entry_by_entry(app: Any, served: Served):
    """The morning online, the day without network, the page killed in the middle of a form, the evening online."""
    app.context.set_offline(True)
    app.get_by_text("Offline: everything is stored here").wait_for()
    start_patrol(app)
    for count, checkpoint in enumerate(("gate", "stairwell 3"), 1):
        app.get_by_label("Checkpoint, such as gate").fill(checkpoint)
        app.get_by_role("button", name="Pass a checkpoint").click()
        app.get_by_text(f"{count} checkpoints passed").wait_for()
    app.reload()
    unlock(app)
    app.get_by_role("button", name="Finish the patrol").click()
    app.get_by_role("button", name="Start the patrol").wait_for()

    tab(app, "Today")
    app.get_by_role("link", name="H-0001").click()
    app.get_by_text("Met", exact=True).click()
    app.get_by_text("Is anything needed?").click()
    app.get_by_text("water outage", exact=True).click()
    app.get_by_label("In a few words").fill("no water since Mon")
    page = app.context.new_page()  # the form is killed with its page, without a chance to say goodbye
    app.close()
    page.goto(f"{served.url}/tablet/")
    unlock(page)
    page.get_by_role("heading", name="Not finished yet").wait_for()
    page.get_by_role("link", name="Visit H-0001").click()
    assert page.get_by_label("In a few words").input_value() == "no water since Mon"
    page.get_by_role("button", name="Store, and make the need a case").click()
    page.get_by_role("heading", level=1, name="Today").wait_for()
    assert not page.get_by_role("heading", name="Not finished yet").is_visible()
    report(page, "rubbish behind the market")
    states = kinds(page)
    assert [kind for kind, _ in states] == [
        "patrol.started", "patrol.checkpoint_passed", "patrol.checkpoint_passed", "patrol.finished",
        "visit.made", "case.reported", "case.reported",
    ]  # fmt: skip
    assert {state for _, state in states} == {"waiting"}

    page.context.set_offline(False)
    sync(page)
    assert {state for _, state in kinds(page)} == {"recorded"}
    tab(page, "Outbox")
    page.get_by_text("recorded at").nth(6).wait_for()
    assert page.get_by_text("recorded at").count() == 7
    entries = page.evaluate(
        """async () => {
            const { tablet } = await import("/tablet/state.js");
            const plain = new TextDecoder();
            return (await tablet.value.entries()).map(({ bytes, outcome }) => [plain.decode(bytes), outcome.ledger, outcome.position]);
        }"""
    )
    ledgers = served.city.gridtrail.ledgers
    with served.city.gridtrail.database.connect() as conn:
        for said, ledger, position in entries:
            line = ledgers.line(conn, ledger, position)
            assert line is not None
            assert said.encode() in line, said
    check_everything(served.city.gridtrail)


def test_a_report_made_offline_outlives_a_reload_and_is_recorded_once(app: Any, served: Served):
    app.context.set_offline(True)
    report(app, "rubbish behind the market")
    app.reload()
    unlock(app)
    app.locator("header.bar").get_by_text("1 waiting to be sent").wait_for()
    app.context.set_offline(False)
    sync(app)
    served.city.catch_up()
    found = served.city.client("sun").get("/v1/cases", text="rubbish behind").json["items"]
    assert [each["area"] for each in found] == [GRID_A1]
    check_everything(served.city.gridtrail)


def test_a_form_that_was_begun_is_there_after_the_page_was_killed_and_can_be_discarded(app: Any):
    tab(app, "Report")
    app.get_by_text("environment", exact=True).click()
    app.get_by_text("exposed rubbish", exact=True).click()
    app.get_by_label("In a few words").fill("half a sent")
    app.reload()
    unlock(app)
    assert app.get_by_label("In a few words").input_value() == "half a sent"
    app.get_by_text("You began this form").wait_for()
    tab(app, "Today")
    app.get_by_role("button", name="Discard").click()
    tab(app, "Report")
    app.get_by_text("What is it?").wait_for()
    assert app.get_by_label("In a few words").count() == 0


# ---- patrol, visits, cases


def test_a_checkpoint_of_an_earlier_round_is_one_tap(app: Any):
    for is_known in (False, True):
        start_patrol(app)
        if is_known:
            app.get_by_role("button", name="gate", exact=True).click()
        else:
            app.get_by_label("Checkpoint, such as gate").fill("gate")
            app.get_by_role("button", name="Pass a checkpoint").click()
        app.get_by_text("1 checkpoints passed: gate").wait_for()
        app.get_by_role("button", name="Finish the patrol").click()
        app.get_by_role("button", name="Start the patrol").wait_for()
        tab(app, "Today")
    app.get_by_text("2 patrols finished today").wait_for()
    assert [kind for kind, _ in kinds(app)].count("patrol.checkpoint_passed") == 2


def test_a_need_becomes_a_case_in_one_step_and_its_words_stand_in_no_entry(app: Any, served: Served):
    app.get_by_role("link", name="H-0001").click()
    app.get_by_text("Met", exact=True).click()
    app.get_by_text("Is anything needed?").click()
    app.get_by_text("heating outage", exact=True).click()
    app.get_by_label("In a few words").fill("the flat of the old lady is cold")
    app.get_by_role("button", name="Store, and make the need a case").click()
    app.get_by_role("heading", level=1, name="Today").wait_for()
    sync(app)
    served.city.catch_up()
    case = next(each for each in served.city.client("zhao").get("/v1/cases", limit=100).json["items"] if each["category"].endswith("F04"))
    whole = served.city.client("zhao").get(f"/v1/cases/{case['case_id']}").json
    assert (whole["source"], whole["household"], whole["private"], whole["summary"]) == ("visit", "H-0001", True, None)
    visit = served.city.client("zhao").get("/v1/visits", limit=100).json["items"]
    assert any(each["visit_id"] == whole["visit"] for each in visit)
    said = json.dumps(
        app.evaluate("async () => (await (await import('/tablet/state.js')).tablet.value.entries()).map(({ entry }) => entry)")
    )
    assert "cold" not in said
    zhao = served.city.client("zhao")
    purpose = {**zhao.headers, "Gridtrail-Purpose": "to send somebody"}
    told = zhao.client.get(f"/v1/cases/{case['case_id']}/personal", headers=purpose).json["items"]
    assert [each["value"] for each in told if each["field"] == "case_summary"] == ["the flat of the old lady is cold"]


def test_the_next_visit_is_proposed_from_the_care_group_as_the_service_decides_it(app: Any, served: Served):
    app.get_by_role("link", name="H-0001").click()
    app.get_by_text("No one home", exact=True).click()
    proposed = app.evaluate(
        """async () => {
            const [{ proposed }, { today }] = await Promise.all([import("/tablet/visit.js"), import("/pages/ui.js")]);
            return [today(), proposed("living_alone", "no_one_home").day];
        }"""
    )
    app.get_by_role("button", name="Store the visit").click()
    app.get_by_role("heading", level=1, name="Today").wait_for()
    sync(app)
    served.city.catch_up()
    log = served.city.client("zhao").get("/v1/visits", limit=100).json["items"]
    visit = next(each for each in log if each["household"] == "H-0001" and each["outcome"] == "no_one_home")
    for first, then in (proposed, (visit["day"], visit["next_due"])):
        assert date.fromisoformat(then) - date.fromisoformat(first) == timedelta(days=3)


def test_a_visited_household_is_no_longer_due_before_anything_was_sent(app: Any):
    app.context.set_offline(True)
    app.get_by_role("link", name="H-0002").click()
    app.get_by_text("By phone", exact=True).first.click()
    app.get_by_role("button", name="Store the visit").click()
    app.get_by_role("heading", level=1, name="Today").wait_for()
    app.get_by_role("link", name="H-0001").wait_for()
    app.get_by_role("link", name="H-0002").wait_for(state="detached")
    said = app.evaluate("async () => (await (await import('/tablet/state.js')).tablet.value.entries()).at(-1).entry.data")
    assert (said["outcome"], said["channel"]) == ("met", "phone")


def test_a_report_with_a_photo_brings_the_picture_that_its_entry_names(app: Any, served: Served):
    tab(app, "Report")
    app.get_by_text("safety hazard", exact=True).click()
    app.get_by_text("missing manhole cover", exact=True).click()
    app.get_by_label("Photo").set_input_files(PHOTO)
    app.locator(".photos img").wait_for()
    app.reload()
    unlock(app)
    app.locator(".photos img").wait_for()
    app.get_by_role("button", name="Store the report").click()
    app.get_by_role("heading", level=1, name="Today").wait_for()
    sync(app)
    served.city.catch_up()
    case = next(each for each in served.city.client("zhao").get("/v1/cases", limit=100).json["items"] if each["category"].endswith("B04"))
    whole = served.city.client("zhao").get(f"/v1/cases/{case['case_id']}").json
    assert whole["summary"] == "missing manhole cover"
    (name,) = whole["photos"]
    picture = served.city.client("zhao").get(f"/v1/photos/{name}")
    assert picture.status_code == 200
    assert hashlib.sha256(picture.data).hexdigest() == name
    assert picture.data[:3] == b"\xff\xd8\xff"


def test_what_was_solved_on_the_spot_is_reported_and_handled_in_one_screen(app: Any, served: Served):
    tab(app, "Report")
    app.get_by_text("environment", exact=True).click()
    app.get_by_text("illegal adverts", exact=True).click()
    app.get_by_label("I solved it already").check()
    app.get_by_label("What did you do?").fill("Scraped off.")
    app.get_by_role("button", name="Store as reported and solved").click()
    app.get_by_role("heading", level=1, name="Today").wait_for()
    sync(app)
    served.city.catch_up()
    case = next(each for each in served.city.client("zhao").get("/v1/cases", limit=100).json["items"] if each["category"].endswith("A02"))
    assert case["status"] == "self_handled"


def test_only_the_steps_that_the_worker_may_take_are_offered_and_one_is_taken(app: Any, served: Served):
    case = served.city.cases[GRID_A1]
    zhao = served.city.client("zhao")
    for action in ("accept", "register"):
        assert zhao.post(f"/v1/cases/{case}/{action}", {}, If_Match="*").status_code in (200, 201)
    served.city.catch_up()
    sync(app)
    tab(app, "Cases")
    app.get_by_role("link", name=GRID_A1[:4]).first.click()
    steps = app.get_by_role("group", name="What next?").get_by_role("button")
    steps.filter(has_text="Take it up").wait_for()
    assert sorted(steps.all_inner_texts()) == sorted(["Take it up", "Handled", "Send it back", "To the level above"])
    app.get_by_role("button", name="Handled").click()
    app.get_by_label("What was done?").fill("Call 13900139000 if it comes back")
    app.get_by_role("button", name="Store: Handled").click()
    app.get_by_text("There is a telephone or identity number").wait_for()
    app.get_by_label("What was done?").fill("Cleared away.")
    app.get_by_role("button", name="Store: Handled").click()
    app.get_by_role("heading", level=1, name="Cases").wait_for()
    sync(app)
    served.city.catch_up()
    assert zhao.get(f"/v1/cases/{case}").json["status"] == "handled"


def test_a_refused_entry_says_why_in_plain_words_and_what_to_do(app: Any, served: Served):
    app.evaluate(
        """async ([area]) => {
            const { tablet } = await import("/tablet/state.js");
            const say = (kind, data) => tablet.value.record(kind, crypto.randomUUID(), area, data);
            await say("case.handled", { result: "done" });
            await say("case.reported", { category: "gridtrail/1/A01", summary: "ask 13900139000" });
        }""",
        [GRID_A1],
    )
    sync(app)
    tab(app, "Outbox")
    app.get_by_role("button", name="Not accepted 2").click()
    app.get_by_text("What it belongs to was not begun, or had ended.").wait_for()
    app.get_by_text("A name or number of a person stood where everybody can read it.").wait_for()
    app.get_by_text("Record it again without it.").wait_for()


# ---- where it is


def begun_report(page: Any) -> None:
    """A report of a hazard, up to its place."""
    tab(page, "Report")
    page.get_by_text("safety hazard", exact=True).click()
    page.get_by_text("road collapse", exact=True).click()


def test_the_place_of_a_matter_is_taken_from_the_position_only_after_a_tap_and_can_be_put_right_on_the_map(app: Any, served: Served):
    app.context.grant_permissions(["geolocation"])
    app.context.set_geolocation({"latitude": 32.1285, "longitude": 114.0913, "accuracy": 12})
    asked = "() => { window.asked = 0; const ask = navigator.geolocation.getCurrentPosition.bind(navigator.geolocation);"
    app.evaluate(asked + "navigator.geolocation.getCurrentPosition = (...more) => { window.asked += 1; ask(...more); }; }")
    begun_report(app)
    app.get_by_text("Only the place of the matter, for whoever goes there").wait_for()
    assert app.evaluate("window.asked") == 0
    app.get_by_role("button", name="I am standing there").click()
    app.get_by_text("Place: 32.1285, 114.0913 (to 12 m)").wait_for()
    assert app.evaluate("window.asked") == 1
    app.get_by_role("button", name="Show on the map").click()
    box = app.locator(".map.leaflet-container")
    box.wait_for()
    app.locator(".map path").first.wait_for()
    size = box.bounding_box()
    box.click(position={"x": size["width"] / 2 + 60, "y": size["height"] / 2 - 40})
    app.get_by_text("(to 12 m)").wait_for(state="hidden")
    app.get_by_role("button", name="Store the report").click()
    app.get_by_role("heading", level=1, name="Today").wait_for()
    sync(app)
    served.city.catch_up()
    case = next(each for each in served.city.client("zhao").get("/v1/cases", limit=100).json["items"] if each["category"].endswith("B05"))
    place = served.city.client("zhao").get(f"/v1/cases/{case['case_id']}").json["place"]
    assert place["purpose"] == "find_matter"
    assert place["lat"] > 32.1285
    assert place["lon"] > 114.0913
    assert abs(place["lat"] - 32.1285) < 0.01


def test_without_leave_to_see_the_position_the_grid_is_enough(app: Any, served: Served):
    begun_report(app)
    app.get_by_role("button", name="I am standing there").click()
    app.get_by_text("This app may not see the position.").wait_for()
    app.get_by_role("button", name="Store the report").click()
    app.get_by_role("heading", level=1, name="Today").wait_for()
    sync(app)
    served.city.catch_up()
    case = next(each for each in served.city.client("zhao").get("/v1/cases", limit=100).json["items"] if each["category"].endswith("B05"))
    assert case["area"] == GRID_A1
    assert served.city.client("zhao").get(f"/v1/cases/{case['case_id']}").json["place"] is None


# ---- a shared tablet


def test_a_second_worker_sees_nothing_of_the_first(app: Any, served: Served):
    report(app, "only for Li's eyes")
    tab(app, "Visit")
    app.get_by_role("link", name="H-0001").click()
    app.get_by_text("Met", exact=True).click()
    app.get_by_role("button", name="Lock").click()
    app.get_by_role("heading", name="Locked").wait_for()
    assert "H-0001" not in app.locator("body").inner_text()
    app.get_by_role("button", name="Enrol another worker").click()
    app.get_by_label("Code").fill(served.code("wang"))
    app.get_by_label("How you are called").fill("Wang")
    app.get_by_label("A PIN of").fill("0815")
    app.get_by_role("button", name="Enrol", exact=True).click()
    app.get_by_role("heading", level=1, name="Today").wait_for()
    assert "H-0001" not in app.locator("body").inner_text()
    assert "Not finished yet" not in app.locator("body").inner_text()
    tab(app, "Outbox")
    app.get_by_text("Nothing was recorded on this tablet yet.").wait_for()
    app.get_by_role("button", name="Lock").click()
    app.get_by_text("Li", exact=True).click()
    unlock(app, "0815")
    app.get_by_text("That is not the PIN.").wait_for()
    unlock(app, PIN)
    app.get_by_role("heading", name="Not finished yet").wait_for()
    tab(app, "Outbox")
    app.get_by_text("exposed rubbish").wait_for()


def test_a_worker_comes_in_while_what_another_has_stored_is_being_read(app: Any, served: Served):
    """The tablet of the first is closed in the middle of a look."""
    is_another = app.evaluate(
        """async ([code]) => {
            const { addWorker, tablet } = await import("/tablet/state.js");
            const first = tablet.value;
            const fact = first.store.fact.bind(first.store);
            first.store.fact = async (...asked) => {
                while (tablet.value === first) await new Promise((done) => setTimeout(done, 10));
                return fact(...asked);
            };
            first.dispatchEvent(new Event("change"));
            await addWorker({ code, name: "Wang", pin: "0815" });
            return tablet.value !== first;
        }""",
        [served.code("wang")],
    )
    assert is_another
    app.get_by_role("heading", level=1, name="Today").wait_for()


def test_after_five_wrong_pins_each_further_one_costs_a_pause(app: Any):
    app.clock.set_fixed_time(datetime.now(UTC))  # or the first pause may end meanwhile
    app.get_by_role("button", name="Lock").click()
    for _ in range(4):
        unlock(app, "0000")
        app.get_by_text("That is not the PIN.", exact=True).wait_for()
    unlock(app, "0000")
    app.get_by_text("seconds before the next try").wait_for()
    unlock(app, PIN)
    app.get_by_text("seconds before the next try").wait_for()
    app.reload()
    unlock(app, PIN)
    app.get_by_text("seconds before the next try").wait_for()


def test_a_tablet_that_nobody_touches_locks_itself(app: Any):
    app.evaluate(
        "() => { const now = Date.now(); Date.now = () => now + 11 * 60000; document.dispatchEvent(new Event('visibilitychange')); }"
    )
    app.get_by_role("heading", name="Locked").wait_for()
    app.get_by_label("PIN", exact=True).wait_for()


# ---- what goes wrong is told


def test_a_revoked_tablet_is_told_so_plainly_and_keeps_what_it_has(app: Any, served: Served):
    app.context.set_offline(True)
    report(app, "after the loss")
    served.city.catch_up()
    found = served.city.client("zhao").get("/v1/tablets", limit=100).json["items"]
    tablet = next(each["tablet_id"] for each in found if each["label"] == "Li")
    answer = served.city.client("zhao").post(f"/v1/tablets/{tablet}/revoke", {"last_valid": -1, "reason": "lost on the way"})
    assert answer.status_code == 200, answer.data
    app.context.set_offline(False)
    app.get_by_role("button", name="Sync now").click()
    app.get_by_text("This tablet was withdrawn").wait_for()
    tab(app, "Outbox")
    app.get_by_text("exposed rubbish").wait_for()


def test_a_tablet_whose_login_ended_is_told_to_enrol_again(app: Any, served: Served):
    app.route(
        "**/v1/sync/**",
        lambda route: route.fulfill(status=401, content_type="application/problem+json", body='{"code":"not_logged_in","detail":"?"}'),
    )
    app.get_by_role("button", name="Sync now").click()
    app.get_by_text("ask your officer for a new code").wait_for()


def test_a_tablet_that_runs_short_of_storage_says_so(context: Any, served: Served):
    page = context.new_page()
    page.add_init_script("navigator.storage.estimate = async () => ({ usage: 900e6, quota: 1000e6 })")
    enrol(page, served, served.code("li"))
    page.get_by_text("Storage is getting short: 90 % of 1,000 MB used.").wait_for()


def test_where_there_is_no_room_the_worker_is_told_and_the_form_stays(app: Any):
    app.evaluate(
        """async () => {
            const { tablet } = await import("/tablet/state.js");
            const { Full } = await import("/tablet/gridtrail-sync.js");
            tablet.value.record = async () => { throw new Full(); };
        }"""
    )
    tab(app, "Report")
    app.get_by_text("environment", exact=True).click()
    app.get_by_text("exposed rubbish", exact=True).click()
    app.get_by_label("In a few words").fill("no room for this")
    app.get_by_role("button", name="Store the report").click()
    app.get_by_text("There is no room left on this tablet").wait_for()
    assert app.get_by_label("In a few words").input_value() == "no room for this"


def test_a_wrong_code_is_explained(context: Any, served: Served):
    page = context.new_page()
    page.goto(f"{served.url}/tablet/#enrol=AAAA-BBBB-CCCC-DDDD")
    page.get_by_role("button", name="English").click()
    assert page.get_by_label("Code").input_value() == "AAAA-BBBB-CCCC-DDDD"
    page.get_by_label("How you are called").fill("Li")
    page.get_by_label("A PIN of").fill("4711")
    page.get_by_role("button", name="Enrol", exact=True).click()
    page.get_by_text("Nobody gave out this code.").wait_for()


def test_an_enrolment_whose_answer_was_lost_is_let_in_with_the_same_code(context: Any, served: Served):
    page = context.new_page()
    lost = []

    def lose(route: Any) -> None:
        if not lost:
            lost.append(route.fetch().status)
        route.abort()

    page.route("**/v1/tablets/enrolments", lose)
    page.goto(f"{served.url}/tablet/#enrol={served.code('li')}")
    page.get_by_role("button", name="English").click()
    page.get_by_label("How you are called").fill("Li")
    page.get_by_label("A PIN of").fill("4711")
    page.get_by_role("button", name="Enrol", exact=True).click()
    page.get_by_text("The service cannot be reached.").wait_for()
    assert lost == [201]
    page.unroute("**/v1/tablets/enrolments")
    page.get_by_role("button", name="Enrol", exact=True).click()
    page.get_by_role("heading", level=1, name="Today").wait_for()


def test_another_release_is_fetched_whole_and_offered(app: Any, monkeypatch: pytest.MonkeyPatch):
    kept = "async () => (await caches.keys()).filter((each) => each.startsWith('gridtrail-tablet-') && !each.endsWith('which')).sort()"
    (before,) = app.evaluate(kept)
    monkeypatch.setattr(page_files, "_release", lambda: "0" * 32)
    app.reload()
    unlock(app)
    app.get_by_text("A new version is ready").wait_for()
    assert app.evaluate(kept) == [f"gridtrail-tablet-{'0' * 32}"]
    assert before != f"gridtrail-tablet-{'0' * 32}"


def test_a_promise_that_was_not_kept_is_told_until_somebody_has_looked_into_it(app: Any):
    app.evaluate(
        """async () => {
            const { tablet } = await import("/tablet/state.js");
            const { OtherHistory } = await import("/tablet/gridtrail-sync.js");
            await tablet.value.keepFault(new OtherHistory("Two roots of one size.", { ledger: "411502001" }));
        }"""
    )
    app.get_by_text("The service showed something other than it had promised").wait_for()
    app.locator(".warnings").get_by_role("link", name="More").click()
    app.get_by_text("Two roots of one size.").wait_for()
    app.get_by_role("button", name="My officer has looked into it").click()
    app.get_by_text("The service showed something other").first.wait_for(state="hidden")
