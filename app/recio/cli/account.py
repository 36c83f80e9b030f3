"""account: what the ledger expects the balance to be, how a deposit or withdrawal is accepted, and how an order is taken
back into the ledger that only the exchange knows."""

from __future__ import annotations

import getpass
import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from recio.contract.settings import load_settings
from recio.store import account_pages as store
from recio.store.account import foreign_orders
from recio.store.audit import audit_statement
from recio.store.db import Database
from recio.store.tickets import submit_adopt, wait_decided
from recio.trading.adopt import AdoptError, ForeignOrder, read_foreign
from recio.trading.balance import balance_facts, refusals

__all__ = ["account"]

account = typer.Typer(no_args_is_help=True)
_OLDEST_S = 120.0
_USER = "0001"


@account.command("accept-balance")
def accept_balance(
    why: Annotated[str, typer.Option("--why", help="What moved the money, for example: deposit.")],
) -> None:
    """Take the present balance as right: only after a deposit, a withdrawal or a payment outside the desk.

    Refused, as on the Account page, while orders or results are under way, when more than the balance differs, and when
    balance or reconciliation are too old.
    """
    why = " ".join(why.split())[:200]
    if not why:
        sys.exit("recio: say with --why what moved the money")
    db, mode = Database("recio account"), load_settings().mode
    facts = balance_facts(store.balance_facts(db, mode))
    against = refusals(facts)
    if against or facts.balance_e6 is None:
        sys.exit("recio: the balance is not accepted:\n" + "\n".join(f"  - {one.why}" for one in against))
    who = f"operator {os.environ.get('SUDO_USER') or getpass.getuser()}"
    store.accept_balance(db, mode, who, facts.balance_e6, facts.cash_e6, facts.expected_e6, why)
    expected = "none" if facts.expected_e6 is None else f"{facts.expected_e6 / 1e6:.6f}"
    typer.echo(f"balance {facts.balance_e6 / 1e6:.6f} $ accepted; the ledger expected {expected} $")


def _line(order: ForeignOrder) -> str:
    """One order as a person reads it: what was bought in terms of the book's YES side."""
    verb = "bought YES (or sold NO)" if order.book_side == "bid" else "bought NO (or sold YES)"
    when = datetime.fromtimestamp(order.created_s, UTC)
    return (
        f"  {order.client_order_id}  {when:%Y-%m-%d %H:%M:%S} UTC  {order.market_ticker}: {verb},"
        f" {order.filled_e2 / 100:g} of {order.count_e2 / 100:g} filled, YES at {order.yes_price_e4 / 10_000:.4f} $"
    )


@account.command("adopt")
def adopt(
    only: Annotated[str, typer.Option("--order", help="Only the order with this client order id.")] = "",
    trade: Annotated[
        int, typer.Option("--trade", help="With --order: the trade it closed, where that is not clear.")
    ] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take orders into the ledger that only the exchange knows: lost with a disk, or placed elsewhere. Sends nothing."""
    if trade and not only:
        sys.exit("recio: --trade needs --order: say which order closed that trade")
    db, mode = Database("recio account"), load_settings().mode
    try:
        age_s, rows = foreign_orders(db, mode)
        orders = [read_foreign(row) for row in rows if not only or row["client_order_id"] == only]
    except (LookupError, AdoptError) as wrong:
        sys.exit(f"recio: {wrong}")
    if age_s > _OLDEST_S:
        sys.exit(
            f"recio: ledger and exchange were last compared {age_s:.0f} s ago; `recio logs kalshi_account_sync` says why"
        )
    if not orders:
        typer.echo("the exchange has no order the ledger does not know" + (f" with the id {only}" if only else ""))
        return
    typer.echo(f"the exchange has {len(orders)} orders the ledger does not know:")
    for order in orders:
        typer.echo(_line(order))
    if not yes and not typer.confirm(
        "take them into the ledger, as trades that are held and protected like any other?"
    ):
        sys.exit("recio: nothing was changed")
    who = f"operator {os.environ.get('SUDO_USER') or getpass.getuser()}"
    refused = 0
    for order in orders:
        facts = msgspec.to_builtins(order)
        with db.transaction():
            ticket = submit_adopt(db, user_id=_USER, mode=mode, order=facts, trade_id=trade or None)
            db.run(*audit_statement(who, "adopt order", facts))
        decided = wait_decided(db, ticket.ticket_id, 10.0)
        if decided["state"] == "accepted":
            typer.echo(f"  {order.client_order_id}: trade {decided['trade_id']}")
        else:
            refused += 1
            why = decided["reason"] or "not decided yet; `recio status` says whether trade_manager works"
            typer.echo(f"  {order.client_order_id}: not adopted: {why}", err=True)
    if refused:
        sys.exit(f"recio: {refused} of {len(orders)} were not adopted; entries wait until ledger and exchange agree")
    typer.echo("the next reconciliation, within 30 s, says whether both agree now")
