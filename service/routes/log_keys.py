"""The keys that sign this deployment's logs, and how they were handed on. Open to all: whoever verifies anything needs them."""

from typing import Any

from service.audit.rotating import read_statements
from service.routes.nouns import PUBLIC, Noun, gridtrail
from service.schemas.log_keys import LogKeys

blueprint = Noun("log_keys", __name__, description="The keys that sign the logs.")


@blueprint.operation("GET", "/log/keys", policy=PUBLIC, answers=(200, LogKeys))
def show_log_keys() -> dict[str, Any]:
    """The present key, and every statement by which it was handed on, oldest first: docs/sync-protocol.md, The key is handed on."""
    pieces = gridtrail()
    return {"origin": pieces.config.origin, "key": str(pieces.signer.verifier), "rotations": read_statements(pieces.config)}
