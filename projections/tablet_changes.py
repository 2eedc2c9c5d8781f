"""What the tablets download: each item once as it stands, and for each audience when it last changed, came or went. Read by the download.

One table holds two kinds of rows. A *base* row (audience ``""``) is the item: its payload and the audiences it is meant for. An *audience* row
says at which position the item changed for that audience, and whether it has gone from it. All rows of an item's present
audiences stand at the position of its last change, so a page costs what changed in the scope since the cursor, however long the
history is, and an item that left one audience and entered another comes out present.

Audiences: an area code from community down (and so everything that lies within it), a unit, ``person:<id>``, or ``*``, which is
everyone who downloads from the ledger. Items (kind: id, audiences, payload):

    case        case id     where it lies, its holder, the units called; while open   the case's row of open_cases, without nulls
    visit       household   where the household was last visited; while a next visit is due
    area        code        everyone         the area without its outline
    outline     code        where it lies    the area's polygon
    rulebook    kind/name/version   everyone    the published version
    refusal     refusal id  the person whose entry it was, until it is re-applied
    person      person id   the person       home, last day, assignments
    tablet      tablet id   the person who holds it    its status
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from projections import areas, open_cases, people, refusals, rulebooks, tablets, visit_log
from projections.paging import Row
from projections.recorded import Recorded
from projections.tables import WORD, canonical, given, key, maybe, read_model_table, text

NAME = "tablet_changes"

TABLE = read_model_table(
    "tablet_changes",
    key("audience", WORD),
    key("kind", text(16)),
    key("item", WORD),
    given("position", sa.BigInteger),
    given("gone", sa.Boolean),
    maybe("audiences", sa.Text),
    maybe("payload", sa.Text),
)
C = TABLE.c
sa.Index("tablet_changes_position", C.ledger, C.audience, C.position)
