"""Counts and lags for Prometheus. /metrics answers this machine, or whoever has the configured token; to all others it is not there.

Request counts belong to a process; with several, PROMETHEUS_MULTIPROC_DIR names the folder in which they are put together.
"""

import hmac
import os
from collections.abc import Iterable

from flask import Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from service.problems import Problem
from service.routes.nouns import PUBLIC, Noun, gridtrail
from service.wiring import Gridtrail

REGISTRY = CollectorRegistry()
REQUESTS = Counter("gridtrail_requests", "Requests answered.", ["route", "method", "status"], registry=REGISTRY)
SECONDS = Histogram("gridtrail_request_seconds", "Time to answer.", ["route"], registry=REGISTRY)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
LOOPBACK = ("127.0.0.1", "::1")
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")

blueprint = Noun("metrics", __name__, description="Counts and lags for Prometheus.")


def count_request(route: str, method: str, status: int, seconds: float) -> None:
    """Counts one answer. The route is its pattern and odd methods are one: strangers cannot make new series."""
    REQUESTS.labels(route, method if method in METHODS else "other", str(status)).inc()
    SECONDS.labels(route).observe(seconds)


class LedgerGauges:
    """Read from the database at each scrape: sizes of the ledgers and how far behind each read model is."""

    def __init__(self, pieces: Gridtrail) -> None:
        self.pieces = pieces

    def collect(self) -> Iterable[Metric]:
        """One family of gauges after the other."""
        behind = GaugeMetricFamily("gridtrail_read_model_behind_positions", "Events not yet folded.", labels=["ledger", "read_model"])
        lag = GaugeMetricFamily(
            "gridtrail_read_model_behind_seconds", "Age of the oldest event not yet folded.", labels=["ledger", "read_model"]
        )
        parked = GaugeMetricFamily("gridtrail_read_model_parked", "1 where an event could not be folded.", labels=["ledger", "read_model"])
        for each in self.pieces.follower.status():
            labels = [each.ledger, each.read_model]
            behind.add_metric(labels, each.behind)
            lag.add_metric(labels, each.seconds_behind)
            parked.add_metric(labels, 1.0 if each.parked_position is not None else 0.0)
        return (behind, lag, parked)


@blueprint.operation("GET", "/metrics", policy=PUBLIC, answers=(200, None, "text/plain"), errors=(404,), endpoint="scrape_metrics")
def scrape_metrics() -> Response:
    """Counts and lags in Prometheus' text format."""
    if not _may_scrape():
        raise Problem("not_found")
    registry = CollectorRegistry()
    registry.register(LedgerGauges(gridtrail()))
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
    return Response(generate_latest(REGISTRY) + generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_scrape() -> bool:
    """With a token set, the token; otherwise this machine, and nothing that a proxy passed on."""
    wanted = gridtrail().config.metrics_token
    if wanted:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), wanted.encode())
    return request.remote_addr in LOOPBACK and not any(name in request.headers for name in FORWARDED)
