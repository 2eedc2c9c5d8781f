"""Gauges of the proof side for Prometheus, read from the database and the journal at each scrape: publishing, journal, witnesses."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from domain.clock import parse_utc
from service.audit.journal import JournalRefused
from service.audit.tables import ROOT, all_published, cosignatures, heads_of, root_logs, timestamps
from service.audit.witnessing import parse_witnesses
from service.database import Busy, reading

K = cosignatures.c
COSIGNED = sa.select(K.witness, K.cosigned_at).join(root_logs, root_logs.c.incarnation == K.incarnation).where(K.ledger == ROOT)
STAMPED = sa.select(sa.func.max(timestamps.c.stamped_at))


class ProofGauges:
    """The same whichever process answers. A database that is away leaves them out; LagGauges says so."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail

    def collect(self) -> Iterable[Metric]:
        """One family of gauges after the other."""
        try:
            with reading(self.gridtrail.database) as conn:
                heads, stand = heads_of(conn), all_published(conn)
                cosigned = {witness: at for witness, at in conn.execute(COSIGNED)}
                stamped = conn.scalar(STAMPED)
            behind = {each.ledger for each in self.gridtrail.watermark.behind(heads)}
        except (sa.exc.SQLAlchemyError, Busy):
            return []
        except JournalRefused:
            return [_one("gridtrail_journal_up", "Whether the journal of what was signed can be read.", 0)]
        found = [_one("gridtrail_journal_up", "Whether the journal of what was signed can be read.", 1)]
        lag = GaugeMetricFamily("gridtrail_publish_behind_entries", "Entries that no published checkpoint covers.", labels=["log"])
        wrong = GaugeMetricFamily("gridtrail_history_behind", "1 where a log is not what was signed of it.", labels=["log"])
        for head in heads:
            point = stand.get(head.ledger)
            lag.add_metric([head.ledger], max(0, head.size - (point.size if point else 0)))
            wrong.add_metric([head.ledger], 1.0 if head.ledger in behind else 0.0)
        return [*found, lag, wrong, *self._of_others(cosigned, stamped)]

    def _of_others(self, cosigned: dict[str, str], stamped: str | None) -> list[Metric]:
        """How old what others said of the root log is. A witness that never cosigned has no age: the count tells of it."""
        now, config = self.gridtrail.clock(), self.gridtrail.config
        wanted = [str(each.verifier) for each in parse_witnesses(config.witnesses)]
        age = GaugeMetricFamily("gridtrail_cosignature_age_seconds", "Age of a witness's last cosignature.", labels=["witness"])
        for witness in wanted:
            if witness in cosigned:
                age.add_metric([witness.split("+", 1)[0]], max(0.0, (now - parse_utc(cosigned[witness])).total_seconds()))
        missing = len([each for each in wanted if each not in cosigned])
        families = [_one("gridtrail_witnesses_silent", "Configured witnesses that never cosigned this root log.", missing), age]
        if config.tsa_url and stamped:
            seconds = max(0.0, (now - parse_utc(stamped)).total_seconds())
            families.append(_one("gridtrail_timestamp_age_seconds", "Age of the last timestamp of the root log.", seconds))
        return families


def _one(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)
