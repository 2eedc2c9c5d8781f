"""The README's tables say what the code does."""

import re
from pathlib import Path

import pytest

import service.wiring  # noqa: F401  imports every module that defines a refusal
from domain.errors import Refusal, all_refusals

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")


def classes(of: type[Refusal] = Refusal) -> list[type[Refusal]]:
    return [each for cls in of.__subclasses__() for each in (cls, *classes(cls))]


def test_every_refusal_stands_in_the_readme_with_its_sentence() -> None:
    table = README.split("## Refusals", 1)[1]
    assert dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE)) == {
        code: refusal.sentence for code, refusal in all_refusals().items()
    }


def sections(text: str) -> list[str]:
    return re.split(r"^## ", text, flags=re.MULTILINE)[1:]


def codes_of_the_last_table(text: str) -> list[str]:
    tables = [re.findall(r"^\| `(\w+)` \| .+ \|$", section, re.MULTILINE) for section in sections(text)]
    return sorted([table for table in tables if table][-1])


def test_the_chinese_readme_has_the_same_sections_and_refusals() -> None:
    assert len(sections(CHINESE)) == len(sections(README))
    assert codes_of_the_last_table(CHINESE) == codes_of_the_last_table(README)


def test_no_two_refusals_share_a_code() -> None:
    codes = [each.code for each in classes() if each.__module__.startswith(("domain", "projections", "service"))]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:domain|projections|service|docs|tests|bench|deploy)/[\w./-]*)`", README))))
def test_what_the_readme_points_at_is_there(name: str) -> None:
    assert (ROOT / name).exists()
