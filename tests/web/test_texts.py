"""The texts of the pages: both languages are complete, and no text is missing or unused."""

import json
import re
from pathlib import Path

import service
import service.wiring  # imports every module that defines a refusal
from domain.case_status import STATUSES
from domain.errors import all_refusals
from service.routes.page_files import AREAS_OF_THE_TABLET, _file

FOLDER = Path(service.__file__).parent
PAGES = [path.read_text() for folder in ("pages", "tablet", "console") for path in (FOLDER / folder).glob("*.js")]
TEXTS = {path.stem: json.loads(path.read_text()) for path in (FOLDER / "texts").glob("*.json")}
NAMED = re.compile(r"""(?<![\w.])t\(\s*["`]([a-zA-Z0-9_.]+)["`]""")
CHOSEN = re.compile(r"""["']([a-z_]+\.[a-zA-Z0-9_.]+)["']""")
MADE = re.compile(r"""`([a-z0-9_]+(?:\.[a-z0-9_]+)*)\.\$\{""")


def test_both_languages_say_the_same_things_with_the_same_blanks():
    assert TEXTS["en"].keys() == TEXTS["zh"].keys()
    for key, text in TEXTS["en"].items():
        assert text.strip(), key
        assert TEXTS["zh"][key].strip(), key
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", TEXTS["zh"][key])), key


def test_no_text_is_missing_and_none_is_unused():
    named = {key for page in PAGES for key in NAMED.findall(page)}
    assert named <= TEXTS["en"].keys()
    prefixes = {prefix for page in PAGES for prefix in MADE.findall(page)} | {"field.found", "field.rating"}
    used = named | {key for page in PAGES for key in CHOSEN.findall(page)}
    unused = {key for key in TEXTS["en"].keys() - used if not any(key.startswith(prefix + ".") for prefix in prefixes)}
    assert not unused


def test_every_status_of_a_case_has_a_name():
    for texts in TEXTS.values():
        assert {key.removeprefix("status.") for key in texts if key.startswith("status.")} == set(STATUSES)


def test_every_refusal_says_in_both_languages_what_is_wrong():
    told = {code: TEXTS["en"].get(f"refusal.{code}") for code in all_refusals()}
    assert told == {code: refusal.sentence for code, refusal in all_refusals().items()}
    assert {key.removeprefix("refusal.") for key in TEXTS["zh"] if key.startswith("refusal.")} == set(told)


def test_the_tablet_carries_every_text_that_it_says_and_none_of_the_console():
    said = "".join(path.read_text() for path in (FOLDER / "tablet").glob("*.js"))
    named = {*NAMED.findall(said), *(prefix + "." for prefix in MADE.findall(said))}
    assert {key.partition(".")[0] for key in named} <= AREAS_OF_THE_TABLET
    for language in ("en", "zh"):
        carried = json.loads(_file("texts", f"tablet-{language}.json")[0])
        assert carried.items() <= TEXTS[language].items()
        assert {key.partition(".")[0] for key in carried} <= AREAS_OF_THE_TABLET
        assert "sync.now" in carried
        assert len(carried) < len(TEXTS[language])
