"""How the world reaches us. ``create_app`` is the composition root: everything is wired here and nowhere else."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from service.config import Config

__version__ = "0.1.0"


def create_app(config: "Config | None" = None) -> "Flask":
    """The web application, ready to serve. BadConfiguration or NotDurable where it must not run."""
    from service.wiring import Gridtrail, make_app

    return make_app(Gridtrail(config))
