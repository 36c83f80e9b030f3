"""The user's settings as values: what is stored, with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recio.monitoring.kill_file import kill_file_reason
from recio.trading.settings import AutoEntrySettings, AutoStopSettings, KillSwitch, RiskLimits, read, to_dict

__all__ = ["NAMES", "checked", "complete", "in_force"]

NAMES = ("kill_switch", "risk", "auto_entry", "auto_stop")


def checked(name: str, value: Mapping[str, Any] | None) -> dict[str, Any]:
    """A setting's value, validated and complete. Raises SettingError naming the key, KeyError for an unknown setting."""
    if name == "kill_switch":
        return to_dict(read(KillSwitch, value))
    if name == "risk":
        return to_dict(read(RiskLimits, value))
    if name == "auto_entry":
        return to_dict(read(AutoEntrySettings, value))
    if name == "auto_stop":
        return to_dict(read(AutoStopSettings, value))
    raise KeyError(name)


def complete(stored: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every setting by name: its value, version (0: never stored), when and by whom it was changed."""
    return {
        name: {
            "value": checked(name, stored[name]["value"] if name in stored else None),
            "version": stored[name]["version"] if name in stored else 0,
            "changed_at": stored[name]["changed_at"] if name in stored else None,
            "changed_by": stored[name]["changed_by"] if name in stored else "",
        }
        for name in NAMES
    }


def in_force(found: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What ``complete`` gave, to be shown: a kill file makes the switch on, whatever is stored."""
    by_file = kill_file_reason()
    if by_file is None:
        return dict(found)
    return {**found, "kill_switch": found["kill_switch"] | {"value": {"on": True, "why": by_file}}}
