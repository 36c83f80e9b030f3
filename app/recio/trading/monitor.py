"""A monitor: one strategy on one series with its own settings. Several run side by side under the desk's risk limits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from recio.trading.settings import SettingError, convert
from recio.trading.strategies import STRATEGIES
from recio.trading.strategies.base import MonitorSettings

__all__ = ["Monitor", "changed", "edited", "monitor_id_of", "read_monitor", "settings_of", "to_builtins"]

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class Monitor(msgspec.Struct, frozen=True, kw_only=True):
    """``version`` counts the changes of its record: a decision names the one it was made under."""

    monitor_id: str
    strategy: str
    series_ticker: str
    enabled: bool
    settings: MonitorSettings
    version: int = 0


def monitor_id_of(value: str) -> str:
    """The id, when it can be one; SettingError otherwise."""
    if not _ID.fullmatch(value):
        raise SettingError(f"monitor id {value!r}: take 1 to 40 of a-z, 0-9, - and _, for example hourly-btc")
    return value


def settings_of(strategy: str, value: Mapping[str, Any] | None) -> MonitorSettings:
    """A monitor's settings as its strategy's type, absent keys at their default. SettingError names what is wrong."""
    known = STRATEGIES.get(strategy)
    if known is None:
        raise SettingError(f"strategy {strategy!r} is not known; there are {', '.join(sorted(STRATEGIES))}")
    return convert(known.settings, value, strategy)


def read_monitor(row: Mapping[str, Any]) -> Monitor:
    """A monitor from its record: monitor_id, strategy, series_ticker, enabled, settings, version."""
    return Monitor(
        monitor_id=row["monitor_id"],
        strategy=row["strategy"],
        series_ticker=row["series_ticker"],
        enabled=bool(row["enabled"]),
        settings=settings_of(row["strategy"], row["settings"]),
        version=int(row.get("version", 0)),
    )


def to_builtins(settings: MonitorSettings) -> dict[str, Any]:
    """All keys of the settings as plain data, the stop's as a mapping of its own."""
    plain: dict[str, Any] = msgspec.to_builtins(settings)
    return plain


def changed(settings: MonitorSettings, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings' plain data with some keys changed; ``stop`` may be a mapping of some keys, or ``stop.KEY`` one of
    them. Not checked: read it with settings_of. SettingError for a ``stop`` that is no mapping."""
    plain = to_builtins(settings)
    for key, value in changes.items():
        if key == "stop":
            if not isinstance(value, Mapping):
                raise SettingError(f"setting stop is {value!r}; write a mapping of its keys, or stop.KEY")
            plain["stop"] |= value
        elif key.startswith("stop."):
            plain["stop"][key.removeprefix("stop.")] = value
        else:
            plain[key] = value
    return plain


def edited(
    row: Mapping[str, Any] | None,
    monitor_id: str,
    known_series: Sequence[str],
    *,
    strategy: str | None = None,
    series_ticker: str | None = None,
    enabled: bool | None = None,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A monitor's record after a change, checked and complete; ``row`` is None for a new one, which needs a strategy and
    a series. A change of strategy starts from that strategy's defaults. SettingError names what cannot be."""
    before = dict(row or {"strategy": None, "series_ticker": None, "enabled": False, "settings": {}})
    wanted, series = strategy or before["strategy"], series_ticker or before["series_ticker"]
    if wanted is None or series is None:
        raise SettingError(f"there is no monitor {monitor_id!r}; a new one needs a strategy and a series_ticker")
    if series not in known_series:
        raise SettingError(f"series {series!r} is not followed by this desk; there are {', '.join(known_series)}")
    base = settings_of(wanted, before["settings"] if wanted == before["strategy"] else {})
    made = settings_of(wanted, changed(base, settings or {}))
    return {
        "monitor_id": monitor_id_of(monitor_id),
        "strategy": wanted,
        "series_ticker": series,
        "enabled": before["enabled"] if enabled is None else enabled,
        "settings": to_builtins(made),
    }
