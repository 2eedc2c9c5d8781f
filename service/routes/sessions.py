"""Log in and out, make and end named tokens, see who one is. Read by people and by their programs."""

from typing import Any
from uuid import UUID

from flask import request

from service.identity import SESSION
from service.problems import Problem
from service.routes.nouns import LOGGED_IN, PUBLIC, Noun, actor, gridtrail, visitor
from service.schemas.sessions import Issued, Login, Me, NewToken, PasswordChange, Tokens

blueprint = Noun("sessions", __name__, url_prefix="/v1", description="Sessions, named tokens and oneself.")


@blueprint.operation("POST", "/sessions", policy=PUBLIC, body=Login, answers=(201, Issued), errors=(401, 429))
def log_in(body: dict[str, Any]) -> Any:
    """Log in: a short-lived session for the right password."""
    return gridtrail().identity.log_in(body["login"], body["password"], request.remote_addr or "")


@blueprint.operation("DELETE", "/sessions", policy=LOGGED_IN, answers=(204, None), errors=(404,))
def log_out() -> None:
    """Log out: the token that asks is revoked."""
    gridtrail().identity.revoke_token(actor().person, visitor().token_id)


@blueprint.operation("GET", "/tokens", policy=LOGGED_IN, answers=(200, Tokens))
def list_tokens() -> dict[str, Any]:
    """One's own sessions and named tokens in force."""
    return {"items": gridtrail().identity.tokens_of(actor().person)}


@blueprint.operation("POST", "/tokens", policy=LOGGED_IN, body=NewToken, answers=(201, Issued))
def make_token(body: dict[str, Any]) -> Any:
    """Make a named token. Only a login session can: a token that leaked cannot make others."""
    _needs_session()
    return gridtrail().identity.make_token(actor().person, body["name"], body["days"])


@blueprint.operation("DELETE", "/tokens/<uuid:token>", policy=LOGGED_IN, answers=(204, None), errors=(404,))
def revoke_token(token: UUID) -> None:
    """Revoke one of one's own tokens or sessions."""
    gridtrail().identity.revoke_token(actor().person, str(token))


@blueprint.operation("GET", "/me", policy=LOGGED_IN, answers=(200, Me))
def show_me() -> dict[str, Any]:
    """Who is asking, and what may be done where today."""
    me = visitor()
    return {"person": me.actor.person, "label": me.label, "grants": me.actor.grants, "session_expires_at": me.expires_at}


@blueprint.operation("POST", "/me/password", policy=LOGGED_IN, body=PasswordChange, answers=(204, None), errors=(429,))
def change_password(body: dict[str, Any]) -> None:
    """Change one's password; every other session and token of the person ends."""
    _needs_session()
    gridtrail().identity.change_password(visitor(), body["old"], body["new"], request.remote_addr or "")


def _needs_session() -> None:
    if visitor().kind != SESSION:
        raise Problem("session_needed", "Log in with the password and do it in that session.")
