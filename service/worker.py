"""gunicorn's threaded worker, with connections ended by the thread that answered. Named by ``service.gunicorn_conf``, read by gunicorn.

gunicorn ends a connection in the one thread that also accepts and hands out all others: there it waits up to two seconds for the other
side to close (RFC 9112, 9.6). A single tablet on a bad network, or anybody who does not close, would so stop a whole process. Here the
thread that answered does that waiting, and what is left for the other one does not wait. And it waits for ever for the rest of a request's
head once a byte of it is here; here the connection is cut.
"""

import socket
import time
from contextlib import suppress
from typing import Any

from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import ThreadWorker

from service.deadlines import Cutter

LINGER_S = 0.5
"""How long is read on for, from whoever still sends a body that nobody wants: it would lose the answer if it was cut off at once."""
LINGER_BYTES = 16 * 1024 * 1024
HEAD_S = 15.0
"""A request's head must be here so long after a thread has turned to it. gunicorn waits for it without end, and a thread with it."""


class Worker(ThreadWorker):
    """The worker of the service."""

    def __init__(self, *said: Any, **settings: Any) -> None:
        super().__init__(*said, **settings)
        self.heads = Cutter(HEAD_S)

    def handle(self, conn: Any) -> Any:
        """One request, in a thread of the pool. False where the connection is to be ended."""
        conn.head = self.heads.add(conn.sock)
        try:
            kept = super().handle(conn)
        finally:
            self.heads.remove(conn.head)
        if kept is False:
            end(conn)
        return kept

    def handle_request(self, req: Any, conn: Any) -> Any:
        """The head is here; the rest has the deadlines of service.admission."""
        self.heads.remove(conn.head)
        return super().handle_request(req, conn)


def end(conn: Any) -> None:
    """Says that nothing more comes, reads what is still under way, and leaves nothing to wait for."""
    with suppress(OSError):
        conn.sock.shutdown(socket.SHUT_WR)
        if conn.parser is not None:
            with suppress(ParseException):
                conn.parser.finish_body(deadline=time.monotonic() + LINGER_S, max_bytes=LINGER_BYTES)
        conn.sock.shutdown(socket.SHUT_RD)
