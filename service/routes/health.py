"""Whether the process lives, and whether it can serve. Read by supervisors of processes and by operators."""

from typing import Any

import sqlalchemy as sa

from service.database import reading
from service.problems import Problem
from service.routes.nouns import PUBLIC, Noun, gridtrail
from service.schemas.health import Health, Ready

blueprint = Noun("health", __name__, description="Whether the service lives and can serve.")


@blueprint.operation("GET", "/health", policy=PUBLIC, answers=(200, Health))
def show_health() -> dict[str, Any]:
    """Alive. Names every read model that stands still because of an event that it could not digest."""
    parked = [
        {"ledger": each.ledger, "read_model": each.read_model, "position": each.parked_position, "since": each.parked_at}
        for each in gridtrail().follower.status()
        if each.parked_position is not None
    ]
    return {"status": "degraded" if parked else "ok", "parked": parked}


@blueprint.operation("GET", "/ready", policy=PUBLIC, answers=(200, Ready))
def show_readiness() -> dict[str, Any]:
    """Ready to serve: the database answers and has its tables. 503 otherwise."""
    try:
        with reading(gridtrail().database) as conn:
            conn.execute(sa.text("SELECT 1 FROM tokens WHERE 1 = 0"))
            conn.execute(sa.text("SELECT 1 FROM events WHERE 1 = 0"))
    except sa.exc.SQLAlchemyError as wrong:
        raise Problem("database_unavailable", "The database does not answer, or has not been upgraded.") from wrong
    return {"status": "ready"}
