"""How many examples tests draw: few by default, ``GRIDTRAIL_TEST_EXAMPLES`` times as many with the slow tests."""

import os

TIMES = int(os.environ.get("GRIDTRAIL_TEST_EXAMPLES", "1"))


def examples(few: int) -> int:
    """So many by default."""
    return few * TIMES
