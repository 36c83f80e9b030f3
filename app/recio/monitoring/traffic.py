"""Bandwidth by source: systemd's byte counters of the units that speak with it, as a rate between two readings."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any

import psutil

__all__ = ["SOURCES", "count", "rates"]

# budget in the contract -> the units whose traffic it is; exchange clients share their host's API and stream
SOURCES: dict[str, tuple[str, ...]] = {
    "kalshi_kb_per_s": ("kalshi_api_watchdog", "kalshi_account_sync", "trade_executor"),
    "coinbase_kb_per_s": ("btc_price_watchdog",),
    "websocket_kb_per_s": ("main_app",),
}
_NOT_SET = 2**64 - 1
NOT_COUNTED = "not measured: this host's kernel does not count traffic by unit (IPAccounting)"


def count() -> dict[str, int | None]:
    """Bytes in and out so far, by unit and for the whole host ('host'); None where the kernel does not count."""
    names = sorted({name for group in SOURCES.values() for name in group})
    command = [
        "systemctl",
        "show",
        "--property=Id,IPIngressBytes,IPEgressBytes",
        *(f"recio-{n}.service" for n in names),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    found: dict[str, int | None] = dict.fromkeys(names)
    for block in done.stdout.strip().split("\n\n"):
        said = dict(line.partition("=")[::2] for line in block.splitlines())
        name = said.get("Id", "").removeprefix("recio-").removesuffix(".service")
        values = [said.get(key, "") for key in ("IPIngressBytes", "IPEgressBytes")]
        if name in found and all(value.isdigit() and int(value) != _NOT_SET for value in values):
            found[name] = sum(int(value) for value in values)
    host = psutil.net_io_counters()
    return found | {"host": host.bytes_sent + host.bytes_recv}


def rates(before: Mapping[str, int | None], now: Mapping[str, int | None], seconds: float) -> dict[str, Any]:
    """By the contract's budgets: {kb_per_s, why}. A counter that is missing or went backwards (a restart) gives None and why."""
    groups = SOURCES | {"peak_kb_per_s": ("host",)}
    found: dict[str, Any] = {
        "database_kb_per_s": {
            "kb_per_s": None,
            "why": "not measured: the database is reached by a socket file, not by the network",
        }
    }
    for source, names in groups.items():
        pairs = [(before.get(name), now.get(name)) for name in names]
        if any(new is None for _, new in pairs):
            found[source] = {"kb_per_s": None, "why": NOT_COUNTED}
        elif seconds <= 0 or any(old is None or (new or 0) < old for old, new in pairs):
            found[source] = {"kb_per_s": None, "why": "not known yet: a rate needs two readings of the same process"}
        else:
            moved = sum((new or 0) - (old or 0) for old, new in pairs)
            found[source] = {"kb_per_s": round(moved / 1024 / seconds, 1), "why": ""}
    return found
