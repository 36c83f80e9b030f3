"""Garbage over HTTP, signed or not: the simulator refuses it with a 4xx in JSON and lives on."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulator_process import Process

from recio.exchange.kalshi.signing import Signer

P = "/trade-api/v2"
PATHS = [
    "/exchange/status", "/series", "/series/KXBTCD", "/events", "/markets", "/markets/T", "/markets/T/orderbook", "/markets/trades",
    "/markets/orderbooks", "/portfolio/orders", "/portfolio/orders/o", "/portfolio/balance", "/portfolio/positions",
    "/portfolio/fills", "/portfolio/settlements", "/portfolio/events/orders", "/portfolio/events/orders/o", "/account/limits",
    "/portfolio/events/orders/batched", "/portfolio/events/orders/o/amend", "/portfolio/events/orders/o/decrease",
    "/portfolio/order_groups", "/portfolio/order_groups/create", "/portfolio/orders/queue_positions",
    "/series/KXBTCD/markets/T/candlesticks", "/markets/candlesticks",
]  # fmt: skip
COINBASE = ["/coinbase/time", "/coinbase/products/BTC-USD/ticker", "/coinbase/products/BTC-USD/candles", "/coinbase/ws"]
text = st.text(max_size=12) | st.sampled_from(
    ["1", "-1", "0", "1e9", "99999999999999999999", "nan", "T", "2026-11-23", "60"]
)
queries = st.dictionaries(
    st.sampled_from(
        ["limit", "cursor", "status", "ticker", "tickers", "event_ticker", "min_ts", "max_ts", "depth", "series_ticker", "granularity",
         "start", "end", "start_ts", "end_ts", "period_interval", "market_tickers", "min_close_ts", "market_ticker", "exchange_index"]
    ),
    text,
    max_size=4,
)  # fmt: skip
leaves = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | text
)
values: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
order = st.fixed_dictionaries(
    {
        "ticker": text | leaves,
        "side": st.sampled_from(["bid", "ask"]) | leaves,
        "count": st.sampled_from(["1.00", "0.001", "-0", "1e3"]) | leaves,
        "price": st.sampled_from(["0.5000", "0", "1", "0.00001"]) | leaves,
        "time_in_force": st.sampled_from(["good_till_canceled", "fill_or_kill"]) | leaves,
        "self_trade_prevention_type": st.sampled_from(["maker", "taker_at_cross"]) | leaves,
    },
    optional={"expiration_time": leaves, "client_order_id": leaves, "post_only": leaves, "exchange_index": leaves,
              "orders": values, "order_group_id": leaves, "contracts_limit": leaves, "reduce_by": leaves, "reduce_to": leaves},
)  # fmt: skip
bodies = (
    st.binary(max_size=60) | values.map(lambda v: json.dumps(v).encode()) | order.map(lambda v: json.dumps(v).encode())
)


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@pytest.mark.timeout(600)
@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    st.sampled_from([P + path for path in PATHS] + COINBASE) | text.map(lambda t: P + "/" + quote(t, safe="/")),
    queries,
    bodies,
    st.booleans(),
    st.sampled_from(["application/json", "text/plain", ""]),
)
def test_garbage_is_refused_politely(
    simulator: Process, method: str, path: str, query: dict[str, str], body: bytes, signed: bool, kind: str
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=10)
    headers = Signer("k", simulator.pem).headers(method, path, time.time()) if signed else {}
    url = path + ("?" + urlencode(query) if query else "")
    connection.request(
        method, url, body if method != "GET" else None, headers | ({"Content-Type": kind} if kind else {})
    )
    response = connection.getresponse()
    said = response.read()
    connection.close()
    assert response.status < 500, (response.status, said)
    if response.status != 204 and not path.startswith("/coinbase/ws"):
        json.loads(said)
    if path.startswith(f"{P}/portfolio") and not signed:
        assert response.status in (401, 404)


def test_headers_without_sense_are_401(simulator: Process) -> None:
    good = Signer("k", simulator.pem).headers("GET", f"{P}/portfolio/balance", time.time())
    for name, value in (
        ("KALSHI-ACCESS-TIMESTAMP", "9" * 4_000),
        ("KALSHI-ACCESS-TIMESTAMP", "-1"),
        ("KALSHI-ACCESS-TIMESTAMP", "1e3"),
        ("KALSHI-ACCESS-SIGNATURE", "%%%"),
        ("KALSHI-ACCESS-SIGNATURE", "AAAA"),
        ("KALSHI-ACCESS-KEY", "\xff"),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=10)
        connection.request("GET", f"{P}/portfolio/balance", headers=good | {name: value})
        response = connection.getresponse()
        assert response.status == 401 and "error" in json.loads(response.read())
        connection.close()
