"""``gridtrail serve``: gunicorn with threads, and the engine beside it where asked for."""

import signal
import subprocess
import sys
import time
from types import FrameType

import click

from service.config import Config

GRACE_S = 40.0
"""Longer than gunicorn's own grace for requests under way."""


def gunicorn_command(config: Config) -> list[str]:
    """The web server's command line: service.gunicorn_conf, and what the given settings may have other than the environment."""
    return [
        sys.executable, "-m", "gunicorn",
        "--config", "python:service.gunicorn_conf",
        "--workers", str(config.workers),
        "--threads", str(config.threads),
        "--bind", f"{config.host}:{config.port}",
        "--no-control-socket",
    ]  # fmt: skip


def engine_command() -> list[str]:
    """The engine's command line."""
    return [sys.executable, "-m", "service.cli", "engine", "run"]


def run_together(commands: list[list[str]]) -> int:
    """Runs processes until one ends or we are told to stop; then ends them all. Gives the exit code."""
    processes: list[subprocess.Popen[bytes]] = []
    told: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        told.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        processes.extend(subprocess.Popen(each, start_new_session=True) for each in commands)
        while not told and all(each.poll() is None for each in processes):
            time.sleep(0.1)
    finally:
        _end(processes)
    return 0 if told else 1


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for each in processes:
        if each.poll() is None:
            each.terminate()
    deadline = time.monotonic() + GRACE_S
    for each in processes:
        try:
            each.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            each.kill()
            each.wait()


@click.command("serve")
@click.option("--with-engine", is_flag=True, help="Also run the engine that keeps the read models, as a child process.")
def command(with_engine: bool) -> None:
    """Serve over HTTP. Address, processes and threads come from the settings (gridtrail config)."""
    config = Config.from_environment()
    commands = [gunicorn_command(config), *([engine_command()] if with_engine else [])]
    click.echo(f"Gridtrail serves at http://{config.host}:{config.port}; Ctrl-C ends it.")
    raise SystemExit(run_together(commands))
