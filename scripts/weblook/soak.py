"""Memory of a page over time: used heap after a forced collection, DOM nodes, listeners; and whether they grow."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from playwright.sync_api import CDPSession, Page

__all__ = ["Sample", "growth", "sample", "watch"]


@dataclass(frozen=True)
class Sample:
    """One look at a page's memory, right after a collection."""

    at_s: float
    heap_kb: float
    nodes: int
    listeners: int


def sample(session: CDPSession, at_s: float) -> Sample:
    """Collect what nobody holds, then count what is left."""
    for _ in range(2):  # what finalizers let go falls in the second
        session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"] / 1024
    counters = session.send("Memory.getDOMCounters")
    return Sample(at_s, heap, counters["nodes"], counters["jsEventListeners"])


def watch(page: Page, seconds: float, every_s: float) -> list[Sample]:
    """Samples of a page that is left open for ``seconds``."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    taken = [sample(session, 0.0)]
    at_s = 0.0
    while at_s < seconds:
        page.wait_for_timeout(1000 * every_s)
        at_s += every_s
        taken.append(sample(session, at_s))
    session.detach()
    return taken


def _slope(pairs: Sequence[tuple[float, float]]) -> float:
    """Theil and Sen's slope: the median of all pairs' slopes, which one odd sample does not move."""
    slopes = [(y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(pairs) for x2, y2 in pairs[i + 1 :] if x2 != x1]
    return statistics.median(slopes) if slopes else 0.0


def growth(samples: Sequence[Sample]) -> dict[str, float]:
    """Growth a minute of heap (KB), nodes and listeners, without the first third: there the page still fills its chart."""
    steady = samples[len(samples) // 3 :]
    return {
        what: 60 * _slope([(s.at_s, float(getattr(s, what))) for s in steady])
        for what in ("heap_kb", "nodes", "listeners")
    }
