"""Which failure causes which: the root among the unhealthy services of a dependency graph; and who ended between two looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

__all__ = ["Conclusion", "conclude", "restarted"]


class Conclusion(msgspec.Struct, frozen=True):
    """The services whose own dependencies are all well though they are not, and everybody they take down."""

    roots: tuple[str, ...]
    affected: tuple[str, ...]


def conclude(unhealthy: Sequence[str], depends_on: Mapping[str, Sequence[str]]) -> Conclusion:
    """Find the roots: unhealthy, with no unhealthy service below them in ``depends_on`` (service -> what it needs)."""
    bad = set(unhealthy)

    def needs(name: str, seen: frozenset[str]) -> set[str]:
        found: set[str] = set()
        for below in depends_on.get(name, ()):
            if below not in seen:
                found |= {below} | needs(below, seen | {below})
        return found

    roots = tuple(sorted(name for name in bad if not (needs(name, frozenset({name})) & bad)))
    affected = tuple(sorted(n for n in depends_on if n not in roots and needs(n, frozenset({n})) & set(roots)))
    return Conclusion(roots, affected)


def restarted(before: Mapping[str, int], now: Mapping[str, int | None]) -> dict[str, int]:
    """Services that systemd restarted between two looks, each with its count now.

    A count falls when a person starts the unit anew; then, and at the first look, nothing can be said.
    """
    return {name: count for name, count in now.items() if count is not None and count > before.get(name, count)}
