"""The recent past of one price in little memory: an hour by seconds, a day and a bit by minutes."""

from __future__ import annotations

from array import array

__all__ = ["PriceSeries"]

_SECONDS, _MINUTES = 3 * 3600, 25 * 60
_NOTHING = 0
_HOLD_S, _HOLD_MINUTES = 20, 3  # how long the last price stands in for a second or minute without one


class PriceSeries:
    """Closes by second (3 h) and by minute (25 h) in two rings; 0 in a ring means nothing was seen."""

    def __init__(self) -> None:
        self._seconds = array("q", [_NOTHING]) * _SECONDS
        self._minutes = array("q", [_NOTHING]) * _MINUTES
        self._newest_s = self._newest_minute = -1

    def add(self, at_s: float, price_e2: int) -> None:
        """A price in cents at a time; later ones of the same second replace earlier ones, old ones fill holes."""
        if price_e2 <= 0:
            raise ValueError(f"price {price_e2} at {at_s}: a price is above zero")
        self._newest_s = self._put(self._seconds, self._newest_s, int(at_s), price_e2)
        self._newest_minute = self._put(self._minutes, self._newest_minute, int(at_s) // 60, price_e2)

    @staticmethod
    def _put(ring: array[int], newest: int, slot: int, price_e2: int) -> int:
        size = len(ring)
        if slot <= newest - size:
            return newest
        if newest >= 0:
            for skipped in range(max(newest + 1, slot - size + 1), slot):
                ring[skipped % size] = _NOTHING
        ring[slot % size] = price_e2
        return max(newest, slot)

    @staticmethod
    def _get(ring: array[int], newest: int, slot: int, hold: int) -> int | None:
        size = len(ring)
        for at in range(slot, slot - hold - 1, -1):
            if newest - size < at <= newest and (found := ring[at % size]) != _NOTHING:
                return found
        return None

    def price_at(self, at_s: float) -> int | None:
        """The price that stood at a time: the last one at most 20 s (3 minutes, further back) before it; else None."""
        exact = self._get(self._seconds, self._newest_s, int(at_s), _HOLD_S)
        if exact is not None:
            return exact
        return self._get(self._minutes, self._newest_minute, int(at_s) // 60, _HOLD_MINUTES)

    def second(self, at_s: float) -> int | None:
        """The close of exactly this second, or None."""
        return self._get(self._seconds, self._newest_s, int(at_s), 0)
