"""Small pictures as SVG text, deterministic to the byte: a reliability curve and a line over time."""

from __future__ import annotations

from collections.abc import Sequence

from recio.market.calibration import FORECASTERS, Report

__all__ = ["line_svg", "reliability_svg"]

_COLOURS = {"model": "#b3541e", "market": "#1f6f8b", "blend": "#5b7f2b"}
_SIDE, _PAD = 320, 40


def reliability_svg(report: Report, title: str) -> str:
    """What was said (across) against how often it came true (up); on the diagonal is perfect, dots grow with rows."""

    def x(value: float) -> str:
        return f"{_PAD + value * _SIDE:.1f}"

    def y(value: float) -> str:
        return f"{_PAD + (1 - value) * _SIDE:.1f}"

    size = _SIDE + 2 * _PAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size + 20}" font-family="sans-serif" font-size="11">',
        f"<title>{title}</title>",
        f'<rect width="{size}" height="{size + 20}" fill="#ffffff"/>',
        f'<text x="{_PAD}" y="24" font-size="13">{title}</text>',
    ]
    for step in range(0, 11, 2):
        share = step / 10
        parts.append(f'<line x1="{x(share)}" y1="{y(0)}" x2="{x(share)}" y2="{y(1)}" stroke="#dddddd"/>')
        parts.append(f'<line x1="{x(0)}" y1="{y(share)}" x2="{x(1)}" y2="{y(share)}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x(share)}" y="{size - 24}" text-anchor="middle">{step * 10} %</text>')
        parts.append(f'<text x="{_PAD - 6}" y="{y(share)}" text-anchor="end" dy="4">{step * 10}</text>')
    parts.append(f'<line x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}" stroke="#888888" stroke-dasharray="4 3"/>')
    for place, who in enumerate(FORECASTERS):
        bins = report.scores[who].reliability
        points = " ".join(f"{x(found.said)},{y(found.came_true)}" for found in bins)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{_COLOURS[who]}" stroke-width="1.5"/>')
        for found in bins:
            radius = 2 + 6 * (found.rows / report.rows) ** 0.5
            parts.append(
                f'<circle cx="{x(found.said)}" cy="{y(found.came_true)}" r="{radius:.1f}" fill="{_COLOURS[who]}" fill-opacity="0.55"/>'
            )
        parts.append(f'<text x="{_PAD + 110 * place}" y="{size + 8}" fill="{_COLOURS[who]}">{who}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def line_svg(points: Sequence[tuple[float, float]], title: str, unit: str) -> str:
    """A line through (second, value), thinned to 600 points; its least and greatest value named at the side."""
    width, height = 640, 200
    if len(points) > 600:
        points = [points[index * (len(points) - 1) // 599] for index in range(600)]
    low = min((value for _, value in points), default=0.0)
    high = max((value for _, value in points), default=0.0)
    first, last = (points[0][0], points[-1][0]) if points else (0.0, 1.0)
    across, up = max(last - first, 1e-9), max(high - low, 1e-9)
    line = " ".join(
        f"{_PAD + (at - first) / across * (width - 2 * _PAD):.1f},{height - _PAD - (value - low) / up * (height - 2 * _PAD):.1f}"
        for at, value in points
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">'
        f'<title>{title}</title><rect width="{width}" height="{height}" fill="#ffffff"/>'
        f'<text x="{_PAD}" y="20" font-size="13">{title}</text>'
        f'<text x="{_PAD}" y="{_PAD - 6}">{high:.2f} {unit}</text>'
        f'<text x="{_PAD}" y="{height - _PAD + 16}">{low:.2f} {unit}</text>'
        f'<polyline points="{line}" fill="none" stroke="#1f6f8b" stroke-width="1.5"/></svg>\n'
    )
