"""Whether the process lives, and whether it can serve. Read by supervisors of processes, proxies and operators."""

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from projections import READ_MODELS
from service.audit.tables import heads_of
from service.audit.watermark import Behind
from service.condition import condition
from service.database import reading
from service.lag import Lag, lags
from service.ledger import schema
from service.problems import CATALOGUE, Problem
from service.routes.nouns import PUBLIC, Noun, gridtrail
from service.schemas.condition import Condition
from service.schemas.health import Alive, Health, Readiness, Ready

CATALOGUE.update({"not_upgraded": (503, "The database is not at this program's migration")})

blueprint = Noun("health", __name__, description="Whether the service lives and can serve.")


@blueprint.operation("GET", "/health/live", policy=PUBLIC, answers=(200, Alive))
def show_life() -> dict[str, Any]:
    """Alive: the process answers. Nothing else is asked, so that a slow database makes nobody restart it."""
    return {"status": "ok"}


@blueprint.operation("GET", "/health/ready", policy=PUBLIC, answers=(200, Readiness))
def show_state() -> dict[str, Any]:
    """Ready to serve: the database answers and stands at the right migration; 503 otherwise.

    degraded where read models are parked, or further behind than configured, and where the database is not the one that was signed. That
    is no 503: uploads are taken all the same, and a proxy
    that took every process out because of the one engine that they share would turn late lists into an outage.
    """
    found, behind_signed = _look()
    behind = [each for each in found if each.parked_position is None]
    seconds = max((each.seconds for each in behind), default=0.0)
    parked = _parked(found)
    return {
        "status": "degraded" if parked or behind_signed or seconds > gridtrail().config.ready_lag_s else "ready",
        "migration": schema.head(),
        "behind_positions": max((each.positions for each in behind), default=0),
        "behind_seconds": round(seconds, 3),
        "parked": parked,
        "history_behind": [asdict(each) for each in behind_signed],
    }


@blueprint.operation("GET", "/health", policy=PUBLIC, answers=(200, Health))
def show_health() -> dict[str, Any]:
    """Alive. Names every read model that stands still because of an event that it could not digest."""
    pieces = gridtrail()
    with reading(pieces.database) as conn:
        parked = _parked(lags(conn, READ_MODELS, pieces.clock()))
    return {"status": "degraded" if parked else "ok", "parked": parked}


@blueprint.operation("GET", "/ready", policy=PUBLIC, answers=(200, Ready))
def show_readiness() -> dict[str, Any]:
    """As /health/ready, in one word: the database answers and stands at the right migration. 503 otherwise."""
    _look()
    return {"status": "ready"}


@blueprint.operation("GET", "/v1/health", policy="health.read", answers=(200, Condition))
def show_condition() -> dict[str, Any]:
    """How the service is, for administrators: read models, stores, admission, publishing. The same whichever process answers."""
    return condition(gridtrail())


def _look() -> tuple[list[Lag], list[Behind]]:
    """The lags, and the logs behind what was signed, from a database that answers and has been upgraded."""
    pieces = gridtrail()
    try:
        with reading(pieces.database) as conn:
            stands = schema.revision_of(conn)
            if stands != schema.head():
                raise Problem("not_upgraded", f"Run: gridtrail db upgrade. It stands at {stands}, not at {schema.head()}.")
            return lags(conn, READ_MODELS, pieces.clock()), pieces.watermark.behind(heads_of(conn))
    except sa.exc.SQLAlchemyError as wrong:
        raise Problem("database_unavailable", "The database does not answer.") from wrong


def _parked(found: list[Lag]) -> list[dict[str, Any]]:
    return [
        {"ledger": each.ledger, "read_model": each.read_model, "position": each.parked_position, "since": each.parked_at}
        for each in found
        if each.parked_position is not None
    ]
