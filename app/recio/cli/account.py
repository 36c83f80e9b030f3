"""account: what the ledger expects the balance to be, and how a deposit or withdrawal is accepted."""

from __future__ import annotations

import getpass
import os
import sys
from typing import Annotated

import typer
from psycopg2.extras import Json

from recio.contract.settings import load_settings
from recio.store import account as store
from recio.store.db import Database

__all__ = ["account"]

account = typer.Typer(no_args_is_help=True)
_OLDEST_S = 60.0


@account.command("accept-balance")
def accept_balance(
    why: Annotated[str, typer.Option("--why", help="What moved the money, for example: deposit.")],
) -> None:
    """Take the present balance as right: only after a deposit, a withdrawal or a payment outside the desk."""
    if not why.strip():
        sys.exit("recio: say with --why what moved the money")
    db, mode = Database("recio account"), load_settings().mode
    row = db.one(
        "SELECT balance_e6, extract(epoch FROM now() - seen_at)::float8 AS age_s FROM users.balances WHERE mode = %s",
        (mode,),
    )
    if row is None or row["age_s"] > _OLDEST_S:
        sys.exit("recio: the balance has not been read within a minute; see `recio logs kalshi_account_sync`")
    cash_e6 = store.ledger_view(db, mode, 0.0)["cash_e6"]
    before = store.cash_anchor(db, mode)
    expected = "none" if before is None else f"{(before['balance_e6'] + cash_e6 - before['cash_e6']) / 1e6:.6f}"
    who = f"operator {os.environ.get('SUDO_USER') or getpass.getuser()}"
    told = {"ledger": expected, "exchange": f"{row['balance_e6'] / 1e6:.6f}", "why": why.strip()[:200]}
    with db.transaction():
        store.set_cash_anchor(db, mode, row["balance_e6"], cash_e6, f"{who}: {why.strip()[:200]}")
        db.run(
            "INSERT INTO users.audit_log (actor, action, detail) VALUES (%s, 'accept balance', %s)", (who, Json(told))
        )
    typer.echo(f"balance {told['exchange']} $ accepted; the ledger expected {expected} $")
