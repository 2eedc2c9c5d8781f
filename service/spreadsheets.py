"""Cells of tables that people open in a spreadsheet. Read by the command line and the reports of imports."""

import json
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula: somebody's words must not run as one where another opens the table."""


def cell(value: Any) -> str:
    """The text of a value: nothing for None, JSON for lists and objects."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def guarded(value: Any) -> str:
    """The same for a table that people open: an apostrophe goes before text that a spreadsheet would run. Numbers stay as they are."""
    text = cell(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text
