"""What a person must hear of, as sentences: fills, closes, refusals, lost answers, stops, incidents.

Nobody keeps a list of who heard what: an item's key never changes, a client says each key once, and after a lost
connection it asks for what came since the last it heard. The source is the ledger and the incidents, so a restart of
any process loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recio.web.view import cents, contracts, dollars, strike
from recio.web.wire import milliseconds

__all__ = ["OVERLAP_MS", "items"]

Row = Mapping[str, Any]
# An entry's time is its transaction's start; one that committed late lies before entries that were heard already.
OVERLAP_MS = 30_000


def items(trades: Sequence[Row], incidents: Sequence[Row], since_ms: int) -> list[dict[str, Any]]:
    """The items after ``since_ms``, oldest first: key, at_ms, kind (fill, close, error, stop, incident), tone, text, href.

    The rows come newest first, as the store gives them. Of one millisecond, what was written first stays first.
    """
    found = [item for row in reversed(trades) if (item := _trade(row)) is not None]
    for row in reversed(incidents):
        found += _incident(row, since_ms)
    return sorted(found, key=lambda item: item["at_ms"])


def _trade(row: Row) -> dict[str, Any] | None:
    what = f"{row['side'].upper()} {strike(row['strike_e2'])}"
    bought, why = row["entry_count_e2"], row["why"] or row["reason"] or "no reason was recorded"
    kind = row["kind"]
    if kind == "trade_open":
        average = cents(row["entry_cost_e6"] // bought) if bought else "an unknown price"
        said = ("fill", "good", f"Bought {contracts(bought)} {what} at {average}.")
    elif kind == "trade_closed" and bought:
        tone = "good" if (row["pnl_e6"] or 0) >= 0 else "bad"
        said = ("close", tone, f"{what} closed: {dollars(row['pnl_e6'], True)} after fees.")
    elif kind == "trade_closed":
        said = ("close", "", f"{what}: nothing bought. {_sentence(row['reason'] or why)}")
    elif kind == "trade_error":
        said = ("error", "bad", f"{what} failed: {_sentence(why)}")
    elif kind == "trade_expired":
        said = ("close", "", f"{what}: the market has closed; waiting for its result.")
    elif kind == "order_refused":
        said = ("error", "bad", f"Order for {what} refused: {_sentence(why)}")
    elif kind == "order_unknown":
        text = f"The exchange's answer to the order for {what} was lost. It is looked up; nothing is sent twice."
        said = ("error", "bad", text)
    elif row["source"] == "auto_stop":
        said = ("stop", "bad", f"Auto stop sells {what}.")
    else:
        return None  # an exit by hand: the user knows
    return _item(f"e{row['event_id']}", milliseconds(row["at"]), *said, f"/history/{row['trade_id']}")


def _incident(row: Row, since_ms: int) -> list[dict[str, Any]]:
    opened, closed, key = milliseconds(row["opened_at"]), row["closed_at"], row["incident_id"]
    found = []
    if opened > since_ms:
        tone = "bad" if row["severity"] == "critical" else "warn"
        cure = f" {_sentence(row['action'])}" if row["action"] else ""
        text = f"Incident: {_sentence(row['cause'])}{cure}"
        found.append(_item(f"i{key}", opened, "incident", tone, text, "/system"))
    if closed is not None and (over := milliseconds(closed)) > since_ms:
        found.append(_item(f"c{key}", over, "incident", "good", f"Over: {_sentence(row['cause'])}", "/system"))
    return found


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _item(key: str, at_ms: int, kind: str, tone: str, text: str, href: str) -> dict[str, Any]:
    return {"key": key, "at_ms": at_ms, "kind": kind, "tone": tone, "text": text, "href": href}
