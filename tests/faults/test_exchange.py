"""The exchange misbehaves in every way it knows while the desk buys: what was sent is found out, and nothing is sent twice."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from injury import Injury

ORDERS = "*/portfolio/events/orders"
# The exchange's own way, from its host only; a bare Debian has no curl.
ASK = (
    "import sys, urllib.request as u;"
    'u.urlopen(u.Request("http://127.0.0.1:8090/admin/faults", sys.stdin.buffer.read() or None, method=sys.argv[1]), timeout=9)'
)


class Case(NamedTuple):
    """A misbehaviour: the simulator's rows, for how long, and how the desk must show it."""

    number: str
    what: str
    rows: tuple[dict[str, Any], ...]
    for_s: float = 6.0
    blames: str = ""
    says: str = ""


CASES = (
    Case("16", "an order accepted whose answer never comes", ({"kind": "timeout_after", "path": ORDERS, "method": "POST", "count": 1},)),
    Case("16", "an order not accepted, and no answer", ({"kind": "timeout_before", "path": ORDERS, "method": "POST", "count": 1},)),
    Case("17", "500 after the order was accepted", ({"kind": "error_after", "path": ORDERS, "method": "POST", "status": 500, "count": 1},)),
    Case("17", "429 to every order", ({"kind": "rate_limited", "path": ORDERS, "method": "POST"},)),
    Case("17", "an answer that names no order", ({"kind": "no_order", "path": ORDERS, "count": 1},)),
    Case("19", "every frame told twice", ({"kind": "duplicate_frame"},), 8.0),
    Case("20", "frames out of order", ({"kind": "late_frame", "probability": 0.3},), 8.0),
    Case("22", "gaps in the sequence", ({"kind": "sequence_gap", "count": 5},), 8.0),
    Case("22", "frames lost", ({"kind": "drop_frame", "probability": 0.3},), 8.0),
    Case("23", "sockets that fall silent", ({"kind": "silent_socket"},), 25.0, blames="btc_price_watchdog|kalshi_api_watchdog"),
    Case("24", "connections cut again and again", ({"kind": "disconnect", "after_s": 0.3},), 15.0),
    Case("26", "the exchange's clock is 30 s ahead", ({"kind": "clock_skew", "offset_s": 30},), 20.0, blames="clock|signature|sign"),
    Case("28", "the exchange answers nothing but 503", ({"kind": "error_before", "status": 503},), 20.0, blames="kalshi_api_watchdog"),
    Case("29", "frames arrive late", ({"kind": "slow_frames", "delay_s": 0.4},), 15.0, blames="btc_price_watchdog|kalshi_api_watchdog"),
    Case("A3", "maintenance of trading", ({"kind": "maintenance", "scope": "trading"},), 15.0),
    Case("A3", "maintenance of the whole exchange", ({"kind": "maintenance", "scope": "exchange"},), 20.0, blames="kalshi_api_watchdog"),
    Case("A12", "portfolio reads of five seconds ago", ({"kind": "lagging_reads", "lag_s": 5},), 10.0),
    Case("A13", "no cash on the shard of these markets", ({"kind": "unfunded_shard"},)),
)  # fmt: skip
LONG = {
    "an order not accepted, and no answer", "frames lost", "connections cut again and again", "frames arrive late",
    "maintenance of trading", "portfolio reads of five seconds ago",
}  # fmt: skip


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=[pytest.mark.long] * (case.what in LONG), id=case.what.replace(" ", "-"))
        for case in CASES
    ],
)
def test_misbehaves(injury: Injury, case: Case) -> None:
    remote, desk = injury.remote, injury.desk
    with injury.watch(case.number, case.what, blames=case.blames, says=case.says) as seen:
        offer = desk.wait_offer(left_min_s=30)
        rows = json.dumps({"faults": case.rows}).replace("'", "")
        try:
            seen.inject(f"echo '{rows}' | python3 -c '{ASK}' PUT")
            answer = desk.buy(offer)
            assert answer.status in (200, 503), answer
            remote.out(f"sleep {case.for_s}")
        finally:
            seen.heal(f"python3 -c '{ASK}' DELETE </dev/null")


def test_cut_off_by_the_network(injury: Injury) -> None:
    """Packets are dropped without a word, both ways: no connection learns of it by itself."""
    drop = "nft 'add table inet cut { chain out { type filter hook output priority -200; tcp dport 8090 drop; }; }'"
    with injury.watch("28", "the exchange cut off by the network for 30 s", blames="kalshi_api_watchdog") as seen:
        offer = injury.desk.wait_offer(left_min_s=45)
        try:
            seen.inject(drop)
            injury.desk.buy(offer)
            injury.remote.out("sleep 30")
        finally:
            seen.heal("nft delete table inet cut")


def test_a_connection_that_answers_and_brings_no_book(injury: Injury) -> None:
    """Made while sockets are silent, it stays so: its answers to commands are no sign of life, and the desk leaves it by itself."""
    rows = json.dumps({"faults": [{"kind": "silent_socket", "duration_s": 10}]})
    with injury.watch("23", "a connection deaf from its first frame on", blames="^kalshi_api_watchdog: books") as seen:
        seen.inject(f"echo '{rows}' | python3 -c '{ASK}' PUT; systemctl restart --no-block recio-kalshi_api_watchdog")
