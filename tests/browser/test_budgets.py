"""What the tablet app may cost a worker: taps, required fields, and bytes over the air. Times are measured by make bench-pages."""

from typing import Any

import pytest

from bench.pages import BUDGETS, sizes_of
from tests.browser.conftest import Served
from tests.browser.tablet import enrol, plan, report_hazard, visit_met, visit_no_one_home

pytestmark = pytest.mark.browser
MOST_OF_TEXTS = 35_000
"""Bytes, gzipped, of the tablet's texts in both languages, which lie on every device."""


@pytest.mark.parametrize("language", ["en", "zh"])
def test_visits_and_reports_take_no_more_taps_than_was_promised(context: Any, served: Served, language: str):
    plan(served.city, "li", "H-0001")
    page = context.new_page()
    enrol(page, served, served.code("li"), language=language)
    assert visit_no_one_home(page, "H-0001", language) <= BUDGETS["taps, no one home"]
    taps, required = visit_met(page, "H-0815", language)
    assert taps <= BUDGETS["taps, met without needs"]
    assert required <= BUDGETS["required fields, met without needs"]
    assert report_hazard(page, language) <= BUDGETS["taps, hazard with a photo"]


def test_all_code_and_styles_of_the_tablet_are_small(context: Any, served: Served):
    page = context.new_page()
    enrol(page, served, served.code("li"))
    sizes = sizes_of(page)
    code = sum(size for path, size in sizes.items() if not path.startswith("/texts/"))
    assert code <= BUDGETS["bytes of code and styles, gzipped"], sizes
    assert sum(sizes.values()) - code <= MOST_OF_TEXTS, sizes
    assert "/tablet/app.js" in sizes
    assert "/vendor/qr-scanner.js" in sizes
