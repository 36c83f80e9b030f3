"""Client order ids that were used, for ever and in little memory: eight bytes each instead of a hundred and twenty.

An id is kept as 64 bits of its BLAKE2b hash, sorted; the newest in a set until they are worth sorting in. With a million
ids on record a new one is mistaken for a used one once in 18 million million times, and is then refused: no order is lost.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from hashlib import blake2b

__all__ = ["UsedIds"]

_MANY_NEW = 4_096


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


class UsedIds:
    """A set of texts that only grows."""

    def __init__(self) -> None:
        self._sorted = array("Q")
        self._new: set[int] = set()

    def add(self, text: str) -> None:
        """Used from now on."""
        self.add_digests((_digest(text),))

    def __contains__(self, text: str) -> bool:
        digest = _digest(text)
        return digest in self._new or self._is_sorted_in(digest)

    def __len__(self) -> int:
        return len(self._sorted) + len(self._new)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UsedIds) and set(self.digests()) == set(other.digests())

    __hash__ = None  # type: ignore[assignment]  # it changes

    def digests(self) -> Iterator[int]:
        """What is kept of every id, for the journal."""
        yield from self._sorted
        yield from self._new

    def add_digests(self, digests: Iterable[int]) -> None:
        """Take back what ``digests`` gave."""
        self._new.update(digest for digest in digests if not self._is_sorted_in(digest))
        if len(self._new) >= _MANY_NEW:
            self._sorted, self._new = array("Q", sorted([*self._sorted, *self._new])), set()

    def _is_sorted_in(self, digest: int) -> bool:
        at = bisect_left(self._sorted, digest)
        return at < len(self._sorted) and self._sorted[at] == digest
