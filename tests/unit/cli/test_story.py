"""A trade's story: only its own lines, in time's order."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from recio.cli.story import journal_of, merged, names_it

ORDERS = [{"order_id": 4, "client_order_id": "r1-0001-12-entry-1", "exchange_order_id": None}]


def line(at_s: float, message: object, unit: str = "recio-trade_executor.service") -> str:
    return json.dumps({"MESSAGE": message, "__REALTIME_TIMESTAMP": str(int(at_s * 1e6)), "_SYSTEMD_UNIT": unit})


def test_lines_of_other_trades_are_not_its_own() -> None:
    wanted = names_it(12, 31, ORDERS)
    kept = [
        "trade trade_id=12 state=open", "trade 12: cannot close", "auto entry ticket_id=31 market=X", "order sent order_id=4",
        "unknown client_order_id=r1-0001-12-entry-1",
    ]  # fmt: skip
    others = ["trade trade_id=123 state=open", "order sent order_id=44", "ticket_id=310", "fills recorded new=1 of=1"]
    found = journal_of(
        [*(line(n, text) for n, text in enumerate([*kept, *others])), "no JSON", line(1, [82, 101])], wanted
    )
    assert [what for _, _, what in found] == kept
    assert {who for _, who, _ in found} == {"trade_executor"}


def test_ledger_and_journal_are_one_story() -> None:
    events = [
        {"at": datetime.fromtimestamp(1, UTC), "kind": "entry_intent", "detail": {"count_e2": 100, "reason": ""}},
        {"at": datetime.fromtimestamp(3, UTC), "kind": "order_filled", "detail": {}},
    ]
    journal = journal_of([line(2, "order sent order_id=4")], names_it(12, 31, ORDERS))
    assert [(who, what) for _, who, what in merged(events, journal)] == [
        ("ledger", "entry_intent count_e2=100"),
        ("trade_executor", "order sent order_id=4"),
        ("ledger", "order_filled"),
    ]
