"""The roll-up's pages in a real browser: an officer seals a quarter, prints and downloads it, and reads the indicators over time."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from service.ledger.note import Verifier
from service.summaries import document
from tests.browser.conftest import Served
from tests.web.city import SUBDISTRICT_A

pytestmark = pytest.mark.browser


@pytest.fixture
def winter(served: Served) -> Served:
    """The city, early in the next year, whose past quarter can be sealed."""
    served.city.clock.now = datetime(2027, 1, 5, 1, 0, tzinfo=UTC)
    return served


def test_an_officer_seals_the_past_quarter_and_downloads_a_file_that_verifies(console: Any, winter: Served, no_serious_issue: Any):
    page = console("chen", "summary?period=2026-Q4", "zh")
    page.locator("#main table").wait_for()
    no_serious_issue(page)
    page.get_by_role("link", name=f"area {SUBDISTRICT_A}").click()
    page.get_by_role("button", name="封存汇总").click()
    page.get_by_role("dialog").get_by_role("button", name="封存汇总").click()
    page.get_by_text("文件的签名与上面的公钥相符").wait_for()
    with page.expect_download() as given:
        page.get_by_role("button", name="县区党委社会工作部").click()
    note = given.value.path().read_text()
    assert given.value.suggested_filename == f"summary-{SUBDISTRICT_A}-2026-Q4-county_social_work.note"
    whole = document.read(document.open_file(note, Verifier(*_key(winter))))
    assert whole["counts"]["reports"] == 2
    table = page.get_by_role("table", name="考核指标")
    assert "—" in table.get_by_role("row", name=re.compile("满意率")).inner_text()
    assert "0%" not in table.get_by_role("row", name=re.compile("满意率")).inner_text()
    assert page.get_by_role("button", name="封存汇总").count() == 0
    no_serious_issue(page)


def _key(served: Served) -> tuple[str, bytes]:
    key = served.city.gridtrail.signer.verifier
    return key.name, key.public


def test_what_came_later_stands_beside_what_was_sealed(console: Any, winter: Served):
    city = winter.city
    assert city.client("chen").post(f"/v1/summaries/{SUBDISTRICT_A}/2026-Q4/seal").status_code == 200
    city.clock.now = datetime(2026, 12, 20, 1, 0, tzinfo=UTC)
    li = city.tablets["li"]
    li.record("patrol.started", "7d1f4b7e-3a0c-4a55-9d7e-0d1d1c1b1a19", "411502001001001", {})
    city.clock.now = datetime(2027, 1, 6, 1, 0, tzinfo=UTC)
    li.sync()
    city.catch_up()
    page = console("chen", f"summary/{SUBDISTRICT_A}/2026-Q4")
    row = page.get_by_role("table", name="Come to light since sealing").get_by_role("row", name="grid-days patrolled")
    assert re.findall(r"[+\d]+", row.inner_text()) == ["2", "3", "+1"]


def test_a_communitys_officer_reads_the_own_community_and_can_seal_nothing(console: Any, winter: Served):
    page = console("zhao", "summary?period=2026-Q4", "zh")
    page.get_by_role("table").get_by_text("area 411502001001").wait_for()
    assert page.get_by_role("button", name="封存汇总").count() == 0


def test_indicators_are_charts_with_gaps_and_the_same_numbers_as_a_table(console: Any, winter: Served, no_serious_issue: Any):
    page = console("chen", "indicators")
    page.locator(".chart canvas").first.wait_for()
    no_serious_issue(page)
    chart = page.get_by_role("img", name=re.compile("Line chart of Patrol coverage"))
    assert "Jan" in chart.get_attribute("aria-label")
    table = page.get_by_role("table", name=re.compile("Indicators of"))
    november = table.get_by_role("row", name=re.compile("November 2026"))
    assert "3.3%" in november.inner_text(), "two of sixty grid-days"
    assert "—" in november.inner_text()
    page.get_by_label("By").select_option("week")
    table.get_by_role("row", name=re.compile("Week 47, 2026")).wait_for()


def test_an_auditor_of_the_city_is_asked_for_a_subdistrict(console: Any, winter: Served):
    page = console("sun", "indicators")
    page.get_by_text("Choose a subdistrict or a community.").wait_for()
