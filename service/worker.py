"""gunicorn's threaded worker, with connections ended by the thread that answered. Named by ``service.gunicorn_conf``, read by gunicorn.

gunicorn ends a connection in the one thread that also accepts and hands out all others: there it waits up to two seconds for the other
side to close (RFC 9112, 9.6). A single tablet on a bad network, or anybody who does not close, would so stop a whole process. Here the
thread that answered does that waiting, and what is left for the other one does not wait.
"""

import socket
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

LINGER_S = 0.5
"""How long is read on for, from whoever still sends a body that nobody wants: it would lose the answer if it was cut off at once."""


class Worker(ThreadWorker):
    """The worker of the service."""

    def handle(self, conn: Any) -> Any:
        """One request, in a thread of the pool. False where the connection is to be ended."""
        kept = super().handle(conn)
        if kept is False:
            end(conn)
        return kept


def end(conn: Any) -> None:
    """Says that nothing more comes, reads what is still under way, and leaves nothing to wait for."""
    with suppress(OSError):
        conn.sock.shutdown(socket.SHUT_WR)
        if conn.parser is not None:
            conn.parser.finish_body(deadline=time.monotonic() + LINGER_S)
        conn.sock.shutdown(socket.SHUT_RD)
