"""account: what the ledger expects the balance to be, how a deposit or withdrawal is accepted, how an order is taken back into
the ledger that only the exchange knows, and how one that rests there is cancelled."""

from __future__ import annotations

import getpass
import os
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from recio.contract.settings import load_settings
from recio.store import account_pages as store
from recio.store.account import foreign_orders
from recio.store.audit import audit_statement
from recio.store.cancels import cancel_of_ticket
from recio.store.db import Database
from recio.store.tickets import submit_adopt, submit_cancel, wait_decided
from recio.trading.adopt import AdoptError, ForeignOrder, read_foreign
from recio.trading.balance import balance_facts, refusals
from recio.trading.cancel import UNDER_WAY, in_words

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


@account.command("cancel")
def cancel(
    order_id: Annotated[str, typer.Argument(help="The exchange's id of the order; without it they are listed.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait_s: Annotated[float, typer.Option("--wait", help="Seconds to wait for the exchange's answer.")] = 40.0,
) -> None:
    """Take an order off the exchange's book that rests there and is not this desk's. Works while the kill switch is on.

    Ends with 0 when it was taken off, with 1 when it was not or when that is not known yet.
    """
    db, mode = Database("recio account"), load_settings().mode
    try:
        age_s, rows = foreign_orders(db, mode)
        orders = {one.exchange_order_id: one for one in map(read_foreign, rows) if one.status == "resting"}
    except (LookupError, AdoptError) as wrong:
        sys.exit(f"recio: {wrong}")
    if not order_id:
        typer.echo(f"{len(orders)} orders rest that are not this desk's, by the comparison {age_s:.0f} s ago")
        for one in orders.values():
            typer.echo(_resting(one))
        return
    known = orders.get(order_id)  # whether it may be cancelled trade_manager decides, by what is on record then
    typer.echo(_resting(known) if known else f"  {order_id}: not among what rested {age_s:.0f} s ago")
    if not yes and not typer.confirm("cancel it? What has filled stays"):
        sys.exit("recio: nothing was changed")
    who = f"operator {os.environ.get('SUDO_USER') or getpass.getuser()}"
    made = submit_cancel(
        db, user_id=_USER, mode=mode, key=f"cancel-{uuid.uuid4()}", source="cli", order_id=order_id, actor=who
    )
    decided = wait_decided(db, made.ticket_id, 10.0)
    if decided["state"] != "accepted":
        why = decided["reason"] or "not decided yet; `recio status` says whether trade_manager works"
        sys.exit(f"recio: not cancelled: {why}")
    until_s = time.monotonic() + wait_s
    found = cancel_of_ticket(db, made.ticket_id)
    while (found is None or found["state"] in UNDER_WAY) and time.monotonic() < until_s:
        time.sleep(0.1)
        found = cancel_of_ticket(db, made.ticket_id)
    if found is None or found["state"] in UNDER_WAY:
        state, why = (found["state"], found["reason"]) if found else ("intent", "")
        sys.exit(
            f"recio: not known yet ({state}{': ' + why if why else ''}); trade_executor looks it up, the Account page tells"
        )
    if found["state"] != "cancelled":
        sys.exit(f"recio: not cancelled ({found['state']}): {found['reason']}")
    typer.echo(f"cancelled: {found['reason']}")


def _resting(order: ForeignOrder) -> str:
    when = datetime.fromtimestamp(order.created_s, UTC)
    return (
        f"  {order.exchange_order_id}  rests since {when:%Y-%m-%d %H:%M:%S} UTC  {order.market_ticker}:"
        f" {in_words(order.book_side, order.yes_price_e4, order.count_e2)}, {order.filled_e2 / 100:g} filled"
    )
