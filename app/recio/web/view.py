"""How numbers and times are written on a page; the script writes them the same way."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from recio.units import format_fixed
from recio.web.look_values import when

__all__ = ["FILTERS", "age", "cents", "contracts", "dollars", "percent", "strike", "usd"]

_NEW_YORK = ZoneInfo("America/New_York")
NONE = "–"


def usd(price_e2: int | None) -> str:
    """A BTC price: 118749.99 -> '118,749.99'."""
    return NONE if price_e2 is None else f"{price_e2 // 100:,}.{price_e2 % 100:02d}"


def strike(strike_e2: int | None) -> str:
    """A strike: whole dollars where it is one, and 118,749.99 (strictly above) is written as the 118,750 it means."""
    if strike_e2 is None:
        return NONE
    whole = strike_e2 + 1 if strike_e2 % 100 == 99 else strike_e2
    return f"{whole // 100:,}" if whole % 100 == 0 else usd(whole)


def cents(price_e4: int | None) -> str:
    """A contract's price: 9750 -> '97.5¢'."""
    return NONE if price_e4 is None else f"{_trimmed(price_e4, 2)}¢"


def dollars(amount_e6: int | None, signed: bool = False, places: int = 2) -> str:
    """Money, rounded half away from zero for display: 1234567 -> '$1.23'; signed -> '+$1.23'."""
    if amount_e6 is None:
        return NONE
    unit = 10 ** (6 - places)
    whole = (abs(amount_e6) + unit // 2) // unit
    sign = "−" if amount_e6 < 0 and whole else ("+" if signed and whole else "")
    left, _, right = format_fixed(whole, places).partition(".")
    return f"{sign}${int(left):,}{'.' + right if right else ''}"


def edge(value_e4: int | None) -> str:
    """A differential in cents with its sign: -130 -> '−1.3'; what rounds to nothing has none: -4 -> '0.0'."""
    if value_e4 is None:
        return NONE
    tenths = math.floor(value_e4 / 10 + 0.5)  # as the script in the page rounds
    return f"{'+' if tenths > 0 else ''}{tenths / 10:.1f}".replace("-", "−")


def contracts(count_e2: int | None) -> str:
    """A count: 500 -> '5', 25 -> '0.25'."""
    return NONE if count_e2 is None else _trimmed(count_e2, 2)


def _trimmed(value: int, places: int) -> str:
    text = format_fixed(value, places)
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float | None, places: int = 1) -> str:
    """A share of 1: 0.9731 -> '97.3 %'."""
    return NONE if share is None else f"{100 * share:.{places}f} %"


def basis_points(value: int | None) -> str:
    """Basis points with their sign: 12 -> '+12'."""
    return NONE if value is None else f"{value:+d}".replace("-", "−")


def change(value_bp: int | None) -> str:
    """A change in basis points as percent: 12 -> '+0.12 %'."""
    return NONE if value_bp is None else f"{value_bp / 100:+.2f} %".replace("-", "−")


def age(seconds: float | None) -> str:
    """An age: '0.4 s', '12 s', '3 min', '2 h', '4 d'."""
    if seconds is None:
        return NONE
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} d"


def ms(moment: datetime | None) -> str:
    """Milliseconds since 1970, for the script."""
    return "" if moment is None else str(round(moment.timestamp() * 1000))


def iso(moment: datetime | None) -> str:
    """UTC, for a <time> element and for CSV."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def eastern(moment: datetime | None, form: str = "%H:%M:%S") -> str:
    """A time of day in New York, where the markets' hours are."""
    return NONE if moment is None else moment.astimezone(_NEW_YORK).strftime(form)


def tone(value: int | float | None) -> str:
    """The class of a gain or a loss; the sign is always written beside the colour."""
    return "" if not value else ("up" if value > 0 else "down")


def short(ticker: str | None) -> str:
    """A market's ticker without its series: the part that differs."""
    return (ticker or "").partition("-")[2] or (ticker or "")


FILTERS: dict[str, Callable[..., Any]] = {
    "usd": usd, "strike": strike, "cents": cents, "dollars": dollars, "contracts": contracts, "edge": edge, "percent": percent,
    "basis_points": basis_points, "change": change, "age": age, "ms": ms, "iso": iso, "eastern": eastern, "tone": tone,
    "short": short, "when": when,
}  # fmt: skip
