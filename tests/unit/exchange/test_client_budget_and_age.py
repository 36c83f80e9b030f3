"""The client's own token buckets, and connections whose frames get older."""

from __future__ import annotations

import pytest

from recio.exchange.age import AgeWatch, frame_time_s
from recio.exchange.errors import NotSent, Unavailable
from recio.exchange.kalshi import wire
from recio.exchange.kalshi.budget import TokenBucket
from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import NewOrder


def test_a_bucket_lines_requests_up_and_refills() -> None:
    now = [0.0]
    bucket = TokenBucket(100, 100, lambda: now[0])
    assert [bucket.reserve(10, 1.0) for _ in range(10)] == [0.0] * 10
    assert bucket.reserve(10, 1.0) == pytest.approx(0.1) and bucket.reserve(10, 1.0) == pytest.approx(0.2)
    assert bucket.reserve(100, 1.0) is None, "too long, and nothing is taken"
    now[0] = 0.3
    assert bucket.reserve(10, 1.0) == 0.0
    now[0] = 1_000.0
    assert [bucket.reserve(100, 0.0), bucket.reserve(1, 0.0)] == [0.0, None], "it never holds more than its capacity"
    now[0] = 2_000.0
    bucket.drain()
    assert bucket.reserve(10, 1.0) == pytest.approx(0.1)
    now[0] = 1_990.0  # a clock that goes back gives nothing away
    assert bucket.reserve(10, 1.0) == pytest.approx(0.2)
    for rate, capacity in ((0, 1), (1, 0), (-1, 1)):
        with pytest.raises(ValueError, match="positive"):
            TokenBucket(rate, capacity)


def test_a_client_without_budget_sends_nothing() -> None:
    client = KalshiClient("http://127.0.0.1:9/trade-api/v2", "k", b"", sleep=lambda s: None, budget_share=0.001)
    with pytest.raises(NotSent, match="cannot connect"):
        client.create_order(NewOrder("T", "bid", 100, 5_000, "c"))
    with pytest.raises(NotSent, match="write budget is spent"):
        client.create_order(NewOrder("T", "bid", 100, 5_000, "c2"))
    with pytest.raises(Unavailable, match=r"cannot connect.*read budget is spent"):
        client.balance()


def test_limits_are_read_or_refused() -> None:
    row = {"usage_tier": "premier", "grants": []} | {
        side: {"bucket_capacity": 2 * rate, "refill_rate": rate} for side, rate in (("read", 1000), ("write", 500))
    }
    limits = wire.account_limits(row)
    assert (limits.usage_tier, limits.read_per_s, limits.write_capacity) == ("premier", 1000, 1000)
    for wrong in ({}, row | {"read": {"refill_rate": 0, "bucket_capacity": 1}}, row | {"write": {"refill_rate": 1}}):
        with pytest.raises(ValueError, match=r"missing|tokens"):
            wire.account_limits(wrong)


@pytest.mark.parametrize(
    ("frame", "time_s"),
    [
        (b'{"type":"ticker","sending_ts_ms":1700000009999,"msg":{"ts":1700000001,"ts_ms":1700000001250}}', 1700000001.25),
        (b'{"type":"ticker","time":"2023-11-14T22:13:21.250000Z","price":"1"}', 1700000001.25),
        (b'{"type":"user_order","msg":{"created_ts_ms":1700000001250}}', None),
        (b'{"type":"cfbenchmarks_value","msg":{"data":"{\\"time\\":1700000001250}"}}', None),
        (b'{"time":"yesterday, or the day before"}', None),
        (b"\xff", None),
    ],
)  # fmt: skip
def test_a_frame_tells_its_time_or_not(frame: bytes, time_s: float | None) -> None:
    assert frame_time_s(frame) == time_s


def frame(at_s: float) -> bytes:
    return b'{"ts_ms":%d}' % int(at_s * 1000)


def test_growing_age_is_lag_and_a_constant_difference_of_clocks_is_not() -> None:
    base = 1_700_000_000.0
    skewed = AgeWatch(2.5)
    assert not any(skewed.see(frame(base + i), base + i + 40.0) for i in range(60))
    lagging = AgeWatch(2.5)
    lags = [lagging.see(frame(base + i), base + 2 * i) for i in range(12)]
    assert lags[:5] == [0.0] * 5 and lags[-1] > 2.5, "too old for 3 s on end"
    burst = AgeWatch(2.5)  # old pictures at the beginning, then the present
    assert not any(burst.see(frame(base - 500 + i), base) for i in range(100))
    assert not any(burst.see(frame(base + i), base + i + 0.1) for i in range(60))
    spike = AgeWatch(2.5)  # one late frame now and then
    assert not any(spike.see(frame(base + i - (5 if i % 3 == 1 else 0)), base + i) for i in range(60))
    assert AgeWatch(0).see(frame(base), base + 99) == 0.0
