"""account: what the ledger expects the balance to be, and how a deposit or withdrawal is accepted."""

from __future__ import annotations

import getpass
import os
import sys
from typing import Annotated

import typer

from recio.contract.settings import load_settings
from recio.store import account_pages as store
from recio.store.db import Database
from recio.trading.balance import balance_facts, refusals

__all__ = ["account"]

account = typer.Typer(no_args_is_help=True)


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
