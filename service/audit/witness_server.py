"""The witness over HTTP: the standard library's server with limits on everything. Read by ``gridtrail witness run``."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from service.audit.witness import Reply, Witness

MOST_BYTES = 65_536
"""Longest body: 63 hashes and a checkpoint with a hundred signatures are a third of it."""
PATIENCE_S = 10.0
AT_ONCE = 64


class Handler(BaseHTTPRequestHandler):
    """One connection, which may carry several requests."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_S
    server: "WitnessServer"

    def do_POST(self) -> None:
        """add-checkpoint."""
        length = self.headers.get("Content-Length", "")
        if self.path != f"{self.server.prefix}/add-checkpoint":
            self._answer(Reply(404, "There is nothing here.\n"), close=True)
        elif not length.isascii() or not length.isdigit():
            self._answer(Reply(411, "Say how long the body is.\n"), close=True)
        elif len(length) > 9 or int(length) > MOST_BYTES:
            self._answer(Reply(413, f"A body has at most {MOST_BYTES} bytes.\n"), close=True)
        else:
            self._take(int(length))

    def do_GET(self) -> None:
        """The latest checkpoint of a log, by the SHA-256 of its origin."""
        parts = self.path.removeprefix(self.server.prefix).split("/")
        note = self.server.witness.latest(parts[1]) if len(parts) == 3 and parts[0] == "" and parts[2] == "checkpoint" else None
        self._answer(Reply(404, "There is nothing here.\n") if note is None else Reply(200, note))

    def _take(self, length: int) -> None:
        if not self.server.seats.acquire(blocking=False):
            self._answer(Reply(503, "Too many at once; come again.\n"), close=True)
            return
        try:
            body = self.rfile.read(length)
            whole = len(body) == length
            self._answer(self.server.witness.add_checkpoint(body) if whole else Reply(400, "The body was cut short.\n"), close=not whole)
        finally:
            self.server.seats.release()

    def _answer(self, reply: Reply, *, close: bool = False) -> None:
        body = reply.body.encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(body)))
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Says nothing of versions."""
        return "gridtrail-witness"


class WitnessServer(ThreadingHTTPServer):
    """Serves one witness under a path prefix, at an address."""

    daemon_threads = True

    def __init__(self, witness: Witness, host: str, port: int, prefix: str = "") -> None:
        self.witness, self.prefix = witness, prefix.rstrip("/")
        self.seats = threading.BoundedSemaphore(AT_ONCE)
        super().__init__((host, port), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke or idled is nothing to tell; all else is."""
        import sys

        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
