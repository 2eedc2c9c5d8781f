"""verify.py: words, page and verifier joined into one file that needs no Gridtrail. Read by the dossier and the command line."""

import re
from functools import cache
from pathlib import Path

PARTS = ("words", "page", "verifier")
OURS = re.compile(r"^from service\.audit\.dossiers\.[a-z]+ import (?:\([^)]*\)|[^\n]*)\n", re.MULTILINE)
HEAD = '''#!/usr/bin/env python3
"""Verifies a dossier of Gridtrail: python3 -I verify.py FOLDER-OR-ZIP --key VKEY [--witness VKEY]. Apache License 2.0."""

'''


@cache
def script() -> bytes:
    """The bytes of verify.py: the same for every dossier of this release."""
    here = Path(__file__).parent
    parts = [OURS.sub("", (here / f"{name}.py").read_text("utf-8")) for name in PARTS]
    return (HEAD + "\n\n".join(parts)).encode()
