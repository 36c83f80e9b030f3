"""The ledger's arithmetic, with v2's mistakes by name."""

from __future__ import annotations

import pytest

from recio.trading.ledger import (
    Fill,
    Folded,
    LedgerError,
    closed_pnl_e6,
    fold_fills,
    pnl_if_closed_e6,
    settle,
    side_price_e4,
)


def fill(name: str, book_side: str, count: int, yes_price: int, fee: int = 0) -> Fill:
    return Fill(fill_id=name, book_side=book_side, count_e2=count, yes_price_e4=yes_price, fee_e6=fee)


def test_yes_is_bought_on_the_bid_side_and_wins_a_dollar() -> None:
    folded = fold_fills("yes", [fill("a", "bid", 300, 9400, 11_900), fill("b", "bid", 200, 9500, 6_700)])
    assert (folded.entry_count_e2, folded.entry_cost_e6, folded.fees_e6) == (500, 4_720_000, 18_600)
    assert folded.average_entry_e4 == 9440.0
    won = settle(folded, "yes", "yes")
    assert (won.payout_e6, won.pnl_e6) == (5_000_000, 5_000_000 - 4_720_000 - 18_600)
    lost = settle(folded, "yes", "no")
    assert (lost.payout_e6, lost.pnl_e6) == (0, -4_738_600)


def test_no_costs_a_dollar_less_the_yes_price() -> None:
    folded = fold_fills("no", [fill("a", "ask", 100, 400, 300)])
    assert (folded.entry_count_e2, folded.entry_cost_e6) == (100, 960_000)
    assert settle(folded, "no", "no").pnl_e6 == 1_000_000 - 960_000 - 300
    assert settle(folded, "no", "yes").pnl_e6 == -960_300


def test_selling_early_earns_its_proceeds() -> None:
    folded = fold_fills("no", [fill("a", "ask", 100, 400, 300), fill("b", "bid", 100, 5000, 17_500)])
    assert (folded.held_e2, folded.exit_proceeds_e6) == (0, 500_000)
    assert closed_pnl_e6(folded) == 500_000 - 960_000 - 17_800
    assert settle(folded, "no", "no") == settle(folded, "no", "yes")
    assert folded.average_exit_e4 == 5000.0


def test_sold_in_part_and_settled_in_part() -> None:
    folded = fold_fills("yes", [fill("a", "bid", 100, 9000), fill("b", "ask", 40, 8000)])
    done = settle(folded, "yes", "yes")
    assert (done.payout_e6, done.pnl_e6) == (600_000, 600_000 + 320_000 - 900_000)
    with pytest.raises(LedgerError, match="still holds 60"):
        closed_pnl_e6(folded)


def test_a_fill_told_twice_counts_once() -> None:
    """REST and WebSocket both tell of it."""
    twice = [fill("a", "bid", 100, 9000, 5), fill("a", "bid", 100, 9000, 5)]
    assert fold_fills("yes", twice) == fold_fills("yes", twice[:1])
    assert fold_fills("yes", twice[:1] * 3) == fold_fills("yes", twice[:1])
    with pytest.raises(LedgerError, match="'a' was reported twice and differently"):
        fold_fills("yes", [fill("a", "bid", 100, 9000), fill("a", "bid", 100, 9100)])


def test_two_trades_on_a_ticker_keep_their_own_quantities() -> None:
    """v2 closed the sum of both with each stop and turned a long position into a short one."""
    first = fold_fills("yes", [fill("a", "bid", 2000, 9400)])
    second = fold_fills("yes", [fill("b", "bid", 1000, 9600), fill("c", "ask", 1000, 3000)])
    assert (first.held_e2, second.held_e2) == (2000, 0)
    assert settle(first, "yes", "yes").payout_e6 == 20_000_000
    assert closed_pnl_e6(second) == 3_000_000 - 9_600_000


def test_netted_positions_are_no_losses() -> None:
    """YES and NO on one ticker net on the exchange and settle with revenue 0; each trade still has its own result."""
    yes = fold_fills("yes", [fill("a", "bid", 100, 4000)])
    no = fold_fills("no", [fill("b", "ask", 100, 4500)])
    by_result = {r: settle(yes, "yes", r).pnl_e6 + settle(no, "no", r).pnl_e6 for r in ("yes", "no")}
    assert by_result["yes"] == by_result["no"] == 1_000_000 - 400_000 - 550_000


def test_only_the_exchanges_result_decides_and_it_must_agree_with_its_value() -> None:
    folded = fold_fills("yes", [fill("a", "bid", 100, 9000)])
    assert settle(folded, "yes", "yes", 10_000).pnl_e6 == 100_000
    with pytest.raises(LedgerError, match="'yes' means a value of 10000, but settlement_value_e4 is 0"):
        settle(folded, "yes", "yes", 0)
    with pytest.raises(LedgerError, match="'pending'"):
        settle(folded, "yes", "pending")


def test_scalar_and_void_results() -> None:
    yes = fold_fills("yes", [fill("a", "bid", 100, 9000, 700)])
    no = fold_fills("no", [fill("b", "ask", 100, 9000, 700)])
    assert settle(yes, "yes", "scalar", 2500).payout_e6 == 250_000
    assert settle(no, "no", "scalar", 2500).payout_e6 == 750_000
    with pytest.raises(LedgerError, match="without a settlement value"):
        settle(yes, "yes", "scalar")
    with pytest.raises(LedgerError, match="10001"):
        settle(yes, "yes", "scalar", 10_001)
    assert settle(yes, "yes", "void").pnl_e6 == -700  # the cost comes back, the fee stays paid
    assert settle(no, "no", "void", 0).payout_e6 == 1_000_000
    assert settle(Folded(), "yes", "void").pnl_e6 == 0


def test_a_void_market_gives_back_what_the_rest_had_cost() -> None:
    folded = fold_fills("yes", [fill("a", "bid", 300, 9000), fill("b", "ask", 100, 9500)])
    assert settle(folded, "yes", "void").payout_e6 == 1_800_000


def test_selling_more_than_was_bought_is_seen_and_not_settled() -> None:
    short = fold_fills("yes", [fill("a", "bid", 100, 9000), fill("b", "ask", 150, 9000)])
    assert short.held_e2 == -50
    with pytest.raises(LedgerError, match="sold 150 and bought 100"):
        settle(short, "yes", "yes")


@pytest.mark.parametrize(
    "bad",
    [
        fill("x", "buy", 100, 9000),
        fill("x", "bid", 0, 9000),
        fill("x", "bid", -5, 9000),
        fill("x", "bid", 100, 10_001),
        fill("x", "bid", 100, -1),
    ],
)
def test_an_impossible_fill_is_named(bad: Fill) -> None:
    with pytest.raises(LedgerError, match="'x'"):
        fold_fills("yes", [bad])


def test_an_unknown_side_is_an_error() -> None:
    with pytest.raises(LedgerError, match="'long'"):
        fold_fills("long", [fill("a", "bid", 100, 9000)])
    with pytest.raises(LedgerError, match="'up'"):
        settle(Folded(), "up", "void")
    assert side_price_e4("no", 9500) == 500


def test_what_closing_now_would_earn() -> None:
    folded = fold_fills("yes", [fill("a", "bid", 100, 9000, 6_300)])
    assert pnl_if_closed_e6(folded, 950_000, 3_400) == 950_000 - 900_000 - 6_300 - 3_400
    assert Folded().average_entry_e4 is None
    assert Folded().average_exit_e4 is None
