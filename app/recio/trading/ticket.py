"""What a user may write on a ticket, checked before anything is asked: a count, a side, a limit price on the grid."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from recio.units import ONE_DOLLAR_E4, parse_fixed

__all__ = [
    "LINEAR_CENT",
    "MAX_COUNT_E2",
    "PriceRange",
    "TicketError",
    "check_price_e4",
    "count_e2_of",
    "on_grid",
    "price_e4_of",
    "price_ranges",
    "side_of",
    "snap",
]

MAX_COUNT_E2 = 10_000_000  # 100,000 contracts: beyond this it is a slip of the hand, whatever the limits say


class TicketError(ValueError):
    """One field of a ticket that cannot be used: ``field``, and a message with its value and the cure."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class PriceRange(msgspec.Struct, frozen=True):
    """YES prices from start to end are valid in steps."""

    start_e4: int
    end_e4: int
    step_e4: int


LINEAR_CENT = (PriceRange(0, ONE_DOLLAR_E4, 100),)


def price_ranges(raw: Iterable[Any] | None) -> tuple[PriceRange, ...]:
    """The market's price grid from its record: rows of start, end, step as dollar strings or as ``_e4`` integers.

    Nothing on record gives whole cents, which lie on every grid. Raises ValueError for anything else."""
    ranges = tuple(_one_range(row) for row in raw or ())
    return ranges or LINEAR_CENT


def _one_range(row: Any) -> PriceRange:
    if isinstance(row, Mapping) and {"start_e4", "end_e4", "step_e4"} <= row.keys():
        values = [row["start_e4"], row["end_e4"], row["step_e4"]]
    elif isinstance(row, Mapping) and {"start", "end", "step"} <= row.keys():
        values = [parse_fixed(row[name], 4) for name in ("start", "end", "step")]
    elif hasattr(row, "start_e4"):
        values = [row.start_e4, row.end_e4, row.step_e4]
    elif isinstance(row, Sequence) and len(row) == 3:
        values = list(row)
    else:
        raise ValueError(f"price range {row!r} is not known; expected start, end and step")
    start, end, step = values
    if not (0 <= start < end <= ONE_DOLLAR_E4 and step > 0):
        raise ValueError(f"price range {start} to {end} in steps of {step} makes no grid")
    return PriceRange(start, end, step)


def _yes(price_e4: int, side: str) -> int:
    return price_e4 if side == "yes" else ONE_DOLLAR_E4 - price_e4


def on_grid(price_e4: int, ranges: Sequence[PriceRange], side: str = "yes") -> bool:
    """Whether an order of this side may carry this price: the grid is the YES price's, a border is in both ranges."""
    yes = _yes(price_e4, side)
    return 0 < yes < ONE_DOLLAR_E4 and any(
        r.start_e4 <= yes <= r.end_e4 and (yes - r.start_e4) % r.step_e4 == 0 for r in ranges
    )


def snap(price_e4: int, ranges: Sequence[PriceRange], side: str = "yes", *, up: bool = False) -> int:
    """The nearest valid price of ``side`` at or below ``price_e4`` (at or above with ``up``); the outermost valid one
    when there is none on that side."""
    yes, rising = min(ONE_DOLLAR_E4 - 1, max(1, _yes(price_e4, side))), up == (side == "yes")
    best: int | None = None
    for r in ranges:
        if rising:
            found = max(r.start_e4, r.start_e4 - (r.start_e4 - yes) // r.step_e4 * r.step_e4)
        else:
            found = min(r.end_e4, r.start_e4 + (yes - r.start_e4) // r.step_e4 * r.step_e4)
            found -= (found - r.start_e4) % r.step_e4
        if not (r.start_e4 <= found <= r.end_e4 and 0 < found < ONE_DOLLAR_E4):
            continue
        if best is None or (found < best) == rising:
            best = found
    if best is None:
        ends = [p for r in ranges for p in _inner(r)]
        if not ends:
            raise ValueError(f"no valid price in {list(ranges)}")
        best = max(ends) if rising else min(ends)
    return _yes(best, side)


def _inner(r: PriceRange) -> tuple[int, int]:
    """The lowest and highest valid prices of a range."""
    low = r.start_e4 or r.step_e4
    high = r.start_e4 + (r.end_e4 - r.start_e4) // r.step_e4 * r.step_e4
    return low, high - r.step_e4 if high >= ONE_DOLLAR_E4 else high


def side_of(value: object) -> str:
    """'yes' or 'no'; raises TicketError for anything else."""
    if isinstance(value, str) and value.strip().lower() in ("yes", "no"):
        return value.strip().lower()
    raise TicketError("side", f"is {value!r}; write 'yes' or 'no'")


def _decimal(field: str, value: object, places: int, example: str) -> int:
    """A number a person or a program wrote, as an integer count of 10**-places; raises TicketError."""
    if isinstance(value, bool) or value is None or not isinstance(value, int | float | str):
        raise TicketError(field, f"is {value!r}, which is not a number; write for example {example}")
    if isinstance(value, float) and not math.isfinite(value):
        raise TicketError(field, f"is {value!r}; write a finite number, for example {example}")
    if isinstance(value, int) and abs(value) >= 10**15:
        raise TicketError(field, f"is a number of more than 15 digits; write for example {example}")
    text = value.strip() if isinstance(value, str) else str(value)
    try:
        return parse_fixed(text.removeprefix("+"), places)
    except ValueError:
        shown = repr(value) if len(text) <= 40 else f"{text[:37]!r}..."
    step = f"0.{'0' * (places - 1)}1"
    raise TicketError(field, f"is {shown}; write a plain number in steps of {step}, for example {example}")


def count_e2_of(value: object, max_count_e2: int = MAX_COUNT_E2, field: str = "count") -> int:
    """How many contracts, in 1/100: from an integer, a decimal string or a float with at most two decimals.

    Raises TicketError for zero, negatives, more than ``max_count_e2``, NaN, booleans and anything that is no number.
    """
    count = _decimal(field, value, 2, "1 or 0.25")
    if count <= 0:
        raise TicketError(field, f"is {value}; buy at least 0.01 contracts")
    if count > max_count_e2:
        raise TicketError(field, f"is {value}; at most {max_count_e2 / 100:g} contracts are allowed in one order")
    return count


def price_e4_of(
    value: object, ranges: Sequence[PriceRange] = LINEAR_CENT, side: str = "yes", field: str = "limit_price"
) -> int:
    """A limit price in dollars of the side traded ('0.95', 0.95), in 1/10,000: between 0 and 1 and on the grid.

    Raises TicketError naming the value and the nearest valid prices.
    """
    price = _decimal(field, value, 4, "0.95")
    return check_price_e4(price, ranges, side, field)


def check_price_e4(
    price_e4: object, ranges: Sequence[PriceRange] = LINEAR_CENT, side: str = "yes", field: str = "limit_price"
) -> int:
    """The same for a price that already is in 1/10,000 dollar."""
    if isinstance(price_e4, bool) or not isinstance(price_e4, int):
        raise TicketError(field, f"is {price_e4!r}; expected a whole number of 1/10,000 dollar, for example 9500")
    if not 0 < price_e4 < ONE_DOLLAR_E4:
        said = f"is {price_e4 / ONE_DOLLAR_E4:.4f}; a contract costs more than 0 and less than 1 dollar"
        raise TicketError(field, f"{said}, for example 0.95")
    if not on_grid(price_e4, ranges, side):
        low, high = snap(price_e4, ranges, side), snap(price_e4, ranges, side, up=True)
        raise TicketError(
            field,
            f"is {price_e4 / ONE_DOLLAR_E4:.4f}, which is not on this market's price grid; "
            f"take {low / ONE_DOLLAR_E4:.4f} or {high / ONE_DOLLAR_E4:.4f}",
        )
    return price_e4
