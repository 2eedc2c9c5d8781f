"""Every page of the tablet app, in both languages, dark and bright: axe-core finds no serious issue."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import Served
from tests.browser.tablet import PIN, enrol, plan, unlock
from tests.web.city import GRID_A1

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("zh", "dark")])
def test_no_page_of_the_tablet_has_a_serious_issue(
    browser: Any, served: Served, no_serious_issue: Callable[[Any], None], language: str, scheme: str
):
    plan(served.city, "li", "H-0001")
    context = browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{served.url}/tablet/")
    page.locator("form").wait_for()
    no_serious_issue(page)
    enrol(page, served, served.code("li"), language=language)
    page.get_by_role("link", name="H-0001").wait_for()
    begun = "H-0002"
    for path in (
        "/",
        "/visit",
        f"/visit/{begun}",
        "/report",
        "/cases",
        f"/case/{served.city.cases[GRID_A1]}",
        "/outbox",
        "/patrol",
        "/more",
        "/enrol",
    ):
        page.evaluate("path => { location.hash = path; }", path)
        page.locator("h1").wait_for()
        page.wait_for_timeout(50)
        for tile in page.locator("main form .tile input").all()[:1]:
            tile.check(force=True)
        page.evaluate("() => document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
        if page.locator("main form .tile").count() > 6:
            page.locator("main form .tile input").last.check(force=True)
        if path == "/report":
            page.locator("main form button[aria-expanded=false]").click()
            page.locator(".map.leaflet-container").wait_for()
        no_serious_issue(page)
    page.evaluate("() => { location.hash = '/'; }")
    page.locator("header.bar button.plain").click()
    page.locator("form input[type=password]").wait_for()
    no_serious_issue(page)
    unlock(page, PIN, language)
    context.close()


def test_the_whole_app_can_be_used_by_keyboard(context: Any, served: Served):
    plan(served.city, "li", "H-0001")
    page = context.new_page()
    enrol(page, served, served.code("li"))
    page.get_by_role("link", name="H-0001").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="H-0001").wait_for()
    page.locator("input[name=outcome]").first.focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Store the visit").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="Today").wait_for()
    assert page.evaluate("document.activeElement.tagName") in ("H1", "BODY")
