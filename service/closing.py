"""Says ``Connection: close`` where a body was not read to its end: what is left of it is no next request. Read by ``routes.edges``."""

from collections.abc import Callable, Iterable
from typing import Any


def close(start_response: Callable[..., Any]) -> None:
    """Ends the connection after the answer that is about to begin."""
    force = getattr(getattr(start_response, "__self__", None), "force_close", None)
    if force is not None:
        force()


class Closing:
    """WSGI middleware. An application may not name the connection itself (PEP 3333); gunicorn's answer is asked to close it."""

    def __init__(self, application: Any) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """One request."""

        def start(status: str, *said: Any) -> Any:
            # Too large, or malformed: gunicorn says of a body whether reading it has failed.
            if status.startswith("413") or getattr(environ.get("wsgi.input"), "failed", False):
                close(start_response)
            return start_response(status, *said)

        answer: Iterable[bytes] = self.application(environ, start)
        return answer
