"""Token buckets: never more than burst plus what was refilled, whatever the order of requests; what is never refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.web import limits
from recio.web.bearer import Wrong
from recio.web.limits import LIMITS, READ, Buckets, Limit, limit_for, take

GAPS = st.lists(st.floats(-5, 30, allow_nan=False), min_size=1, max_size=200)


@given(GAPS, st.integers(1, 40), st.floats(0.05, 50, allow_nan=False))
def test_no_sequence_gets_more_than_burst_and_refill(gaps: list[float], burst: int, per_s: float) -> None:
    limit = Limit("t", burst, per_s, "")
    bucket, now_s, latest_s, allowed = None, 1000.0, 1000.0, 0
    for gap_s in gaps:  # a clock that goes back must not refill
        now_s += gap_s
        latest_s = max(latest_s, now_s)
        bucket, taken = take(bucket, limit, now_s)
        allowed += taken.allowed
        assert 0 <= taken.left <= burst and taken.wait_s >= 0 and taken.allowed == (taken.wait_s == 0)
    assert allowed <= burst + (latest_s - 1000.0 + max(0.0, -min(gaps) if gaps[0] < 0 else 0.0)) * per_s + 1e-6


@given(st.integers(1, 50), st.floats(0.1, 50, allow_nan=False))
def test_waiting_as_long_as_told_is_enough(burst: int, per_s: float) -> None:
    limit, bucket = Limit("t", burst, per_s, ""), None
    for _ in range(burst + 1):
        bucket, taken = take(bucket, limit, 5.0)
    assert not taken.allowed
    assert take(bucket, limit, 5.0 + taken.wait_s + 1e-6)[1].allowed
    assert not take(bucket, limit, 5.0 + taken.wait_s * 0.9)[1].allowed


def test_memory_is_bounded_and_the_longest_silent_goes_first() -> None:
    buckets = Buckets(most=3, clock=lambda: 0.0)
    for name in (b"a", b"b", b"c", b"a", b"d"):
        buckets.take(READ, name)
    assert len(buckets) == 3 and [who for _, who in buckets._buckets] == [b"c", b"a", b"d"]


@pytest.mark.parametrize(
    ("method", "path", "known", "name"),
    [
        ("PUT", "/api/settings/kill_switch", True, None), ("POST", "/settings/kill_switch", True, None),
        ("POST", "/api/trades/7/close", True, None), ("POST", "/api/trades/close-all", True, None),
        ("POST", "/api/orders/7/cancel", True, None), ("GET", "/livez", False, None), ("GET", "/static/a/b.js", False, None),
        ("POST", "/api/trades/7/close", False, "anonymous"), ("PUT", "/api/settings/kill_switch", False, "anonymous"),
        ("POST", "/api/tickets", True, "order"), ("POST", "/api/tickets", False, "anonymous"), ("POST", "/login", False, "login"),
        ("POST", "/api/session", True, "login"), ("PUT", "/api/settings/auto_entry", True, "write"), ("GET", "/api/price", True, "read"),
        ("GET", "/", True, "read"), ("GET", "/login", False, "anonymous"), ("POST", "/api/closed", True, "write"),
    ],
)  # fmt: skip
def test_which_limit_counts(method: str, path: str, known: bool, name: str | None) -> None:
    found = limit_for(method, path, known)
    assert (found.name if found else None) == name


def test_headers_are_the_drafts_structured_fields() -> None:
    for limit in LIMITS:
        for left in (0, 1, limit.burst):
            headers = dict(limits.Taken(limit, True, left, 0.0).headers)
            assert re.fullmatch(rb'"[a-z]+";q=\d+;w=\d+', headers[b"ratelimit-policy"])
            assert re.fullmatch(rb'"[a-z]+";r=\d+;t=\d+', headers[b"ratelimit"])


def test_wrong_tokens_make_an_address_wait_and_a_right_one_ends_it() -> None:
    now = [100.0]
    wrong = Wrong(lambda: now[0])
    for _ in range(5):
        wrong.failed("a")
    assert wrong.wait_s("a") == 0 and wrong.wait_s("b") == 0
    wrong.failed("a")
    assert wrong.wait_s("a") == 2
    for _ in range(30):
        wrong.failed("a")
    assert wrong.wait_s("a") == 900
    now[0] += 900
    assert wrong.wait_s("a") == 0
    wrong.worked("a")
    wrong.failed("a")
    assert wrong.wait_s("a") == 0
    for number in range(1500):
        wrong.failed(str(number))
    assert len(wrong._seen) == 1000
