"""Takes what was deleted out of the databases' files. Read by the erasure and the retention.

SQLite: ``secure_delete`` overwrites cells that are deleted, but copies of rows stay in the gaps of pages that were split or merged, and in
the WAL. So the one table with ciphertexts is written anew, the small key store is vacuumed whole, and the WAL is cut to nothing.
PostgreSQL: a row that was changed stays in its page until VACUUM, and in a rewritten table no longer. What remains in the write-ahead log
and in backups until their time is over is said in docs/audit.md and in ``backups_gone_by``.
"""

import re
import time
from typing import Any

import sqlalchemy as sa

from service.database import is_memory, is_sqlite, writing
from service.personal.tables import disclosures, subject_keys
from service.turns import Busy

WAIT_S = 10.0
"""How long others may hold on to what was."""
LOOK_S = 0.05
REWRITTEN_BYTES = 268_435_456
"""A table up to this size is rewritten on PostgreSQL, which holds off its readers meanwhile; a larger one is vacuumed beside them."""
COPY = "CREATE TEMP TABLE scrubbed AS SELECT * FROM disclosures ORDER BY rowid"
STATEMENTS = (COPY, "DELETE FROM disclosures", "INSERT INTO disclosures SELECT * FROM scrubbed", "DROP TABLE scrubbed")
NOW = "SELECT CAST(pg_current_xact_id() AS xid)::text"
OLDER = sa.text(
    "SELECT (SELECT count(*) FROM pg_stat_activity WHERE (datname = current_database() OR datname IS NULL) AND pid <> pg_backend_pid() "
    "AND greatest(age(backend_xmin), age(backend_xid)) > age(CAST(:now AS xid))) "
    "+ (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database() AND age(transaction) > age(CAST(:now AS xid)))"
)
"""Whoever could still see what was deleted before the transaction now; a session that is just being opened has no database yet."""
KEPT_BACK = re.compile(r"(\d+) (?:dead row versions cannot be removed yet|are dead but not yet removable)")
"""What VACUUM says of rows that it had to leave."""


class NotScrubbed(Busy):
    """Somebody still holds on to what was deleted. All that was recorded stands; going on later is right."""


def scrub_values(engine: sa.Engine) -> str:
    """Takes deleted ciphertexts out of the main database's files. Gives the check that holds now. NotScrubbed where somebody holds them."""
    if is_memory(engine):
        return "memory"
    if is_sqlite(engine):
        with writing(engine) as conn:
            for statement in STATEMENTS:
                conn.exec_driver_sql(statement)
        _cut_wal(engine)
        return "values_overwritten"
    return "values_" + _vacuum(engine, disclosures.name)


def scrub_keys(engine: sa.Engine) -> str:
    """The same for the key store."""
    if is_memory(engine):
        return "memory"
    if is_sqlite(engine):
        with engine.turns.taken():  # type: ignore[attr-defined]
            _alone(engine, lambda driver: driver.execute("VACUUM").close())
        _cut_wal(engine)
        return "keys_overwritten"
    return "keys_" + _vacuum(engine, subject_keys.name)


def _alone(engine: sa.Engine, work: Any) -> None:
    held = engine.raw_connection()
    try:
        work(held.driver_connection)
    finally:
        held.close()


def _cut_wal(engine: sa.Engine) -> None:
    """Moves everything from the WAL into the file and cuts it to nothing, which needs a moment without readers of what was."""
    until = time.monotonic() + WAIT_S
    while True:
        found: list[Any] = []
        with engine.turns.taken():  # type: ignore[attr-defined]
            _alone(engine, lambda driver, found=found: found.extend(driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()))
        if found[0] == 0:
            return
        if time.monotonic() > until:
            raise NotScrubbed("A reader keeps the write-ahead log from being cut. What was erased is recorded; finish it later.")
        time.sleep(LOOK_S)


def _vacuum(engine: sa.Engine, table: str) -> str:
    """Vacuums a table once no transaction is left that could still see what was deleted."""
    until = time.monotonic() + WAIT_S
    told: list[str] = []
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        try:
            listen = conn.connection.driver_connection.add_notice_handler  # type: ignore[union-attr]
            listen(lambda notice: told.append(f"{notice.message_primary} {notice.message_detail}"))
            now = conn.exec_driver_sql(NOW).scalar()
            size = conn.scalar(sa.text("SELECT pg_total_relation_size(CAST(:name AS regclass))"), {"name": table}) or 0
            whole = size <= REWRITTEN_BYTES
            conn.exec_driver_sql("SET statement_timeout = '10min'")
            while conn.scalar(OLDER, {"now": now}) or _left(conn, f"VACUUM (VERBOSE{', FULL' if whole else ''}) {table}", told):
                if time.monotonic() > until:
                    raise NotScrubbed("An older transaction still sees what was deleted. What was erased is recorded; finish it later.")
                time.sleep(LOOK_S)
        finally:
            # The setting is this connection's; nobody else gets it.
            conn.invalidate()
    skipped = [each for each in told if "skipping" in each or "permission denied" in each]
    if skipped:
        raise NotScrubbed(f"The database did not vacuum {table}: {skipped[0]}. Let the owner of the tables run the erasure.")
    return "rewritten" if whole else "vacuumed"


def _left(conn: sa.Connection, vacuum: str, told: list[str]) -> int:
    """Vacuums; gives how many deleted rows it says that it had to leave."""
    told.clear()
    conn.exec_driver_sql(vacuum)
    return sum(int(found[1]) for each in told for found in KEPT_BACK.finditer(each))
