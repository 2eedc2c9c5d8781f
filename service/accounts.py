"""Accounts as administrators see and change them: of people whose every right lies in the own subtree. Read by the routes.

What is done to an account is no fact of the field and stands in no ledger; it goes on record beside the reads, so that auditors see who
gave whom a password.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from domain.clock import local_day, utc_text
from projections import people
from projections.paging import After, Row, Rows
from projections.sight import Sight, within
from service.database import reading
from service.identity import ACCOUNTS
from service.problems import Problem
from service.scope import Actor, OutOfScope, authorise

A = ACCOUNTS.c
SHOWN = sa.select(A.person, A.login, A.label, A.made_at, A.disabled_at).order_by(A.login)


def list_accounts(
    conn: sa.Connection,
    sight: Sight,
    *,
    area: str | None = None,
    text: str | None = None,
    persons: Sequence[UUID] | None = None,
    after: After = None,
    limit: int = 100,
) -> Rows:
    """Accounts of people whose home lies within sight, by login. A page may be short before the end. Cursor: (login,)."""
    query = SHOWN
    if text is not None:
        query = query.where(sa.or_(A.login.icontains(text, autoescape=True), A.label.icontains(text, autoescape=True)))
    if persons is not None:
        query = query.where(A.person.in_(persons))
    if after is not None:
        query = query.where(A.login > after[0])
    found = [{**row, "person": str(row["person"])} for row in conn.execute(query.limit(limit)).mappings()]
    seen = _seen(conn, sight, area, [row["person"] for row in found])
    return Rows((row for row in found if row["person"] in seen), reached=(found[-1]["login"],) if len(found) == limit else None)


def _seen(conn: sa.Connection, sight: Sight, area: str | None, persons: Iterable[str]) -> set[str]:
    """Which of the people have their home within sight."""
    C = people.C
    inside = within(C.area, area) if area is not None else sa.true()
    query = sa.select(C.person).where(C.person.in_(list(persons)), C.assignment == people.THE_PERSON, sight.where(C.area), inside)
    return set(conn.scalars(query))


class Accounts:
    """What an administrator does to the account of a person."""

    def __init__(self, gridtrail: Any) -> None:
        self.gridtrail = gridtrail
        self.identity = gridtrail.identity

    def create(self, actor: Actor, person: str, login: str, label: str, password: str) -> Row:
        """Gives a person a login. Problem login_taken, bad_fields or password_too_weak otherwise."""
        self._do(actor, person, "account.create", lambda: self.identity.create_account(person, login, password, label))
        return self._of(person)

    def set_password(self, actor: Actor, person: str, password: str) -> None:
        """Sets a password and ends every session and token of the person. Problem not_found where there is no account."""
        self._do(actor, person, "account.password", lambda: self.identity.set_password(person, password))

    def disable(self, actor: Actor, person: str) -> None:
        """The account can be used no more."""
        self._of(person)
        self._do(actor, person, "account.disable", lambda: self.identity.disable(person))

    def _do(self, actor: Actor, person: str, act: str, do: Any) -> None:
        """On record first: what is done with nobody knowing must not be possible, what is on record and failed is harmless."""
        home = self._must_reach_all(actor, person)
        self.gridtrail.access.record(None, actor, act, ledger=home["ledger"], object=person)
        do()

    def _must_reach_all(self, actor: Actor, person: str) -> Row:
        """Whoever sets a password could act as the person: the right must reach all that the person has or will have."""
        today = local_day(utc_text(self.gridtrail.clock()), self.gridtrail.config.zone)
        with reading(self.gridtrail.database) as conn:
            home, assigned = people.get_person(conn, person), people.assignments_of(conn, person)
        if home is None:
            raise OutOfScope
        for each in (home, *(each for each in assigned if each["to_day"] is None or each["to_day"] >= today)):
            authorise(actor, "account.manage", area=each["area"])
        return home

    def _of(self, person: str) -> Row:
        with reading(self.gridtrail.database) as conn:
            row = conn.execute(SHOWN.where(A.person == UUID(person))).mappings().one_or_none()
        if row is None:
            raise Problem("not_found")
        return {**row, "person": str(row["person"])}
