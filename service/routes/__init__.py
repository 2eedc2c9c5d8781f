"""All routes of the service. ``register`` puts them, and what surrounds them, onto an app; read by service.wiring."""

from flask import Flask

from service import inspection
from service.ledger.store import EntryTooLarge
from service.problems import EXCEPTIONS, answer_all
from service.routes import (
    access,
    accounts,
    areas,
    base_map,
    cases,
    docs,
    dossiers,
    edges,
    enrolment,
    fieldwork,
    health,
    ledgers,
    log_keys,
    logs,
    metrics,
    page_files,
    people,
    personal,
    photos,
    places,
    proofs,
    rulebooks,
    sessions,
    subjects,
    summaries,
    sync,
    timestamps,
    uploads,
)
from service.routes.api import ProblemApi, make_api
from service.wiring import Gridtrail

BLUEPRINTS = (
    sessions.blueprint,
    cases.blueprint,
    fieldwork.blueprint,
    uploads.blueprint,
    personal.blueprint,
    places.blueprint,
    areas.blueprint,
    people.blueprint,
    accounts.blueprint,
    rulebooks.blueprint,
    ledgers.blueprint,
    dossiers.blueprint,
    access.blueprint,
    logs.blueprint,
    log_keys.blueprint,
    timestamps.blueprint,
    proofs.blueprint,
    enrolment.blueprint,
    subjects.blueprint,
    summaries.blueprint,
    sync.blueprint,
    photos.blueprint,
    health.blueprint,
    metrics.blueprint,
    docs.blueprint,
    base_map.blueprint,
    page_files.blueprint,
)

EXCEPTIONS.update(
    {
        inspection.StaleVersion: "version_changed",
        inspection.Contended: "database_busy",
        EntryTooLarge: "too_large",
    }
)


def register(app: Flask, gridtrail: Gridtrail) -> ProblemApi:
    """Routes, problems, headers, access lines."""
    edges.configure_logging(gridtrail.config)
    app.config.update(MAX_CONTENT_LENGTH=gridtrail.config.body_max_bytes, PROVIDE_AUTOMATIC_OPTIONS=False)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    edges.surround(app, gridtrail.config)
    api = make_api(app)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    answer_all(app)
    app.extensions["gridtrail-api"] = api
    return api
