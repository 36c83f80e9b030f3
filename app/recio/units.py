"""Money and counts as integers: the one place where exact numbers meet text.

A suffix names the unit: ``_e4`` is 1/10,000 dollar (contract prices, 0 to 10,000), ``_e2`` 1/100 (contracts of a
count, cents of a BTC price), ``_e6`` 1/1,000,000 dollar (costs, fees, PnL). price_e4 x count_e2 = cost_e6, exactly.
No float ever holds money.
"""

from __future__ import annotations

import re
from typing import NewType

__all__ = ["ONE_DOLLAR_E4", "ONE_DOLLAR_E6", "CountE2", "DollarsE6", "PriceE4", "format_fixed", "parse_fixed"]

PriceE4 = NewType("PriceE4", int)
CountE2 = NewType("CountE2", int)
DollarsE6 = NewType("DollarsE6", int)

ONE_DOLLAR_E4 = 10_000
ONE_DOLLAR_E6 = 1_000_000

_DECIMAL = re.compile(r"-?\d{1,15}(?:\.(\d{1,12}))?")


def parse_fixed(text: str, places: int) -> int:
    """Read a decimal string as an integer count of 10**-places.

    ``parse_fixed("0.5300", 4) == 5300``. Raises ValueError naming the text when it is not a plain decimal or holds
    more than ``places`` significant decimals: rounding money silently is how units get lost.
    """
    found = _DECIMAL.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"not a decimal number: {text!r}; expected for example '0.5300'")
    sign = -1 if text.startswith("-") else 1
    whole, _, fraction = text.lstrip("-").partition(".")
    if fraction[places:].strip("0"):
        raise ValueError(f"{text!r} has more than {places} decimals")
    scale: int = 10**places
    return sign * (int(whole) * scale + int(fraction[:places].ljust(places, "0") or "0"))


def format_fixed(value: int, places: int) -> str:
    """Write an integer count of 10**-places as a decimal string: ``format_fixed(5300, 4) == "0.5300"``."""
    if places == 0:
        return str(value)
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), 10**places)
    return f"{sign}{whole}.{fraction:0{places}d}"
