"""A small SVG plot: panels side by side, a logarithmic axis below, a linear one from zero at the left. Read by bench.growth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, GAP = 380, 220, 60, 40, 70, 30
COLOURS = ("#1f6feb", "#bf3989", "#1a7f37", "#9a6700")
STYLE = "text{font:12px sans-serif;fill:#57606a}.title{font-weight:600}.axis{stroke:#8c959f}.grid{stroke:#d0d7de}"


@dataclass(frozen=True)
class Line:
    """One line: its name, and points (x, y)."""

    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One panel: what its lines measure, and the lines."""

    title: str
    lines: Sequence[Line]


def plot(panels: Sequence[Panel], below: str) -> str:
    """The SVG. below: what the horizontal axis counts."""
    wide = len(panels) * (LEFT + WIDTH + GAP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {TOP + HEIGHT + BOTTOM + 40}" role="img">']
    parts += [f"<style>{STYLE}</style>", f'<rect width="{wide}" height="{TOP + HEIGHT + BOTTOM + 40}" fill="#fff"/>']
    for number, panel in enumerate(panels):
        parts += _panel(panel, LEFT + number * (LEFT + WIDTH + GAP), below)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, left: float, below: str) -> list[str]:
    xs = [math.log10(x) for line in panel.lines for x, _ in line.points]
    first, last = min(xs), max(max(xs), min(xs) + 1)
    top = _round_up(max(y for line in panel.lines for _, y in line.points))

    def at(x: float, y: float) -> tuple[float, float]:
        return left + 15 + (math.log10(x) - first) / (last - first) * (WIDTH - 30), TOP + HEIGHT * (1 - y / top)

    floor = TOP + HEIGHT
    parts = [f'<text class="title" x="{left}" y="{TOP - 15}">{panel.title}</text>']
    for step in range(5):
        y = floor - HEIGHT * step / 4
        parts.append(f'<line class="grid" x1="{left}" x2="{left + WIDTH}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{top * step / 4:,.4g}</text>')
    for power in range(math.ceil(first), math.floor(last) + 1):
        x, _ = at(10**power, 0)
        parts.append(f'<text x="{x}" y="{floor + 18}" text-anchor="middle">10<tspan dy="-5" font-size="9">{power}</tspan></text>')
    parts.append(f'<line class="axis" x1="{left}" x2="{left + WIDTH}" y1="{floor}" y2="{floor}"/>')
    parts.append(f'<text x="{left + WIDTH / 2}" y="{floor + 36}" text-anchor="middle">{below}</text>')
    for number, (line, colour) in enumerate(zip(panel.lines, COLOURS, strict=False)):
        places = [at(*point) for point in line.points]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
        y = floor + 56 + number * 16
        parts.append(f'<rect x="{left}" y="{y - 9}" width="12" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{left + 18}" y="{y}">{line.label}</text>')
    return parts


def _round_up(value: float) -> float:
    """The next number of the form 1, 2, 4 or 8 times a power of ten."""
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value)
