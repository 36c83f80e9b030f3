"""Seeded randomness as a function of place: the same (seed, key) gives the same number on every Python, for ever."""

from __future__ import annotations

import math

__all__ = ["gaussian", "mix", "uniform"]

_MASK = (1 << 64) - 1


def mix(seed: int, key: int) -> int:
    """A 64-bit hash of (seed, key); the finaliser of splitmix64, applied twice."""
    x = (seed * 0x9E3779B97F4A7C15 + key * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & _MASK
    for _ in range(2):
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
        x ^= x >> 31
    return x


def uniform(seed: int, key: int) -> float:
    """A number in (0, 1): never exactly 0 or 1."""
    return ((mix(seed, key) >> 11) + 0.5) / 9007199254740992.0


def gaussian(seed: int, key: int) -> float:
    """A standard normal number (Box-Muller on two halves of one hash)."""
    bits = mix(seed, key)
    a = ((bits >> 32) + 0.5) / 4294967296.0
    b = (bits & 0xFFFFFFFF) / 4294967296.0
    return math.sqrt(-2.0 * math.log(a)) * math.cos(2.0 * math.pi * b)
