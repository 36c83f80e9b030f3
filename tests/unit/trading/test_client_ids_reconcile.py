"""Client order ids, and the comparison of ledger and exchange."""

from __future__ import annotations

import uuid

import pytest

from recio.trading.client_ids import client_order_id
from recio.trading.reconcile import ExchangeRecords, LedgerRecords, OrderRecord, Reconciliation, reconcile

NOW = 1_800_000_000.0


def test_an_id_is_a_function_of_what_the_order_is_for() -> None:
    first = client_order_id("simulated:0001:2026", 7, "entry", 0)
    assert first == client_order_id("simulated:0001:2026", 7, "entry", 0) == "51507348-0696-839f-8df7-43d6b3738239"
    assert uuid.UUID(first).version == 8
    ids = {
        client_order_id(space, trade, purpose, attempt)
        for space in ("a", "b")
        for trade in range(50)
        for purpose in ("entry", "exit")
        for attempt in range(5)
    }
    assert len(ids) == 2 * 50 * 2 * 5


@pytest.mark.parametrize(
    "arguments", [("", 1, "entry", 0), ("a", -1, "entry", 0), ("a", 1, "stop", 0), ("a", 1, "exit", -1)]
)
def test_an_id_for_nonsense_is_an_error(arguments: tuple[str, int, str, int]) -> None:
    with pytest.raises(ValueError, match=r"namespace|trade_id|purpose|attempt"):
        client_order_id(*arguments)


def order(name: str, state: str = "filled", filled: int = 100, changed: float = NOW - 60) -> OrderRecord:
    return OrderRecord(client_order_id=name, market_ticker="T", state=state, filled_e2=filled, changed_s=changed)


def compare(
    theirs: list[OrderRecord] | None = None,
    ours: list[OrderRecord] | None = None,
    fills: tuple[dict[str, int], dict[str, int]] = ({}, {}),
    positions: tuple[dict[str, int], dict[str, int]] = ({}, {}),
    balances: tuple[int | None, int | None] = (None, None),
    **ledger: object,
) -> Reconciliation:
    return reconcile(
        ExchangeRecords(orders=theirs or [], fills=fills[0], positions=positions[0], balance_e6=balances[0]),
        LedgerRecords(
            orders=ours or [],
            fills=fills[1],
            positions=positions[1],
            balance_e6=balances[1],
            **ledger,  # type: ignore[arg-type]
        ),
        NOW,
    )


def test_agreement_is_ok() -> None:
    same = [order("a"), order("b", "cancelled", 40)]
    found = compare(same, same, ({"f": 100}, {"f": 100}), ({"T": -5}, {"T": -5}), (1_000_000, 1_009_000))
    assert found.ok
    assert found == Reconciliation()


def test_a_failed_query_never_means_flat() -> None:
    nothing = ExchangeRecords(orders=None, fills=None, positions=None, balance_e6=None)
    found = reconcile(
        nothing, LedgerRecords(orders=[order("a")], fills={"f": 1}, positions={"T": 5}, balance_e6=1), NOW
    )
    assert not found.ok
    assert found.unread == ("orders", "fills", "positions", "balance")
    assert found.differences == ()


def test_differences_carry_both_numbers() -> None:
    found = compare(
        [order("foreign"), order("a", "filled", 100)],
        [order("a", "cancelled", 40), order("lost")],
        ({"f1": 100, "f2": 5}, {"f1": 60, "f3": 7}),
        ({"T": 100, "U": 3}, {"T": 50}),
        (5_000_000, 6_000_000),
    )
    told = {(d.about, d.key): (d.ledger, d.exchange) for d in found.differences}
    assert told == {
        ("order", "a"): ("cancelled 40", "filled 100"),
        ("order", "foreign"): ("none", "filled 100"),
        ("order", "lost"): ("filled 100", "none"),
        ("fill", "f1"): ("60", "100"),
        ("fill", "f2"): ("none", "5"),
        ("fill", "f3"): ("7", "none"),
        ("position", "T"): ("50", "100"),
        ("position", "U"): ("0", "3"),
        ("balance", "cash"): ("6000000", "5000000"),
    }
    assert all(d.why for d in found.differences)


def test_what_changed_a_moment_ago_waits() -> None:
    found = compare([order("a", changed=NOW - 1)], [], positions=({"T": 1}, {}), touched_s={"T": NOW - 2})
    assert found.ok
    assert found.waiting == ("order a", "position T")


def test_somebody_elses_order_needs_no_grace() -> None:
    theirs = ExchangeRecords(
        orders=[order("a", changed=NOW - 1), order("b", changed=NOW - 1)], fills={}, positions={}, balance_e6=None
    )
    found = reconcile(theirs, LedgerRecords(orders=[], fills={}, positions={}), NOW, foreign=["a", "gone"])
    assert [d.key for d in found.differences] == ["a"]
    assert found.waiting == ("order b",), "perhaps ours, and only read before it was written"


@pytest.mark.parametrize("state", ["intent", "sending", "unknown", "refused", "cancelled"])
def test_orders_that_need_not_be_there(state: str) -> None:
    assert compare([], [order("a", state, 0)]).ok
    assert not compare([], [order("a", state, 50)]).ok


def test_an_unknown_order_that_is_there_is_resolved_by_its_lookup() -> None:
    assert compare([order("a")], [order("a", "unknown", 0)]).ok
    assert compare([order("a", "resting", 0)], [order("a", "sending", 0)]).ok


def test_a_closed_market_may_be_paid_and_empty_but_not_other() -> None:
    assert compare(positions=({}, {"T": 100}), settling=frozenset({"T"})).ok
    assert not compare(positions=({"T": 40}, {"T": 100}), settling=frozenset({"T"})).ok
    assert not compare(positions=({}, {"T": 100})).ok


def test_the_edge_of_the_time_compared_may_be_in_one_list_only() -> None:
    assert compare([order("a")], [order("b")], ({"f": 1}, {"g": 1}), edge=frozenset("abfg")).ok
    assert not compare([order("a")], [order("a", filled=50)], edge=frozenset("a")).ok


def test_what_the_exchange_learnt_while_it_was_read_waits_too() -> None:
    exchange = ExchangeRecords(
        orders=[], fills={"f": 100}, positions={"T": 100}, balance_e6=5_000_000, touched_s={"T": NOW - 1}
    )
    found = reconcile(exchange, LedgerRecords(orders=[], fills={}, positions={}, balance_e6=5_600_000), NOW)
    assert found.ok
    assert found.waiting == ("fill f", "position T", "balance cash")


def test_a_balance_is_compared_once_no_market_awaits_its_result() -> None:
    assert compare(balances=(1_000_000, 3_000_000), settling=frozenset({"T"})).ok
    found = compare(balances=(1_000_000, 3_000_000))
    assert [(d.ledger, d.exchange) for d in found.differences] == [("3000000", "1000000")]
