"""Prometheus' text format 0.0.4, written by hand: prometheus_client would cost this process 22 MB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

__all__ = ["CONTENT_TYPE", "Exposition"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
Value = float | int | bool | None


def _labels(labels: Mapping[str, object]) -> str:
    inside = ",".join(f'{name}="{str(value).translate(_ESCAPES)}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _number(value: float | int | bool) -> str:
    return repr(value) if isinstance(value, float) else str(int(value))


class Exposition:
    """Metrics, family by family. What is not known (None) is left out: an absent series says so, a zero would lie."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def family(
        self, name: str, kind: str, about: str, samples: Iterable[tuple[Mapping[str, object], Value]] | Value
    ) -> None:
        """One family: ``kind`` gauge or counter; a value by itself is a family without labels."""
        rows = [({}, samples)] if samples is None or isinstance(samples, int | float) else list(samples)
        known = [(labels, value) for labels, value in rows if value is not None]
        if known:
            self._head(name, kind, about)
            self._lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in known]

    def histogram(
        self, name: str, about: str, bounds: Sequence[float],
        series: Iterable[tuple[Mapping[str, object], Sequence[int], float]],
    ) -> None:  # fmt: skip
        """A histogram: for each series its labels, its counts by bucket (the last: above every bound) and its sum."""
        self._head(name, "histogram", about)
        for labels, counts, total in series:
            for bound, below in zip((*(_number(float(b)) for b in bounds), "+Inf"), accumulate(counts), strict=True):
                self._lines.append(f"{name}_bucket{_labels({**labels, 'le': bound})} {below}")
            self._lines.append(f"{name}_sum{_labels(labels)} {_number(total)}")
            self._lines.append(f"{name}_count{_labels(labels)} {sum(counts)}")

    def _head(self, name: str, kind: str, about: str) -> None:
        help_text = about.replace("\\", r"\\").replace("\n", r"\n")
        self._lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"]

    def text(self) -> str:
        """Everything told so far."""
        return "\n".join(self._lines) + "\n"
