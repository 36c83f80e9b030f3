"""The seeded path: the same for ever, realistic, and without ends."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from itertools import pairwise

import pytest

from recio.market.generator import GeneratedPath
from recio.market.noise import gaussian, uniform

T0 = 1_795_000_000
PINNED = [10000000, 9999335, 10088728, 10103852, 10110072]


def test_a_restarted_path_goes_on_where_it_was() -> None:
    walked = GeneratedPath(7)
    path = [walked.price_at(T0 + n) for n in range(300)]
    assert [GeneratedPath(7).price_at(T0 + n) for n in reversed(range(300))] == path[::-1]
    assert [GeneratedPath(8).price_at(T0 + n) for n in range(300)] != path
    assert walked(T0 + 0.9) == path[0]
    assert walked.span() is None


def test_these_prices_never_change() -> None:
    path = GeneratedPath(1)
    assert [path.price_at(at) for at in (0, 1, T0, T0 + 3600, 4_000_000_000)] == PINNED


def test_another_process_sees_the_same() -> None:
    code = f"from recio.market.generator import GeneratedPath; print(GeneratedPath(3).price_at({T0}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_env())
    assert int(found.stdout) == GeneratedPath(3).price_at(T0)


def _env() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(p for p in sys.path if p), "PYTHONHASHSEED": "123"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_minutes_move_as_btc_does(seed: int) -> None:
    path = GeneratedPath(seed)
    prices = [path.price_at(T0 + 60 * n) for n in range(5000)]
    returns = [100 * math.log(b / a) for a, b in pairwise(prices)]
    assert 0.04 < statistics.pstdev(returns) < 0.12
    assert max(map(abs, returns)) < 2.0


def test_it_stays_near_its_anchor_for_years_and_never_jumps() -> None:
    path = GeneratedPath(5, anchor_e2=6_000_000)
    weekly = [path.price_at(T0 + 604_800 * n) for n in range(500)]
    assert 3_500_000 < min(weekly) < max(weekly) < 9_000_000
    for edge in (1 << 30, 1 << 31, T0 >> 17 << 17, T0 >> 12 << 12):
        before, after = path.price_at(edge - 1), path.price_at(edge)
        assert abs(after / before - 1) < 0.002


@pytest.mark.parametrize("at", [-1, 1 << 34, math.inf, math.nan])
def test_outside_its_time_it_says_so(at: float) -> None:
    with pytest.raises(ValueError, match="at_s is"):
        GeneratedPath(1).price_at(at)


@pytest.mark.parametrize(("anchor", "vol"), [(0, 1e-4), (-5, 1e-4), (10, 0.0), (10, 1.0), (10, math.nan)])
def test_absurd_parameters_are_refused(anchor: int, vol: float) -> None:
    with pytest.raises(ValueError, match=r"anchor_e2|vol_per_sqrt_s"):
        GeneratedPath(1, anchor, vol)


def test_the_noise_is_uniform_and_normal() -> None:
    flat = [uniform(1, n) for n in range(20_000)]
    bell = [gaussian(1, n) for n in range(20_000)]
    assert statistics.fmean(flat) == pytest.approx(0.5, abs=0.01)
    assert 0 < min(flat) < max(flat) < 1
    assert statistics.fmean(bell) == pytest.approx(0.0, abs=0.03)
    assert statistics.pstdev(bell) == pytest.approx(1.0, abs=0.03)
