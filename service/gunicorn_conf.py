"""gunicorn's settings: ``gunicorn -c python:service.gunicorn_conf``. Read by gunicorn alone; ``gridtrail serve`` starts it so.

The application is loaded once and forked, so that processes share its memory. Connections are never shared: a PostgreSQL connection or a
SQLite handle that two processes use is damage to both. The first process closes its own before it forks, and each process begins with none.
"""

import gc
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from service.config import Config
from service.logs import standard_logging

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
UPGRADING = "GUNICORN_PID"
"""Set by gunicorn in a successor (USR2), beside which the old processes still work and count."""
CYCLES = (50_000, 20, 50)
"""How seldom the collector looks for cycles: hardly any arise, and with Python's own thresholds the search took 4 to 5 % of the time."""


def settings(config: Config) -> dict[str, Any]:
    """What follows from the service's settings."""
    return {
        "bind": [f"{config.host}:{config.port}"],
        "workers": config.workers,
        "threads": config.threads,
        # A worker that does not give a sign for so long is killed. A stuck thread does not stop the signs: service.deadlines ends those.
        "timeout": int(config.request_max_seconds) + 30,
        "graceful_timeout": int(config.batch_max_seconds) + 5,
        "max_requests": config.max_requests,
        "max_requests_jitter": config.max_requests // 5,
        "logconfig_dict": standard_logging(config),
    }


wsgi_app = "service:create_app()"
worker_class = "service.worker.Worker"
worker_connections = 1000
preload_app = True
keepalive = 15
backlog = 2048
limit_request_line = 8190
limit_request_fields = 50
limit_request_field_size = 8190
control_socket_disable = True
# The service believes proxies itself (GRIDTRAIL_TRUSTED_PROXIES), by their number.
forwarded_allow_ips = ""
forwarder_headers = ""
proc_name = "gridtrail"
# The application writes the access lines.
accesslog = None
globals().update(settings(Config.from_environment()))


def _metrics_folder() -> str | None:
    """Makes the folder before anything is counted: counting reads the variable at import. Gives it if it is ours to remove."""
    given = os.environ.get(FOLDER)
    if not given:
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="gridtrail-metrics-")
        return os.environ[FOLDER]
    Path(given).mkdir(parents=True, exist_ok=True)
    if UPGRADING not in os.environ:
        for old in Path(given).glob("*.db"):
            old.unlink()
    return None


_made = _metrics_folder()


def on_starting(server: Any) -> None:
    """Refuses to start on a database that is not durable, or without its signing key, which is made before there are several who would.

    A database that is away is waited for.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from service.database import Busy

    pieces = _pieces(server)
    try:
        pieces.signer  # noqa: B018
        pieces.database  # noqa: B018
    except (SQLAlchemyError, Busy) as away:
        server.log.warning("The database does not answer yet: %s", away)


def pre_fork(server: Any, worker: Any) -> None:
    """Ends the connections that this process has; its counts are nobody's."""
    from service.measures import retire

    _pieces(server).forget()
    retire(os.getpid())
    # What is loaded stays: not searched for cycles, so that its pages stay shared.
    gc.freeze()


def post_fork(server: Any, worker: Any) -> None:
    """Each process begins with no connection, and with pieces of its own."""
    _pieces(server).forget(close=False)
    gc.set_threshold(*CYCLES)


def post_worker_init(worker: Any) -> None:
    """Opens the database before the first request comes, and looks whether it is what was signed. One that is away is waited for."""
    with suppress(Exception):
        worker.app.wsgi().extensions["gridtrail"].watermark.check_all()


def child_exit(server: Any, worker: Any) -> None:
    """What an ended process counted stays counted; what it was doing does not."""
    from service.measures import retire

    retire(worker.pid)


def on_exit(server: Any) -> None:
    """Removes the folder of counts that was made here, unless a successor counts in it."""
    if _made and not getattr(server, "reexec_pid", 0):
        shutil.rmtree(_made, ignore_errors=True)


def _pieces(server: Any) -> Any:
    """The wired pieces of the application that was loaded before the fork."""
    return server.app.wsgi().extensions["gridtrail"]
