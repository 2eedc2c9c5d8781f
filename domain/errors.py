"""Refusals: what a rule of the field says no with. Read by whoever turns a refusal into an answer or a kept entry.

A refusal has a stable ``code`` (the class name in snake case), one sentence for people, and optional facts for programs.
"""

import re
from typing import Any


class Refusal(Exception):
    """A rule said no. ``code`` is stable for ever; ``sentence`` says what is wrong and what to do.

    ``facts`` are JSON-native values that a program may want (ids, limits, the holder that the case has now).
    """

    code = "refused"
    sentence = "This is not allowed."

    def __init__(self, sentence: str | None = None, **facts: Any) -> None:
        self.detail = sentence or self.sentence
        self.facts = facts
        super().__init__(self.detail)

    def __init_subclass__(cls) -> None:
        if "code" not in cls.__dict__:
            cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        super().__init_subclass__()


def all_refusals() -> dict[str, type[Refusal]]:
    """Every refusal class by its code, for the README's table and the test that keeps it true."""
    found: dict[str, type[Refusal]] = {}
    todo = list(Refusal.__subclasses__())
    while todo:
        cls = todo.pop()
        found[cls.code] = cls
        todo.extend(cls.__subclasses__())
    return dict(sorted(found.items()))
