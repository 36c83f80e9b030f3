"""trade: the desk from the command line, through the same tickets the page uses."""

from __future__ import annotations

import sys
import uuid
from typing import Annotated, Any

import msgspec
import typer

from recio.contract.settings import load_settings
from recio.store.db import Database
from recio.store.ledger import events_of_trade, orders_of_trade, trade_by_id
from recio.store.market_data import newest_price
from recio.store.tickets import submit_close, submit_open, wait_decided
from recio.units import format_fixed, parse_fixed

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


def _cents(price_e4: int | None) -> str:
    return "-" if price_e4 is None else f"{price_e4 / 100:g}c"


def _dollars(value_e6: int | None) -> str:
    return "-" if value_e6 is None else f"{format_fixed(round(value_e6 / 10_000), 2)}"


@app.command("markets")
def markets(
    series: Annotated[str, typer.Option(help="Only this series.")] = "",
    as_json: AsJson = False,
) -> None:
    """The strike tables of the open events, with model and book side by side."""
    db = Database("recio cli")
    rows = db.all(
        "SELECT *, extract(epoch FROM close_time - now())::float8 AS left_s,"
        " extract(epoch FROM now() - built_at)::float8 AS age_s FROM live_data.strike_tables"
        " WHERE close_time > now() AND (%(series)s = '' OR series_ticker = %(series)s) ORDER BY close_time, event_ticker",
        {"series": series},
    )
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
        return
    price = newest_price(db)
    if price is None:
        sys.exit("recio: no price yet; `recio status` says why")
    typer.echo(f"BTC {price['price_e2'] / 100:,.2f}  {price['age_s']:.1f} s old")
    for table in rows:
        typer.echo(f"\n{table['event_ticker']}  closes in {table['left_s']:.0f} s, table {table['age_s']:.1f} s old")
        typer.echo("  market                                    strike  model yes   YES ask   NO ask")
        for row in table["rows"]:
            chance = "-" if row["probability_yes"] is None else f"{100 * row['probability_yes']:.1f} %"
            typer.echo(
                f"  {row['market_ticker']:<40} {row['strike_e2'] / 100:>9,.2f} {chance:>9}"
                f" {_cents(row['yes_ask_e4']):>9} {_cents(row['no_ask_e4']):>8}"
            )


def _number(text: str, places: int, name: str, example: str) -> int:
    try:
        return parse_fixed(text, places)
    except ValueError as wrong:
        sys.exit(f"recio: {name}: {wrong}; for example {name} {example}")


@app.command("buy")
def buy(
    market: Annotated[str, typer.Argument(help="The market's ticker; `recio trade markets` lists them.")],
    side: Annotated[str, typer.Option(help="yes or no.")],
    count: Annotated[str, typer.Option(help="Contracts, for example 5.")],
    limit: Annotated[str, typer.Option(help="The most to pay for one, in dollars, for example 0.60.")],
    key: Annotated[str, typer.Option(help="Idempotency key; the same key never buys twice.")] = "",
    as_json: AsJson = False,
) -> None:
    """Buy, with a limit, immediately or not at all."""
    if side not in ("yes", "no"):
        sys.exit(f"recio: --side {side!r}; it is yes or no")
    count_e2, limit_e4 = _number(count, 2, "--count", "5"), _number(limit, 4, "--limit", "0.60")
    if not 0 < count_e2 <= 10_000_000 or not 0 < limit_e4 < 10_000:
        sys.exit("recio: --count is above 0 and at most 100000, --limit above 0 and below 1 dollar")
    settings, db = load_settings(), Database("recio cli")
    ticket = submit_open(
        db,
        user_id=settings.user_id,
        mode=settings.mode,
        key=key or f"cli-{uuid.uuid4()}",
        source="cli",
        market_ticker=market,
        side=side,
        count_e2=count_e2,
        limit_price_e4=limit_e4,
    )
    _decided(wait_decided(db, ticket.ticket_id, 5.0), as_json)


@app.command("close")
def close(
    trade_id: Annotated[int, typer.Argument(help="Which trade.")],
    limit: Annotated[str, typer.Option(help="The least to accept for one, in dollars; default the book's price.")] = "",
    key: Annotated[str, typer.Option(help="Idempotency key.")] = "",
    as_json: AsJson = False,
) -> None:
    """Sell what a trade still holds."""
    limit_e4 = _number(limit, 4, "--limit", "0.40") if limit else None
    settings, db = load_settings(), Database("recio cli")
    ticket = submit_close(
        db,
        user_id=settings.user_id,
        mode=settings.mode,
        key=key or f"cli-{uuid.uuid4()}",
        source="cli",
        trade_id=trade_id,
        limit_price_e4=limit_e4,
    )
    _decided(wait_decided(db, ticket.ticket_id, 5.0), as_json)


def _decided(ticket: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(ticket).decode())
    elif ticket["state"] == "accepted":
        typer.echo(f"accepted: trade {ticket['trade_id']}; `recio trade show {ticket['trade_id']}`")
    elif ticket["state"] == "refused":
        typer.echo(f"refused: {ticket['reason']}", err=True)
    else:
        typer.echo("not decided yet: trade_manager does not answer; nothing was sent, see `recio status`", err=True)
    raise typer.Exit(0 if ticket["state"] == "accepted" else 1)


@app.command("list")
def list_trades(
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many, newest first.")] = 20, as_json: AsJson = False
) -> None:
    """The newest trades."""
    settings, db = load_settings(), Database("recio cli")
    rows = db.all(
        "SELECT * FROM users.trades WHERE user_id = %s AND mode = %s ORDER BY trade_id DESC LIMIT %s",
        (settings.user_id, settings.mode, limit),
    )
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
        return
    typer.echo("   id  state    market                                   side  count   cost   fees    PnL  why")
    for row in rows:
        typer.echo(
            f"{row['trade_id']:>5}  {row['state']:<8} {row['market_ticker']:<40} {row['side']:<4} "
            f"{row['entry_count_e2'] / 100:>6g} {_dollars(row['entry_cost_e6']):>6} {_dollars(row['fees_e6']):>6} "
            f"{_dollars(row['pnl_e6']):>6}  {row['reason']}"
        )


@app.command("show")
def show(trade_id: Annotated[int, typer.Argument(help="Which trade.")], as_json: AsJson = False) -> None:
    """One trade with its log, orders and fills."""
    settings, db = load_settings(), Database("recio cli")
    key = (settings.user_id, trade_id)
    trade = trade_by_id(db, *key)
    if trade is None:
        sys.exit(f"recio: there is no trade {trade_id}; `recio trade list` shows them")
    found: dict[str, Any] = {
        "trade": trade,
        "events": events_of_trade(db, *key),
        "orders": orders_of_trade(db, *key),
        "fills": db.all(
            "SELECT f.* FROM users.fills f JOIN users.orders o USING (exchange_order_id)"
            " WHERE o.user_id = %s AND o.trade_id = %s ORDER BY f.filled_at",
            key,
        ),
    }
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    typer.echo(f"trade {trade_id}: {trade['state']} {trade['reason']}".rstrip())
    typer.echo(f"  {trade['side']} of {trade['market_ticker']}, closes {trade['close_time']:%Y-%m-%d %H:%M:%S} UTC")
    typer.echo(
        f"  bought {trade['entry_count_e2'] / 100:g} for {_dollars(trade['entry_cost_e6'])}, fees"
        f" {_dollars(trade['fees_e6'])}, result {trade['result'] or '-'}, PnL {_dollars(trade['pnl_e6'])} dollars"
    )
    for event in found["events"]:
        detail = ", ".join(f"{k} {v}" for k, v in event["detail"].items() if v not in ("", None))
        typer.echo(f"  {event['at']:%H:%M:%S.%f}  {event['kind']:<18} {detail}")
