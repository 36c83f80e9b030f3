"""The host's own figures, and what they mean against the contract's thresholds, with hysteresis."""

from __future__ import annotations

from dataclasses import dataclass, field

import psutil

__all__ = ["Alarm", "Level", "Measurement", "measure"]

_CLEAR_BELOW = 0.9  # an alarm clears at 90 % of its threshold, so that a figure on the edge does not flap


@dataclass(frozen=True)
class Measurement:
    """Percentages of the whole host; bytes a second since the last call are in ``detail``."""

    cpu_percent: float
    memory_percent: float
    disk_percent: float
    detail: dict[str, float]


def measure(path: str = "/") -> Measurement:
    """Measure now; CPU is the share since the previous call (0.0 at the first)."""
    memory, disk = psutil.virtual_memory(), psutil.disk_usage(path)
    network = psutil.net_io_counters()
    load = psutil.getloadavg()
    return Measurement(
        cpu_percent=psutil.cpu_percent(interval=None),
        memory_percent=100.0 * (1.0 - memory.available / memory.total),
        disk_percent=disk.percent,
        detail={
            "memory_available_mb": memory.available / 1048576,
            "disk_free_gb": disk.free / 1073741824,
            "load_1m": load[0],
            "sent_mb": network.bytes_sent / 1048576,
            "received_mb": network.bytes_recv / 1048576,
        },
    )


Level = str  # '' | 'warning' | 'critical'


@dataclass
class Alarm:
    """One metric's alarm: raised after ``hold`` readings over a threshold in a row, cleared well below it."""

    warning: float
    critical: float
    hold: int = 3
    level: Level = ""
    _over: int = field(default=0, repr=False)

    def read(self, value: float) -> Level:
        """Take a reading; gives the level that now stands."""
        seen = "critical" if value >= self.critical else "warning" if value >= self.warning else ""
        if seen and (seen != self.level):
            self._over += 1
            if self._over >= self.hold and not (self.level == "critical" and value >= self.critical * _CLEAR_BELOW):
                self.level, self._over = seen, 0
        elif not seen and self.level:
            self._over = 0
            if value < self.warning * _CLEAR_BELOW:
                self.level = ""
        else:
            self._over = 0
        return self.level
