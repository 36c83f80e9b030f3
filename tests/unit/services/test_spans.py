"""Legs of an order's way: what lies between the hops, what is left out, and percentiles by nearest rank."""

from __future__ import annotations

import time

import pytest

from recio.services.spans import Spans, legs, now_ns, percentile

MS = 1_000_000
FULL = {
    "price": [0, 1 * MS], "table": [2 * MS, 4 * MS], "entry": [5 * MS, 8 * MS], "decide": [8 * MS, 12 * MS],
    "claim": [13 * MS, 14 * MS], "send": [14 * MS, 16 * MS], "answer": [16 * MS, 20 * MS],
}  # fmt: skip


def by_name(*hops: dict[str, list[int]]) -> dict[str, tuple[int, float]]:
    return {leg.name: (leg.count, leg.p50_ms) for leg in legs({"hops": h} for h in hops)}


def test_the_legs_add_up_to_the_whole() -> None:
    found = by_name(FULL)
    whole = sum(taken for name, (_, taken) in found.items() if name not in ("answer", "tick to wire", "ticket to wire"))
    assert found["tick to wire"] == (1, 16.0)
    assert whole == pytest.approx(16.0)
    assert found["wake table"] == (1, 1.0)
    assert found["ticket to wire"] == (1, 8.0)


def test_a_hop_that_began_before_the_one_before_ended_counts_from_there() -> None:
    early = FULL | {"decide": [3 * MS, 12 * MS]}  # a round that was under way found the ticket
    found = by_name(early)
    assert found["wake decide"] == (1, 0.0)
    assert found["decide"] == (1, 4.0)
    assert found["tick to wire"] == (1, 16.0)


def test_a_ticket_of_the_user_has_no_tick() -> None:
    found = by_name({hop: FULL[hop] for hop in ("decide", "claim", "send", "answer")})
    assert "tick to wire" not in found
    assert "wake decide" not in found
    assert found["ticket to wire"] == (1, 8.0)


def test_a_clock_that_began_anew_is_left_out() -> None:
    restarted = FULL | {"claim": [1, 2], "send": [2, 3]}
    assert by_name(restarted, FULL)["tick to wire"] == (1, 16.0)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1), (0.985, 99)])
def test_percentile_is_the_nearest_rank(share: float, value: int) -> None:
    assert percentile([float(n) for n in range(1, 101)], share) == value


def test_the_clock_is_the_host_s_and_only_whole_traces_are_carried() -> None:
    assert abs(now_ns() - time.clock_gettime_ns(time.CLOCK_MONOTONIC)) < 1_000 * MS
    spans = Spans()
    spans.carried([], 1)
    spans.carried([1, 2], 1)
    assert not spans
    spans.carried([1, 2, 3, 4], 1)
    assert spans
