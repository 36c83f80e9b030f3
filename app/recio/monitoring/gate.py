"""Which services a release can no longer prove: why wait the gate's whole time for one that ends as soon as it begins?"""

from __future__ import annotations

from recio.monitoring.status import Status

__all__ = ["ENDS", "WITHIN_S", "Gate"]

# Once may be a neighbour's fault, twice the moment. A service that waits for database, exchange or key does not end, it says so;
# and one that its watchdog ends on a slow machine takes longer.
ENDS, WITHIN_S = 3, 60.0


class Gate:
    """The looks of one gate, first to last."""

    def __init__(self) -> None:
        self._looks: dict[str, list[tuple[float, int]]] = {}
        self._well: set[str] = set()

    def hopeless(self, found: Status, now_s: float) -> tuple[str, ...]:
        """Services that ended ``ENDS`` times within ``WITHIN_S`` and were well in no look; to be called with every look.

        ``now_s``: seconds of any clock that only goes forward.
        """
        self._well |= {service.name for service in found.services if service.healthy}
        given_up = []
        for service in found.services:
            if service.restarts is None:
                continue
            looks = self._looks.setdefault(service.name, [])
            looks.append((now_s, service.restarts))
            while now_s - looks[0][0] > WITHIN_S:
                del looks[0]
            if service.restarts - looks[0][1] >= ENDS and service.name not in self._well:
                given_up.append(service.name)
        return tuple(given_up)
