"""Memory of a page over time: used heap after a forced collection, DOM nodes, listeners; and whether they grow.

The used heap holds the compiler's code too, which comes and goes by the engine's own rules for as long as a page lives. What the page's
own script holds on to is weighed apart, from a heap snapshot: objects, closures, arrays and strings.
"""

from __future__ import annotations

import json
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
    held_kb: float = 0.0  # of the script's own; 0 where it was not weighed


HELD = {
    "object",
    "closure",
    "array",
    "string",
    "concatenated string",
    "sliced string",
    "number",
    "bigint",
    "symbol",
    "regexp",
}


def held_kb(session: CDPSession) -> float:
    """What the page's script holds, without code and without the browser's own records (a snapshot: a second of work)."""
    parts: list[str] = []

    def add(event: dict[str, str]) -> None:
        parts.append(event["chunk"])

    session.on("HeapProfiler.addHeapSnapshotChunk", add)
    session.send("HeapProfiler.takeHeapSnapshot", {"reportProgress": False})
    session.remove_listener("HeapProfiler.addHeapSnapshotChunk", add)
    taken = json.loads("".join(parts))
    fields, kinds = taken["snapshot"]["meta"]["node_fields"], taken["snapshot"]["meta"]["node_types"][0]
    kind, size, width = fields.index("type"), fields.index("self_size"), len(fields)
    nodes = taken["nodes"]
    total = sum(nodes[at + size] for at in range(0, len(nodes), width) if kinds[nodes[at + kind]] in HELD)
    return total / 1024


def sample(session: CDPSession, at_s: float, weigh: bool = False) -> Sample:
    """Collect what nobody holds, then count what is left."""
    for _ in range(2):  # what finalizers let go falls in the second
        session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"] / 1024
    counters = session.send("Memory.getDOMCounters")
    return Sample(at_s, heap, counters["nodes"], counters["jsEventListeners"], held_kb(session) if weigh else 0.0)


def watch(page: Page, seconds: float, every_s: float, weigh: bool = False) -> list[Sample]:
    """Samples of a page that is left open for ``seconds``; with ``weigh`` also of what its script holds."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    taken = [sample(session, 0.0, weigh)]
    at_s = 0.0
    while at_s < seconds:
        page.wait_for_timeout(1000 * every_s)
        at_s += every_s
        taken.append(sample(session, at_s, weigh))
    session.detach()
    return taken


def _slope(pairs: Sequence[tuple[float, float]]) -> float:
    """Theil and Sen's slope: the median of all pairs' slopes, which one odd sample does not move."""
    slopes = [(y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(pairs) for x2, y2 in pairs[i + 1 :] if x2 != x1]
    return statistics.median(slopes) if slopes else 0.0


def growth(samples: Sequence[Sample]) -> dict[str, float]:
    """Growth a minute of heap and of what is held (KB), of nodes and listeners.

    Without the first third: there the page still fills its chart.
    """
    steady = samples[len(samples) // 3 :]
    return {
        what: 60 * _slope([(s.at_s, float(getattr(s, what))) for s in steady])
        for what in ("heap_kb", "held_kb", "nodes", "listeners")
    }
