"""canary: a whole trade by the machine itself, in simulated mode: buy, fill, settle, and the arithmetic checked."""

from __future__ import annotations

import sys
import time
import uuid
from typing import Annotated, Any

import typer

from recio.contract.settings import Settings, load_settings
from recio.store.db import Database
from recio.store.ledger import fills_of_trade, settlement_of, trade_by_id
from recio.store.tickets import submit_open, wait_decided
from recio.trading.ledger import Fill, fold_fills, settle

__all__ = ["canary"]

_SERIES = "KXBTCSIM"
# A deploy waits for this trade to settle, so it takes the market that closes first of those it can still buy. Late in a
# market's life, with most of its settlement minute known, prices are far from the middle; they settle no less right.
_LEFT_MIN_S = 8.0
_ASK_MIN_E4, _ASK_MAX_E4 = 300, 9500
Row = dict[str, Any]


def canary(
    timeout_s: Annotated[float, typer.Option(help="The whole trade must be settled within this.")] = 180.0,
) -> None:
    """Trade one contract on a short simulated market and check every figure; exit status 1 when anything is off."""
    settings = load_settings()
    if settings.mode != "simulated":
        sys.exit(f"recio: the canary trades by itself, so only in simulated mode; this desk is in mode {settings.mode}")
    db, began_s = Database("recio canary"), time.monotonic()
    trade_id, said = None, ""
    while time.monotonic() - began_s < timeout_s:
        if trade_id is None:
            trade_id, said = _buy(db, settings, said)
        else:
            trade = trade_by_id(db, settings.user_id, trade_id)
            assert trade is not None  # noqa: S101 - trades are never deleted
            line = f"trade {trade_id} {trade['state']} {trade['reason']}".rstrip()
            if line != said:
                typer.echo(f"{time.monotonic() - began_s:5.1f} s  {line}", err=True)
                said = line
            if trade["state"] == "error" and _never_tried(db, trade_id):
                trade_id = (
                    None  # a book was being renewed, or the market closed while the order was on its way: try again
                )
            elif trade["state"] == "error":
                sys.exit(f"recio: canary: {line}; `recio trade show {trade_id}`")
            elif trade["state"] == "closed":
                if trade["entry_count_e2"]:
                    _check(db, trade)
                    took = f"{time.monotonic() - began_s:.0f} s"
                    typer.echo(f"canary: {line}, PnL {trade['pnl_e6'] / 1e6:+.4f} dollars, in {took}")
                    return
                trade_id = None  # the price ran away before the order arrived: try again
        time.sleep(0.5)
    sys.exit(f"recio: canary: not settled within {timeout_s:.0f} s; last: {said or 'no market to buy'}")


def _buy(db: Database, settings: Settings, said: str) -> tuple[int | None, str]:
    """Buy one contract on the market that closes first, of the side nearest to even, three cents over its ask at most."""
    tables = db.all(
        "SELECT rows FROM live_data.strike_tables WHERE series_ticker = %s AND close_time > now() + %s * interval '1 s'"
        " AND built_at > now() - interval '5 s' ORDER BY close_time",
        (_SERIES, _LEFT_MIN_S),
    )
    found = next((choices for table in tables if (choices := _choices(table["rows"]))), None)
    if found is None:
        cents = f"{_ASK_MIN_E4 / 100:.0f}c and {_ASK_MAX_E4 / 100:.0f}c"
        return None, _tell(said, f"no {_SERIES} market with a price between {cents} yet")
    ask, market, side = min(found, key=lambda choice: abs(choice[0] - 5000))
    ticket = submit_open(
        db,
        user_id=settings.user_id,
        mode=settings.mode,
        key=f"canary-{uuid.uuid4()}",
        source="canary",
        market_ticker=market,
        side=side,
        count_e2=100,
        limit_price_e4=ask + 300,
    )
    decided = wait_decided(db, ticket.ticket_id, 5.0)
    if decided["state"] == "accepted":
        return int(decided["trade_id"]), said
    time.sleep(1.0)
    return None, _tell(said, f"ticket {decided['state']}: {decided['reason']}")


def _choices(rows: list[Row]) -> list[tuple[int, str, str]]:
    """What can be bought of a table's rows: (ask in 1/10,000 dollar, market, side)."""
    return [
        (row[f"{side}_ask_e4"], row["market_ticker"], side)
        for row in rows
        for side in ("yes", "no")
        if row[f"{side}_ask_e4"] is not None and _ASK_MIN_E4 <= row[f"{side}_ask_e4"] <= _ASK_MAX_E4
    ]


def _never_tried(db: Database, trade_id: int) -> bool:
    """Whether the exchange never judged the trade's order: the executor did not send it, or its market had just closed."""
    orders = db.all("SELECT state, reason, exchange_order_id FROM users.orders WHERE trade_id = %s", (trade_id,))
    return all(
        o["state"] == "refused"
        and o["exchange_order_id"] is None
        and (o["reason"].startswith("not sent:") or "MARKET_INACTIVE" in o["reason"])
        for o in orders
    )


def _tell(said: str, line: str) -> str:
    if line != said:
        typer.echo(line, err=True)
    return line


def _check(db: Database, trade: Row) -> None:
    """The booked result against the exchange's: fills, fee, payout and PnL worked out again from the evidence."""
    fills = [
        Fill(
            fill_id=f["fill_id"],
            book_side=f["book_side"],
            count_e2=f["count_e2"],
            yes_price_e4=f["yes_price_e4"],
            fee_e6=f["fee_e6"],
        )
        for f in fills_of_trade(db, trade["user_id"], trade["trade_id"])
    ]
    settlement = settlement_of(db, trade["mode"], trade["market_ticker"])
    if settlement is None:
        sys.exit(f"recio: canary: trade {trade['trade_id']} is closed but the exchange has no result for its market")
    folded = fold_fills(trade["side"], fills)
    done = settle(folded, trade["side"], settlement["result"], settlement["settlement_value_e4"])
    booked = (trade["entry_count_e2"], trade["entry_cost_e6"], trade["fees_e6"], trade["pnl_e6"], trade["result"])
    worked_out = (folded.entry_count_e2, folded.entry_cost_e6, folded.fees_e6, done.pnl_e6, settlement["result"])
    if booked != worked_out or folded.fees_e6 <= 0:
        sys.exit(f"recio: canary: booked {booked} (count, cost, fees, PnL, result), the evidence says {worked_out}")
