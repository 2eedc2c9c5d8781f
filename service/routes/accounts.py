"""Accounts: who logs in how, and how they are called. For administrators; what they change is on record beside the reads."""

from typing import Any
from uuid import UUID

from service.accounts import Accounts, list_accounts
from service.database import reading
from service.routes.nouns import Noun, actor, filters, gridtrail, paged
from service.schemas.pages import page_of
from service.schemas.people import Account, AccountQuery, NewAccount, NewPassword
from service.scope import sight_of

blueprint = Noun("accounts", __name__, url_prefix="/v1", description="Logins of people, for administrators.")

ONE = "/people/<uuid:person>/account"


@blueprint.operation("GET", "/accounts", policy="account.manage", query=AccountQuery, answers=(200, page_of(Account)))
def find_accounts(query: dict[str, Any]) -> dict[str, Any]:
    """Accounts of people whose home lies in one's subtree, by login. A page may be short before the end: only a null next is the end."""
    sight = sight_of(actor(), "account.manage")
    with reading(gridtrail().database) as conn:
        return paged(query, lambda **at: list_accounts(conn, sight, **filters(query), **at), login=str)


@blueprint.operation("POST", ONE, policy="account.manage", body=NewAccount, answers=(201, Account), errors=(404, 409))
def create_account(body: dict[str, Any], person: UUID) -> Any:
    """Give a person a login with a first password. They change it themselves."""
    return Accounts(gridtrail()).create(actor(), str(person), body["login"], body.get("label", body["login"]), body["password"])


@blueprint.operation("POST", f"{ONE}/password", policy="account.manage", body=NewPassword, answers=(204, None), errors=(404,))
def set_password(body: dict[str, Any], person: UUID) -> None:
    """Set a new password; every session and token of the person ends."""
    Accounts(gridtrail()).set_password(actor(), str(person), body["password"])


@blueprint.operation("POST", f"{ONE}/disable", policy="account.manage", answers=(204, None), errors=(404,))
def disable_account(person: UUID) -> None:
    """Close an account: nobody logs in with it any more, and its sessions and tokens end."""
    Accounts(gridtrail()).disable(actor(), str(person))
