"""How the benches tell what they found: a table for the eye, and JSON with the machine's facts in bench/results."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """What the figures depend on beside the code."""
    return {"platform": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}


def keep(name: str, found: dict[str, Any]) -> Path:
    """Writes a result with the time and the machine; says where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps({"at": datetime.now(UTC).isoformat(), "machine": machine(), **found}, indent=1, default=str) + "\n")
    print(f"Kept in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return path


def show(title: str, found: dict[str, Any]) -> None:
    """Prints the plain figures of a result."""
    print(title)
    for name, value in found.items():
        if isinstance(value, str | int | float):
            print(f"  {name:<24}{_shown(value):>16}")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}"
    return str(value)
