"""Counts and lags for Prometheus. /metrics answers this machine, or whoever has the configured token; to all others it is not there."""

import hmac
import os
from collections.abc import Iterable

import sqlalchemy as sa
from flask import Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from projections import READ_MODELS
from service.audit.gauges import ProofGauges
from service.database import Busy, reading
from service.lag import Lag, lags
from service.measures import FOLDER, REGISTRY, Together
from service.problems import Problem
from service.routes.nouns import PUBLIC, Noun, gridtrail
from service.wiring import Gridtrail

LOOPBACK = ("127.0.0.1", "::1")
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")

blueprint = Noun("metrics", __name__, description="Counts and lags for Prometheus.")


class LagGauges:
    """Read from the database at each scrape, by one statement: how far behind each read model is. The same whichever process answers."""

    def __init__(self, pieces: Gridtrail) -> None:
        self.pieces = pieces

    def collect(self) -> Iterable[Metric]:
        """One family of gauges after the other. A database that is away does not take the counts with it."""
        try:
            with reading(self.pieces.database) as conn:
                found = lags(conn, READ_MODELS, self.pieces.clock())
        except (sa.exc.SQLAlchemyError, Busy):
            return [_up(0)]
        return [_up(1), *_families(found)]


def _up(answers: int) -> Metric:
    return GaugeMetricFamily("gridtrail_database_up", "Whether the database answered this scrape.", value=answers)


def _families(found: Iterable[Lag]) -> list[Metric]:
    of = ["ledger", "read_model"]
    behind = GaugeMetricFamily("gridtrail_read_model_behind_positions", "Events not yet folded.", labels=of)
    age = GaugeMetricFamily("gridtrail_read_model_behind_seconds", "Age of the oldest event not yet folded.", labels=of)
    parked = GaugeMetricFamily("gridtrail_read_model_parked", "1 where an event could not be folded.", labels=of)
    for each in found:
        names = (each.ledger, each.read_model)
        behind.add_metric(names, each.positions)
        age.add_metric(names, each.seconds)
        parked.add_metric(names, 0.0 if each.parked_position is None else 1.0)
    return [behind, age, parked]


@blueprint.operation("GET", "/metrics", policy=PUBLIC, answers=(200, None, "text/plain"), errors=(404,), endpoint="scrape_metrics")
def scrape_metrics() -> Response:
    """Counts and lags in Prometheus' text format."""
    if not _may_scrape():
        raise Problem("not_found")
    registry = CollectorRegistry()
    registry.register(LagGauges(gridtrail()))
    registry.register(ProofGauges(gridtrail()))
    folder = os.environ.get(FOLDER)
    if folder:
        registry.register(Together(folder))
    counts = b"" if folder else generate_latest(REGISTRY)
    return Response(counts + generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_scrape() -> bool:
    """With a token set, the token; otherwise this machine, and nothing that a proxy passed on."""
    wanted = gridtrail().config.metrics_token
    if wanted:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), wanted.encode())
    return request.remote_addr in LOOPBACK and not any(name in request.headers for name in FORWARDED)
