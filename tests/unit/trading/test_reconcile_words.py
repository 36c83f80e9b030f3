"""Differences in words, positions side by side, and what a reconciliation is worth now."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.trading.reconcile import ExchangeRecords, LedgerRecords, OrderRecord, reconcile
from recio.trading.reconcile_words import explain, side_by_side, state_of


def told(about: str, key: str, ledger: str, exchange: str) -> dict[str, str]:
    return {"about": about, "key": key, "ledger": ledger, "exchange": exchange, "why": "because"}


@pytest.mark.parametrize(
    ("difference", "title", "ledger", "exchange", "words"),
    [
        (told("balance", "cash", "10000000", "260000000"), "Cash", "$10.00", "$260.00", "holds $250.00 more"),
        (told("balance", "cash", "10000000", "9500000"), "Cash", "$10.00", "$9.50", "holds $0.50 less"),
        (told("balance", "cash", "0", "-1234567890"), "Cash", "$0.00", "−$1,234.57", "less"),
        (told("position", "T", "500", "-25"), "Position T", "5 YES", "0.25 NO", "Look at this market's fills"),
        (told("position", "T", "0", "100"), "Position T", "none", "1 YES", "not ours"),
        (told("fill", "f-1", "none", "300"), "Fill f-1", "none", "3 contracts", "does not know"),
        (told("fill", "f-1", "300", "none"), "Fill f-1", "3 contracts", "none", "does not list"),
        (told("fill", "f-1", "300", "200"), "Fill f-1", "3 contracts", "2 contracts", "not the same"),
        (told("order", "c", "none", "resting 0"), "Order c", "none", "resting, 0 filled", "cancel it first, on the Account page"),
        (told("order", "c", "filled 500", "none"), "Order c", "filled, 5 filled", "none", "does not list it"),
        (
            told("order", "c", "partially_filled 50", "filled 100"),
            "Order c", "partially filled, 0.5 filled", "filled, 1 filled", "looked up again",
        ),
    ],
)  # fmt: skip
def test_says_both_figures_with_their_units_and_what_to_do(
    difference: dict[str, str], title: str, ledger: str, exchange: str, words: str
) -> None:
    found = explain(difference)
    assert (found.title, found.ledger, found.exchange) == (title, ledger, exchange)
    assert words in f"{found.text} {found.cure}" and found.cure.endswith(".")


@pytest.mark.parametrize(
    "junk", ["a fill", {"x": 1}, None, 7, told("balance", "cash", "?", "9"), told("new", "k", "a", "b")]
)
def test_what_is_not_understood_is_shown_as_it_is(junk: Any) -> None:
    found = explain(junk)
    assert found.text and found.cure
    assert ("because" if isinstance(junk, dict) and "why" in junk else str(junk)) in found.text


@given(st.data())
def test_every_difference_reconciliation_can_find_has_words(data: Any) -> None:
    states = st.sampled_from(["resting", "filled", "cancelled", "partially_filled", "refused", "sending"])
    count, names = st.integers(0, 10**6), st.sampled_from(["a", "b", "c"])

    def orders() -> list[OrderRecord]:
        found = data.draw(st.dictionaries(names, st.tuples(states, count), max_size=3))
        return [
            OrderRecord(client_order_id=key, market_ticker="T", state=state, filled_e2=filled)
            for key, (state, filled) in found.items()
        ]

    def numbers(low: int) -> dict[str, int]:
        return dict(data.draw(st.dictionaries(names, st.integers(low, 10**6), max_size=3)))

    cash = st.integers(-(10**12), 10**12)
    found = reconcile(
        ExchangeRecords(orders=orders(), fills=numbers(1), positions=numbers(-(10**6)), balance_e6=data.draw(cash)),
        LedgerRecords(orders=orders(), fills=numbers(1), positions=numbers(-(10**6)), balance_e6=data.draw(cash)),
        10_000.0,
    )
    for one in found.differences:
        row = {"about": one.about, "key": one.key, "ledger": one.ledger, "exchange": one.exchange, "why": one.why}
        said = explain(row)
        assert said.text != one.why, f"{row} has no words of its own"
        assert said.ledger != said.exchange or one.about == "balance", row


def test_an_order_unknown_here_says_what_it_asked_for() -> None:
    order = {"book_side": "ask", "count_e2": 550, "yes_price_e4": 4_100}
    found = explain(told("order", "c", "none", "resting 0") | {"order": order, "market": "KX-1"})
    assert "(sells YES or buys NO: 5.5 with YES at $0.4100)" in found.text and found.market_ticker == "KX-1"
    odd = explain(told("order", "c", "none", "resting 0") | {"order": {"book_side": "bid"}})
    assert odd.text == "because", "kept in another form: shown as it was found"


def test_positions_side_by_side() -> None:
    rows = side_by_side(
        {"A": 500, "B": -100, "E": 0, "G": 7, "H": 100},
        {"A": 500, "C": 100, "D": 100, "E": 0, "G": 5, "H": 100},
        {"D", "H"},
    )
    assert [(r.market_ticker, r.exchange_e2, r.ledger_e2, r.differs, r.note) for r in rows] == [
        ("A", 500, 500, False, ""),
        ("B", -100, 0, True, "differs: the ledger has none of it"),
        ("C", 0, 100, True, "differs: the exchange has none of it"),
        ("D", 0, 100, False, "closed: the exchange has settled, its result comes next"),
        ("G", 7, 5, True, "differs by 0.02"),
        ("H", 100, 100, False, "closed, waits for its result"),
    ]
    unread = side_by_side(None, {"A": 100})
    assert [(r.exchange_e2, r.differs) for r in unread] == [(None, False)], "not read is not the same as none"


def test_what_a_reconciliation_is_worth() -> None:
    assert state_of(None, None, 180) == "never"
    assert state_of(True, 181, 180) == state_of(False, 181, 180) == "old"
    assert state_of(True, 180, 180) == "agree"
    assert state_of(False, 10, 180) == "differ"
