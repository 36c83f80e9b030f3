"""The account as page and API show it: the exchange's word beside the ledger's, what differs, and whether a balance may be
taken as right. Lists are named by a cursor: ``<microseconds since 1970>.<id>`` of the last row seen."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Query

from recio.store import account, account_pages, cancels, web_queries
from recio.trading.adopt import AdoptError, read_foreign
from recio.trading.balance import BalanceFacts, balance_facts, refusals
from recio.trading.cancel import OLDEST_READING_S, UNDER_WAY, in_words
from recio.trading.reconcile_words import explain, side_by_side, state_of
from recio.web.desk import Desk
from recio.web.errors import ApiError

__all__ = ["Cursor", "Market", "Why", "accept", "cursor_of", "elsewhere", "facts_of", "mark_of", "picture", "words_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"([0-9]{1,16})\.([!-~]{1,100})")
Cursor = Annotated[str, Query(max_length=120, pattern=rf"^({_CURSOR.pattern})?$")]
Market = Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9.\-]*$")]
LONGEST_WHY = 200


def mark_of(cursor: str) -> tuple[datetime, str] | None:
    """The mark a cursor names; None for none. Raises ApiError 422 for what is no cursor."""
    if not cursor:
        return None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise ApiError(422, "invalid_before", f"before is {cursor!r}", "take next_before of the page before, as it is")
    return _EPOCH + timedelta(microseconds=int(found[1])), found[2]


def cursor_of(mark: tuple[datetime, str] | None) -> str | None:
    """The cursor of a mark, exact to the microsecond; None: there is no further page."""
    return None if mark is None else f"{(mark[0] - _EPOCH) // timedelta(microseconds=1)}.{mark[1]}"


def facts_of(desk: Desk) -> tuple[BalanceFacts, dict[str, Any]]:
    """What decides whether the balance may be accepted, and the row it was made of."""
    row = account_pages.balance_facts(desk.pool, desk.settings.mode)
    return balance_facts(row), row


def picture(desk: Desk, user_id: str) -> dict[str, Any]:
    """Everything about the account but the long lists."""
    mode, limits = desk.settings.mode, desk.user_settings(user_id)["risk"]["value"]
    found = web_queries.account(desk.pool, user_id, mode)
    facts, row = facts_of(desk)
    run, held = found["reconciliation"], account.ledger_positions(desk.pool, mode)
    since = account_pages.reconciled_since(desk.pool, mode)
    theirs = None if found["balance"] is None else {p["market_ticker"]: p["position_e2"] for p in found["positions"]}
    settling = {one["market_ticker"] for one in held if one["settling"]}
    entries = [one for one in found["resting_orders"] if one["purpose"] == "entry"]
    asked = cancels.newest_cancels(desk.pool, user_id, mode)
    return found | {
        "elsewhere": elsewhere(run, asked), "cancels": asked, "oldest_reading_s": OLDEST_READING_S,
        "limits": limits, "facts": facts, "anchor_at": row["anchor_at"], "against": refusals(facts), "since": since,
        "state": state_of(run and run["ok"], run and run["age_s"], limits["max_reconcile_age_s"]),
        "told": [explain(one) for one in run["differences"]] if run else [],
        "sides": side_by_side(theirs, {one["market_ticker"]: one["position_e2"] for one in held}, settling),
        "reserved_e6": sum((one["count_e2"] - one["acked_count_e2"]) * one["limit_price_e4"] for one in entries),
    }  # fmt: skip


def elsewhere(run: dict[str, Any] | None, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What rests on the exchange and is not this desk's, oldest first, by the last comparison: each order with ``words``,
    what it would do, ``rests_since``, and ``cancel``, the newest cancel of it that counts (None: there is none).

    An order whose cancel has ended well since that comparison rests no more; it is left out.
    """
    found = []
    newest = {one["exchange_order_id"]: one for one in reversed(asked)}
    for difference in run["differences"] if run else ():
        if not isinstance(difference, dict) or difference.get("about") != "order" or "order" not in difference:
            continue
        try:
            order = read_foreign(difference["order"])
        except AdoptError:
            continue  # told among the differences all the same
        if order.status != "resting":
            continue
        cancel = newest.get(order.exchange_order_id)
        if cancel is not None and cancel["state"] in ("cancelled", "gone"):
            if run is not None and cancel["done_at"] >= run["at"]:
                continue
            cancel = None
        found.append({
            "exchange_order_id": order.exchange_order_id, "client_order_id": order.client_order_id,
            "market_ticker": order.market_ticker, "book_side": order.book_side, "yes_price_e4": order.yes_price_e4,
            "count_e2": order.count_e2, "filled_e2": order.filled_e2,
            "words": in_words(order.book_side, order.yes_price_e4, order.count_e2),
            "rests_since": datetime.fromtimestamp(order.created_s, UTC), "cancel": cancel,
            "under_way": cancel is not None and cancel["state"] in UNDER_WAY,
        })  # fmt: skip
    return sorted(found, key=lambda one: one["rests_since"])


def words_of(cancel: dict[str, Any]) -> str:
    """What the order of a cancel would have done."""
    return in_words(cancel["book_side"], cancel["yes_price_e4"], cancel["count_e2"])


class Why(ValueError):
    """The reason given cannot be kept; the message says why."""


def accept(desk: Desk, login: str, why: str, balance_e6: int, cash_e6: int) -> None:
    """Take the balance that was looked at as right. Raises Why, or ApiError 409 with every reason against it."""
    why = " ".join(why.split())
    if not why or len(why) > LONGEST_WHY or not why.isprintable():
        raise Why(f"say in 1 to {LONGEST_WHY} characters what moved the money")
    facts, _ = facts_of(desk)
    if against := refusals(facts):
        raise ApiError(
            409, "balance_not_accepted", "; ".join(one.why for one in against),
            "nothing was changed; GET /api/account names what is in the way under ledger.refusals",
        )  # fmt: skip
    if facts.balance_e6 is None or (balance_e6, cash_e6) != (facts.balance_e6, facts.cash_e6):
        raise ApiError(
            409, "balance_not_accepted", "the balance or the ledger changed since you looked",
            "nothing was changed; look at the new figures and accept those",
        )  # fmt: skip
    account_pages.accept_balance(
        desk.pool, desk.settings.mode, login, facts.balance_e6, facts.cash_e6, facts.expected_e6, why
    )
