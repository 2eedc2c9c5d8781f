"""A city behind a real socket, and the browser beside it. Read by the browser tests, bench.pages and bench.pictures."""

import shutil
import threading
from typing import Any

from flask import Flask
from werkzeug.serving import make_server

from tests.web.city import City, person_id

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ANSWER_MS = 20_000


def launch(driver: Any) -> Any:
    """The machine's own Chromium: Playwright downloads nothing."""
    return driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


class Socket:
    """An app behind a real socket of this machine."""

    def __init__(self, app: Flask) -> None:
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Nobody answers any more."""
        self.server.shutdown()
        self.server.server_close()


class Served(Socket):
    """The tests' city behind a real socket."""

    def __init__(self, city: City) -> None:
        self.city = city
        super().__init__(city.app)

    def code(self, name: str) -> str:
        """An enrolment code for one of the cast."""
        return self.city.gridtrail.enrolment.make_code(self.city.root, person_id(name)).code


def log_in(page: Any, address: str, login: str, password: str) -> None:
    """Opens a page of the console as somebody."""
    page.goto(address)
    page.locator("input[autocomplete=username]").fill(login)
    page.locator("input[type=password]").fill(password)
    page.locator("main.login form button").click()
    page.locator("#main h1").wait_for()
