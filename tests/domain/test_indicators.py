"""Indicators: shares are exact, nothing due is no share, and a book says what they are made of."""

import copy
from fractions import Fraction

import pytest

from domain import refusals as no
from domain.books import Books, must_be_a_book, shipped_items
from domain.indicators import COUNTS, decimal, indicators_of, weighted

CONTENT = Books.default().in_force("indicators", "2026-07-01").content
FIELD = {
    "valid_report": "有效上报率",
    "ontime_register": "按时立案率",
    "accurate_dispatch": "准确派遣率",
    "handle": "处置率",
    "ontime_handle": "按期处置率",
    "overdue_pending": "超期未处置率",
    "extension": "延期率",
    "rework": "返工率",
    "close": "结案率",
    "ontime_close": "按期结案率",
    "satisfaction": "满意率",
    "resolved_at_grid": "网格内解决率",
    "visit_coverage": "走访覆盖率",
    "patrol_coverage": "巡查覆盖率",
}


def test_the_shipped_indicators_are_the_fields():
    assert {each.code: each.zh for each in indicators_of(CONTENT)} == FIELD


def test_nothing_due_is_no_share_and_never_nought():
    for each in indicators_of(CONTENT):
        assert each.value({}) == {"numerator": 0, "denominator": 0, "value": None}
    assert weighted(indicators_of(CONTENT), {}) == {"value": None, "weight": 0}


def test_an_indicator_without_a_share_is_left_out_with_its_weight():
    handled = {"due": 4, "handled": 3, "handled_in_time": 1}
    found = {each.code: each.value(handled)["value"] for each in indicators_of(CONTENT)}
    assert (found["handle"], found["ontime_handle"], found["satisfaction"]) == ("0.7500", "0.2500", None)
    shares = [Fraction(3, 4), Fraction(1, 4), 1, 1, 1, 0, 0]
    assert weighted(indicators_of(CONTENT), handled) == {"value": decimal(sum(shares, Fraction()) / 7), "weight": 7}


@pytest.mark.parametrize(
    ("share", "text"),
    [("1/3", "0.3333"), ("2/3", "0.6667"), ("1/16", "0.0625"), ("1/20000", "0.0001"), ("1/20001", "0.0000"), ("1", "1.0000")],
)
def test_shares_are_rounded_half_up_without_a_float(share: str, text: str):
    assert decimal(Fraction(share)) == text


def test_every_count_has_a_name_in_both_languages_and_every_shipped_book_could_be_published():
    assert all(each.zh and each.en for each in COUNTS.values())
    for item in shipped_items():
        must_be_a_book(item["kind"], item["content"])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda each: each.update(of=["no_such_count"]),
        lambda each: each.update(per=[]),
        lambda each: each.update(per=["due", "due"]),
        lambda each: each.update(better="more"),
        lambda each: each.update(weight=1.5),
        lambda each: each.update(weight=True),
        lambda each: each.update(weight=-1),
        lambda each: each.update(zh=" "),
        lambda each: each.update(zh="处\n置"),
        lambda each: each.update(also="this"),
        lambda each: each.pop("en"),
    ],
)
def test_a_book_with_a_wrong_indicator_is_refused(spoil):
    content = copy.deepcopy(CONTENT)
    spoil(content["indicators"][3])
    with pytest.raises(no.BookIsWrong):
        must_be_a_book("indicators", content)


@pytest.mark.parametrize(
    "rows",
    [[], [{"code": "../x", "zh": "甲", "en": "a"}], [{"code": "a", "zh": "甲"}], [{"code": "a", "zh": "甲", "en": "a"}] * 2, {}, None],
)
def test_a_book_of_recipients_that_could_name_no_file_is_refused(rows):
    with pytest.raises(no.BookIsWrong):
        must_be_a_book("recipients", {"recipients": rows})


def test_two_recipients_are_shipped():
    assert len(Books.default().in_force("recipients", "2026-07-01").content["recipients"]) == 2


def test_a_version_holds_from_its_day_on():
    later = copy.deepcopy(CONTENT)
    later["indicators"][10]["weight"] = 5
    books = Books.of([{"kind": "indicators", "name": "own", "version": "2", "effective_from": "2026-07-01", "content": later}])
    assert books.in_force("indicators", "2026-06-30").label == "gridtrail@1"
    assert books.in_force("indicators", "2026-07-01").label == "own@2"
