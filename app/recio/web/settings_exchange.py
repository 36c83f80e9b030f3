"""Exchange and mode: which exchange this desk trades on, whether its signature counts there, and what each mode asks for."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from recio.contract.settings import SUPPORTED
from recio.store import mode_queries
from recio.web.desk import desk_of, session_of

__all__ = ["MODES", "router"]

router = APIRouter(include_in_schema=False)

# mode -> (what it is, what it needs, what is missing from this release; empty: it can be used)
MODES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "simulated": (
        "Everything is on this machine: an exchange that speaks Kalshi's protocols, with prices, books, fills and results of its"
        " own. No money, no keys of yours.",
        "Nothing: the deploy makes its keys.",
        (),
    ),
    "paper": (
        "The real market's prices and books; fills are computed here and ask that the market traded through the price.",
        "A read-only key of the real exchange.",
        ("fills that are computed from the real book, with their own proof", "the feeds of the real exchange in this mode"),
    ),
    "demo": (
        "Kalshi's demo exchange, with play money of theirs: real protocols, real latency, thin books.",
        "A key made on demo.kalshi.co.",
        (),
    ),
    "live": (
        "Real money.",
        "A key of yours with trading rights, a second factor, an edge that was shown.",
        (
            "reconciliation of a real account over weeks, transfers and shards included",
            "a strategy whose edge over the market's own price was shown after fees",
        ),
    ),
}  # fmt: skip


def masked(key_id: str) -> str:
    """A key's id as it may be shown: its first eight characters."""
    return f"{key_id[:8]}…" if len(key_id) > 8 else key_id


@router.get("/settings/exchange")
def exchange_page(request: Request) -> Response:
    """The mode, the key's id, the last signed call, and what keeps the mode from being changed."""
    desk, session = desk_of(request), session_of(request)
    mode = desk.settings.mode
    return desk.page(request, "settings_exchange.html", {
        "modes": [{"name": name, "about": about, "needs": needs, "missing": missing, "can": name in SUPPORTED}
                  for name, (about, needs, missing) in MODES.items()],
        "key": masked(desk.settings.kalshi.key_id), "signed": mode_queries.signed(desk.pool, mode),
        "open": mode_queries.unfinished(desk.pool, session.user_id, mode),
    })  # fmt: skip
