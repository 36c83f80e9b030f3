"""What a market claims, in words, of either side: a ticket's title says it, and for a range it is not "above". Pure."""

from __future__ import annotations

__all__ = ["claim"]


def _dollars(value_e2: int) -> str:
    whole, cents = divmod(value_e2, 100)
    return f"{whole:,}.{cents:02d}" if cents else f"{whole:,}"


def _over(floor_e2: int, inclusive: bool) -> tuple[str, str]:
    """(above, below) a floor. Strictly above 118,749.99 is at or above 118,750: prices have two decimals."""
    if not inclusive and floor_e2 % 100 == 99:
        floor_e2, inclusive = floor_e2 + 1, True
    told = _dollars(floor_e2)
    return (f"at or above {told}", f"below {told}") if inclusive else (f"above {told}", f"at or below {told}")


def claim(strike_type: str, floor_e2: int | None, cap_e2: int | None, side: str) -> str:
    """What must be true of BTC for ``side`` to win; strikes in hundredths of a dollar. "" for a type not known here or
    a strike that is missing: then nothing is claimed in its name."""
    yes = no = ""
    if strike_type in ("greater", "greater_or_equal") and floor_e2 is not None:
        yes, no = _over(floor_e2, strike_type == "greater_or_equal")
    elif strike_type in ("less", "less_or_equal") and cap_e2 is not None:
        told = _dollars(cap_e2)
        yes, no = (
            (f"below {told}", f"at or above {told}")
            if strike_type == "less"
            else (f"at or below {told}", f"above {told}")
        )
    elif strike_type == "between" and floor_e2 is not None and cap_e2 is not None:
        low, high = _dollars(floor_e2), _dollars(cap_e2)
        yes, no = f"from {low} to {high}", f"below {low} or above {high}"
    return yes if side == "yes" else no
