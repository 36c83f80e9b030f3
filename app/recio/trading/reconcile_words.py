"""What a reconciliation found, in words: both figures with their units, what that may mean, what to do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec

from recio.units import format_fixed

__all__ = ["Side", "State", "Told", "explain", "side_by_side", "state_of"]

State = Literal["never", "old", "agree", "differ"]


class Told(msgspec.Struct, frozen=True):
    """One difference: what about, which one, both figures as people read them, what it means, what to do."""

    about: str
    title: str
    ledger: str
    exchange: str
    text: str
    cure: str
    market_ticker: str = ""


class Side(msgspec.Struct, frozen=True):
    """One market's position in both books: contracts x 100, + YES, - NO; None: not read."""

    market_ticker: str
    exchange_e2: int | None
    ledger_e2: int
    differs: bool
    note: str  # what to make of it; "": both are the same


def state_of(ok: bool | None, age_s: float | None, limit_s: float) -> State:
    """What the newest reconciliation is worth now: ``ok`` None: there was none; older than ``limit_s``: not known."""
    if ok is None or age_s is None:
        return "never"
    if age_s > limit_s:
        return "old"
    return "agree" if ok else "differ"


def side_by_side(
    theirs: Mapping[str, int] | None, ours: Mapping[str, int], settling: Collection[str] = ()
) -> list[Side]:
    """Every market that either side holds, by name. ``theirs`` None: the exchange was not read."""
    rows = []
    for ticker in sorted({*(theirs or {}), *ours}):
        mine, other = ours.get(ticker, 0), None if theirs is None else theirs.get(ticker, 0)
        if mine == 0 and not other:
            continue
        rows.append(_side(ticker, other, mine, ticker in settling))
    return rows


def _side(ticker: str, other: int | None, mine: int, settling: bool) -> Side:
    if other is None:
        return Side(ticker, other, mine, False, "not known: the exchange has not been read")
    if other == mine:
        return Side(ticker, other, mine, False, "closed, waits for its result" if settling else "")
    if settling and other == 0:
        return Side(ticker, other, mine, False, "closed: the exchange has settled, its result comes next")
    if mine == 0:
        return Side(ticker, other, mine, True, "differs: the ledger has none of it")
    if other == 0:
        return Side(ticker, other, mine, True, "differs: the exchange has none of it")
    return Side(ticker, other, mine, True, f"differs by {_count(abs(other - mine))}")


def explain(difference: Any) -> Told:
    """One of users.reconciliations.differences as people read it; what is not understood is shown as it is."""
    if not isinstance(difference, Mapping) or not {"about", "key", "ledger", "exchange", "why"} <= difference.keys():
        return Told(
            "other", "Not understood", "–", "–", str(difference), "Another release wrote this; compare by hand."
        )
    about, key = str(difference["about"]), str(difference["key"])
    ours, theirs, why = str(difference["ledger"]), str(difference["exchange"]), str(difference["why"])
    try:
        if about == "balance":
            return _balance(int(ours), int(theirs))
        if about == "position":
            return _position(key, int(ours), int(theirs))
        if about == "fill":
            return _fill(key, ours, theirs)
        if about == "order":
            told = _order(key, ours, theirs, _asked(difference.get("order")))
            return msgspec.structs.replace(told, market_ticker=str(difference.get("market", "")))
    except (ValueError, TypeError, KeyError):
        pass  # another release wrote it in another form: below, word for word
    return Told(about, f"{about.capitalize()} {key}", ours, theirs, why, "Compare both figures on the exchange's page.")


def _money(amount_e6: int) -> str:
    whole = (abs(amount_e6) + 5_000) // 10_000
    left, _, right = format_fixed(whole, 2).partition(".")
    return f"{'−' if amount_e6 < 0 and whole else ''}${int(left):,}.{right}"


def _count(count_e2: int) -> str:
    text = format_fixed(count_e2, 2)
    return text.rstrip("0").rstrip(".")


def _held(position_e2: int) -> str:
    return "none" if not position_e2 else f"{_count(abs(position_e2))} {'YES' if position_e2 > 0 else 'NO'}"


def _balance(ours: int, theirs: int) -> Told:
    more, rests = ("more", "") if theirs > ours else ("less", " An order resting there also holds cash back.")
    return Told(
        "balance", "Cash", _money(ours), _money(theirs),
        f"The exchange holds {_money(abs(theirs - ours))} {more} than fills, fees and results on record explain.{rests}",
        "A deposit, a withdrawal or a payment from outside: accept the balance and say which. Anything else: compare fills"
        " and settlements below with the exchange's own page before you trade on.",
    )  # fmt: skip


def _position(ticker: str, ours: int, theirs: int) -> Told:
    return Told(
        "position", f"Position {ticker}", _held(ours), _held(theirs),
        "The contracts held are not what the fills on record add up to.",
        "Look at this market's fills below: one marked “not ours” is of an order the ledger does not know: adopt it."
        " If none is, a fill is missing; it comes with the next reads, or kalshi_account_sync says why not.",
    )  # fmt: skip


def _fill(key: str, ours: str, theirs: str) -> Told:
    mine, other = (text if text == "none" else f"{_count(int(text))} contracts" for text in (ours, theirs))
    if ours == "none":
        text, cure = (
            "The exchange reports a fill of an order the ledger does not know, or one that was not read yet.",
            "Its order stands in this list too: `recio account adopt` takes both. Else it comes with the next reads.",
        )
    elif theirs == "none":
        text, cure = (
            "The ledger has a fill the exchange does not list any more.",
            "Compare the fill's id with the exchange's own page; the ledger keeps it.",
        )
    else:
        text, cure = (
            "The fill's count is not the same in both.",
            "Compare the fill's id with the exchange's own page; the ledger keeps what it first heard.",
        )
    return Told("fill", f"Fill {key}", mine, other, text, cure)


def _state(text: str) -> str:
    """'resting 500' -> 'resting, 5 filled'."""
    if text == "none":
        return "none"
    state, _, filled = text.rpartition(" ")
    return f"{state.replace('_', ' ')}, {_count(int(filled))} filled"


def _asked(order: Any) -> str:
    """' (buys YES, 5 at $0.60)': what an order unknown to the ledger asked for; "" where it was not kept."""
    if not isinstance(order, Mapping):
        return ""
    verb = "buys YES or sells NO" if order["book_side"] == "bid" else "sells YES or buys NO"
    price = f"${format_fixed(order['yes_price_e4'], 4)}"
    return f" ({verb}: {_count(order['count_e2'])} with YES at {price})"


def _order(key: str, ours: str, theirs: str, asked: str = "") -> Told:
    mine, other = _state(ours), _state(theirs)
    if ours == "none":
        text = (
            f"The exchange has an order the ledger does not know{asked}: placed elsewhere, or lost with the database's last"
            " seconds."
        )
        cure = (
            "`recio account adopt` on the host takes it into the ledger, as a trade that is held and protected like any"
            " other. If it still rests, cancel it first, on the Account page."
        )
    elif theirs == "none":
        text = "The ledger says this order reached the exchange; the exchange does not list it."
        cure = "Look for its id on the exchange's own page; `recio logs trade_executor` on the host says what was answered."
    else:
        text = "State or filled count of the order are not the same in both."
        cure = "It is looked up again by itself; if it stays, compare it with the exchange's own page."
    return Told("order", f"Order {key}", mine, other, text, cure)
