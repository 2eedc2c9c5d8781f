"""``gridtrail audit verify`` at a terminal: what it prints, and the exit status that a script relies on."""

from collections.abc import Callable

import orjson
import sqlalchemy as sa

from service.ledger.tables import ledgers
from service.wiring import Gridtrail
from tests.cli.conftest import Terminal


def test_the_seeded_week_holds_and_a_changed_head_does_not(seeded: Terminal, pieces: Callable[..., Gridtrail]) -> None:
    gridtrail = pieces()
    gridtrail.publisher.turn()
    url, key = gridtrail.config.database_url, str(gridtrail.signer.verifier)
    output = seeded("audit", "verify", url, "--key", key).output
    assert "events judged by the rules" in output
    assert "Everything that was checked holds." in output
    with gridtrail.database.begin() as conn:
        conn.execute(sa.update(ledgers).where(ledgers.c.ledger == "411502001").values(root=bytes(32)))
    told = orjson.loads(seeded("audit", "verify", url, "--key", key, "--json", "--without-read-models", code=1).output)
    assert not told["holds"]
    assert [(each["ledger"], each["kind"]) for each in told["listed"]] == [("411502001", "head_wrong")]
    stopped = seeded("audit", "verify", url, "--stop-after", 1, code=1).output
    assert "there may be more" in stopped


def test_what_cannot_be_checked_is_neither_right_nor_wrong(terminal: Terminal) -> None:
    assert "neither a folder nor the URL" in terminal("audit", "verify", "nothing", code=2).output
    assert "could not be checked" in terminal("audit", "verify", "sqlite:///empty.db", code=2).output
    assert "could not be checked" in terminal("audit", "verify", "mysql://x/y", code=2).output
