"""May the desk go to another mode? What that needs, each thing that is missing with its cure. No clock, no database, no host.

The page shows the answer before it is asked, main_app refuses by it, and root's worker asks it again before and after it has
stopped everything: between two of them a trade may have opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from recio.contract.settings import SUPPORTED

__all__ = ["LIVE_WORD", "MODES", "About", "Facts", "Missing", "live_gate", "missing", "said"]

LIVE_WORD = "LIVE"


class About(msgspec.Struct, frozen=True):
    """A mode in words: what it is, what it means for money, what it needs, what of it this release does not have."""

    what: str
    money: str
    needs: str
    lacks: tuple[str, ...] = ()


MODES: dict[str, About] = {
    "simulated": About(
        "Everything is on this machine: an exchange that speaks Kalshi's protocols, with prices, books, fills and results of its"
        " own.",
        "No money: what is won or lost is made up here.",
        "Nothing: the deploy makes its keys.",
    ),
    "paper": About(
        "The real market's prices and books; fills are computed here and ask that the market traded through the price.",
        "No money: nothing is sent to the exchange.",
        "A read-only key of the real exchange.",
        ("fills that are computed from the real book, with their own proof", "the feeds of the real exchange in this mode"),
    ),
    "demo": About(
        "Kalshi's demo exchange: real protocols, real latency, thin books; BTC's price comes from Coinbase.",
        "Play money of the exchange: orders are real there, the dollars are not.",
        "A key made on demo.kalshi.co.",
    ),
    "live": About(
        "Kalshi itself.",
        "Real money: every order can lose it.",
        f"A key of yours with trading rights, an edge that was shown; to switch: your password, a code of the second factor, and"
        f" the word {LIVE_WORD} typed.",
        (
            "reconciliation of a real account over weeks, transfers and shards included",
            "a strategy whose edge over the market's own price was shown after fees",
        ),
    ),
}  # fmt: skip


class Missing(msgspec.Struct, frozen=True):
    """One thing that keeps the desk from a mode: a word for programs, a sentence, the cure."""

    code: str
    detail: str
    cure: str


class Facts(msgspec.Struct, frozen=True):
    """What is known when a switch is considered. ``None`` is not known, and counts against the switch.

    ``installed``: the modes whose settings the deploy has put on this host. ``has_key``: the wanted mode's key is there.
    ``trades``: unfinished ones of the present mode (trade_id, state); ``orders``: how many by state that is not final.
    ``at_work``: what else changes the host now, as a noun ("a deploy", "backup now"); empty for nothing.
    """

    present: str
    installed: tuple[str, ...]
    has_key: bool | None
    trades: Sequence[Mapping[str, Any]] | None
    orders: Mapping[str, int] | None
    at_work: str = ""


def missing(wanted: str, facts: Facts) -> tuple[Missing, ...]:
    """Everything that keeps the desk from going to ``wanted`` now; empty when it may be asked for."""
    if wanted == facts.present:
        return (Missing("same_mode", f"this desk is in mode {wanted} already", "nothing needs to be done"),)
    if wanted not in SUPPORTED:
        return (_not_there(wanted),)
    found = []
    if wanted not in facts.installed:
        found.append(
            Missing(
                "not_installed", f"this host has no settings for mode {wanted}", "run the deploy (site.yml) once more"
            )
        )
    if wanted != "simulated" and not facts.has_key:
        detail = (
            f"there is no key for mode {wanted}"
            if facts.has_key is False
            else f"whether mode {wanted} has a key is not known"
        )
        found.append(
            Missing("no_key", detail, f"give the key of mode {wanted} under Settings, Exchange and mode first")
        )
    return (*found, *_open(facts), *_busy(facts))


def _not_there(wanted: str) -> Missing:
    about = MODES.get(wanted)
    why = f"it lacks {', and '.join(about.lacks)}" if about else "there is no such mode"
    return Missing(
        "not_there",
        f"this release does not trade in mode {wanted}: {why}",
        f"choose one of {', '.join(SUPPORTED)}",
    )


def _open(facts: Facts) -> list[Missing]:
    found = []
    if facts.orders is None or facts.trades is None:
        return [Missing("not_known", "what is open is not known: the database does not answer", "see the System page")]
    if facts.orders:
        states = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(facts.orders.items()))
        found.append(
            Missing(
                "orders", f"orders of mode {facts.present} are not finished ({states})",
                "let them end or cancel them; an unknown one is cleared up by asking the exchange, within a minute",
            )
        )  # fmt: skip
    if facts.trades:
        some = ", ".join(f"{trade['trade_id']} ({trade['state']})" for trade in facts.trades[:5])
        more = f" and {len(facts.trades) - 5} more" if len(facts.trades) > 5 else ""
        one = len(facts.trades) == 1
        found.append(
            Missing(
                "trades", f"{'trade' if one else 'trades'} {some}{more} of mode {facts.present} {'is' if one else 'are'} not over",
                "close them or wait for their settlement: in another mode nobody watches them",
            )
        )  # fmt: skip
    return found


def _busy(facts: Facts) -> list[Missing]:
    if not facts.at_work:
        return []
    return [Missing("at_work", f"{facts.at_work} is under way on this host", "wait until it has ended")]


def said(found: Sequence[Missing]) -> str:
    """All of it as one sentence without its full stop."""
    return "; ".join(one.detail for one in found)


def live_gate(recent: bool, code_taken: bool | None, word: str) -> Missing:
    """What stands between this request and real money, the first of it. ``code_taken``: None means no code was given.

    Always something: behind password, second factor and word stands that this release does not trade live.
    """
    if not recent:
        return Missing(
            "reauth_required",
            "real money wants your password, given within the last minutes",
            "confirm it is you, then ask again",
        )
    if not code_taken:
        what = (
            "no code of the second factor was given"
            if code_taken is None
            else "the code of the second factor is wrong or was used before"
        )
        return Missing(
            "code",
            what,
            "take the next one from your authenticator app; set the second factor up under Security if there is none",
        )
    if word != LIVE_WORD:
        return Missing("word", f"the word {LIVE_WORD} was not typed", f"type {LIVE_WORD} in capitals")
    return _not_there("live")
