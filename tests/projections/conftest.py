"""Engines over told histories, on each store."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from projections.engine import Follower
from service.database import reading, writing
from tests.projections.telling import History, Told


@pytest.fixture
def follow(database: sa.Engine) -> Callable[..., Follower]:
    """Makes an engine that follows the histories; with models given, only those."""

    def make(*histories: History, **settings) -> Follower:
        return Follower(database, Told(*histories), writing=writing, reading=reading, **settings)

    return make
