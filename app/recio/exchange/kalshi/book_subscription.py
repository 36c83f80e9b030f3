"""Keeps one subscription of order books to the markets that are wanted; asks once and waits for the answer.

Asking again before the answer came would make a second subscription on the same markets: each change would arrive
twice. A busy exchange may answer after seconds, so only silence of ``ASK_AGAIN_S`` counts as "not heard". A snapshot
asked for twice does no harm: it is asked for again sooner, because its frame may be the very one that was lost.
A market's first snapshot comes when it is new to the subscription: when that frame was lost, nothing in the specification
says that adding it again brings one (the simulator sends none). So what is asked for again is added, in case that was lost,
and its snapshot asked for, which is promised whatever the subscription holds.
"""

from __future__ import annotations

from collections.abc import Iterable

from recio.exchange.kalshi.messages import BookSnapshot, ErrorFrame, Message, Subscribed
from recio.exchange.kalshi.subscribe import add_markets, delete_markets, get_snapshot, subscribe, unsubscribe

__all__ = ["ASK_AGAIN_S", "SNAPSHOT_AGAIN_S", "BookSubscription"]

ASK_AGAIN_S = 10.0
SNAPSHOT_AGAIN_S = 2.0
_CHANNEL = "orderbook_delta"


class BookSubscription:
    """Of one connection: the sid, the markets it has sent a snapshot of, and what was asked and not answered yet."""

    def __init__(self) -> None:
        """Nothing asked yet."""
        self._command = 1_000  # apart from the ids of the hello
        self.reset()

    def reset(self) -> None:
        """A new connection knows nothing of the old one's subscriptions."""
        self.sid: int | None = None
        self._subscribing_since_s: float | None = None
        self._asked_s: dict[str, float] = {}  # a market -> when its snapshot was asked for
        self._superfluous: set[int] = set()
        self.markets: set[str] = set()  # with a snapshot

    def take(self, message: Message) -> None:
        """Take in any frame of the connection."""
        if isinstance(message, Subscribed) and message.channel == _CHANNEL:
            if self.sid is not None and self.sid != message.sid:
                self._superfluous.add(self.sid)  # two answers after all: the newer one stays, its snapshots follow
            self.sid, self._subscribing_since_s = message.sid, None
        elif isinstance(message, BookSnapshot):
            self.markets.add(message.market_ticker)
            self._asked_s.pop(message.market_ticker, None)
        elif isinstance(message, ErrorFrame) and message.is_terminal and message.sid in (None, self.sid):
            self.reset()

    def commands(self, wanted: Iterable[str], stale: Iterable[str], now_s: float) -> list[bytes]:
        """What to send now (``now_s`` monotonic) so that ``wanted`` markets have books and ``stale`` ones new snapshots.

        A market asked for is not asked for again within ASK_AGAIN_S, a snapshot within SNAPSHOT_AGAIN_S.
        """
        goal = set(wanted)
        if self.sid is None:
            waiting = self._subscribing_since_s is not None and now_s - self._subscribing_since_s < ASK_AGAIN_S
            if waiting or not goal:
                return []
            self._subscribing_since_s = now_s
            self._ask(goal, now_s)
            return [subscribe(self._next(), [_CHANNEL], sorted(goal))]
        lines = [unsubscribe(self._next(), sorted(self._superfluous))] if self._superfluous else []
        self._superfluous.clear()
        less = sorted(self.markets - goal)
        if less:
            lines.append(delete_markets(self._next(), self.sid, less))
            self.markets -= set(less)
            self._asked_s = {ticker: at_s for ticker, at_s in self._asked_s.items() if ticker in goal}
        asked = set(self._asked_s)
        more = self._ask(goal - self.markets, now_s)
        if more:
            lines.append(add_markets(self._next(), self.sid, more))
        if lost := [ticker for ticker in more if ticker in asked]:
            lines.append(get_snapshot(self._next(), self.sid, lost))
        again = self._ask(set(stale) & self.markets, now_s, SNAPSHOT_AGAIN_S)
        if again:
            lines.append(get_snapshot(self._next(), self.sid, again))
        return lines

    def _ask(self, markets: set[str], now_s: float, again_s: float = ASK_AGAIN_S) -> list[str]:
        fresh = sorted(t for t in markets if now_s - self._asked_s.get(t, float("-inf")) >= again_s)
        self._asked_s |= dict.fromkeys(fresh, now_s)
        return fresh

    def _next(self) -> int:
        self._command += 1
        return self._command
