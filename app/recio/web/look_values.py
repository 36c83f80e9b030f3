"""What a look is, checked; and the look of the page that is being rendered, for the filters that write times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from recio.trading.settings import SettingError

__all__ = ["Look", "changed", "looking", "read_look", "when", "zones"]

_NONE = "–"
NEW_YORK = "America/New_York"


class Look(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``zone`` is "" for the browser's own, or a name of the time zone database."""

    theme: Literal["auto", "dark", "light"] = "auto"
    zone: str = ""
    clock: Literal["24", "12"] = "24"
    colours: Literal["green-red", "blue-orange", "red-up"] = "green-red"
    density: Literal["comfortable", "compact"] = "comfortable"
    title: bool = True
    keys: bool = True


@lru_cache(maxsize=1)
def zones() -> tuple[str, ...]:
    """The names a user can choose: regions with a place, and UTC; sorted."""
    places = (
        "Africa/",
        "America/",
        "Antarctica/",
        "Asia/",
        "Atlantic/",
        "Australia/",
        "Europe/",
        "Indian/",
        "Pacific/",
    )
    return ("UTC", *sorted(name for name in available_timezones() if name.startswith(places)))


def changed(look: Look, changes: Mapping[str, Any]) -> Look:
    """The look with some values replaced. Raises SettingError naming the key, its value and what is possible."""
    unknown = set(changes) - set(look.__struct_fields__)
    if unknown:
        known = ", ".join(look.__struct_fields__)
        raise SettingError(f"look has no {sorted(unknown)[0]!r}; its keys are {known}")
    try:
        found = msgspec.convert(msgspec.structs.asdict(look) | dict(changes), Look)
    except msgspec.ValidationError as error:
        raise SettingError(f"look: {error}") from error
    if found.zone and found.zone not in zones():
        raise SettingError(
            f"look: there is no time zone {found.zone!r}; take one like {NEW_YORK}, or '' for the browser's"
        )
    return found


def read_look(stored: Mapping[str, Mapping[str, Any]]) -> Look:
    """The look among a user's stored settings. A value of another release that is not understood is the default's."""
    value = stored["look"]["value"] if "look" in stored else {}
    look = Look()
    for key, wanted in value.items():
        try:
            look = changed(look, {key: wanted})
        except SettingError:
            continue  # a look never keeps anybody out of the desk
    return look


_shown: ContextVar[Look | None] = ContextVar("look", default=None)


@contextmanager
def looking(look: Look) -> Iterator[None]:
    """While a page is rendered its times are written by this look."""
    token = _shown.set(look)
    try:
        yield
    finally:
        _shown.reset(token)


def when(moment: datetime | None, form: str = "") -> str:
    """A time by the look's zone and clock: '28 Nov, 04:12:33'. The browser's zone is not known here: UTC, and it says so."""
    if moment is None:
        return _NONE
    look = _shown.get() or Look()
    local = moment.astimezone(ZoneInfo(look.zone or "UTC"))
    clock = "%H:%M:%S" if look.clock == "24" else "%I:%M:%S %p"
    return local.strftime(form or f"%d %b, {clock}") + ("" if look.zone else " UTC")
