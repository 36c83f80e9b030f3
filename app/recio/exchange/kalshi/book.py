"""Order books from snapshots and deltas, and the sequence check that says when to distrust them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from recio.exchange.kalshi.messages import BookDelta, BookSnapshot, ErrorFrame, Message, Unsubscribed
from recio.units import ONE_DOLLAR_E4

__all__ = ["Book", "Books", "SequenceTracker", "Verdict"]


class Verdict(Enum):
    """What a sequence number says about the frames before it."""

    OK = "ok"
    DUPLICATE = "duplicate"  # the same again: drop it
    GAP = "gap"  # something was lost: every market of the sid is stale
    RESET = "reset"  # counting started anew: every market of the sid is stale


class SequenceTracker:
    """Follows ``seq`` per ``sid`` of one connection. The exchange counts all frames of a sid, acks included."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._last: dict[int, int] = {}

    def track(self, sid: int, seq: int) -> Verdict:
        """Judge the next frame and remember it. A sid's first frame must be number 1; a later one is a gap."""
        last = self._last.get(sid, 0)
        if seq == last:
            return Verdict.DUPLICATE
        self._last[sid] = seq
        if seq == last + 1:
            return Verdict.OK
        return Verdict.GAP if seq > last else Verdict.RESET

    def reset(self) -> None:
        """A new connection: sids and numbers start over."""
        self._last.clear()


class Book:
    """One market's two ladders of bids. ``stale`` until a snapshot came, and again after a gap."""

    def __init__(self, market_ticker: str) -> None:
        """An empty, stale book."""
        self.market_ticker = market_ticker
        self.stale = True
        self.updated_s: float | None = None  # when we received the last frame that touched it
        self._yes: dict[int, int] = {}
        self._no: dict[int, int] = {}

    def apply_snapshot(self, snapshot: BookSnapshot, received_s: float | None = None) -> None:
        """Replace everything."""
        self._yes = {price: count for price, count in snapshot.yes if count > 0}
        self._no = {price: count for price, count in snapshot.no if count > 0}
        self.stale, self.updated_s = False, received_s

    def apply_delta(self, delta: BookDelta, received_s: float | None = None) -> None:
        """Change one level. A level that would go below zero means that the book has drifted: it becomes stale."""
        ladder = self._yes if delta.side == "yes" else self._no
        count = ladder.get(delta.price_e4, 0) + delta.delta_e2
        if count > 0:
            ladder[delta.price_e4] = count
        else:
            ladder.pop(delta.price_e4, None)
        if count < 0:
            self.stale = True
        self.updated_s = received_s

    def yes_bids(self) -> list[tuple[int, int]]:
        """YES bids, best (highest) first: (price_e4, count_e2)."""
        return sorted(self._yes.items(), reverse=True)

    def no_bids(self) -> list[tuple[int, int]]:
        """NO bids, best (highest) first, in NO prices: (price_e4, count_e2)."""
        return sorted(self._no.items(), reverse=True)

    @property
    def crossed(self) -> bool:
        """Whether the best bids of both sides add up to a dollar or more: impossible on the exchange."""
        return bool(self._yes and self._no) and max(self._yes) + max(self._no) >= ONE_DOLLAR_E4


class Books:
    """The books of one connection: joins Book and SequenceTracker.

    On a new connection call ``reset``; after ``apply`` look at ``stale_by_sid`` and send get_snapshot for those. A
    terminal error makes the books of its subscription stale: subscribe again. A market belongs to the subscription its
    last snapshot came by: with two subscriptions on it every change arrives twice, and counts once.
    """

    def __init__(self) -> None:
        """No books."""
        self._books: dict[str, Book] = {}
        self._sid_of: dict[str, int] = {}
        self._sequence = SequenceTracker()
        self._spoilt: set[str] = set()
        self.gaps = 0
        self.audits = 0  # snapshots compared with the book that our deltas had made
        self.drifts = 0  # of these, differed: a defect of ours or of the exchange
        self.last_drift = ""

    def get(self, market_ticker: str) -> Book | None:
        """The book of a market, stale or not; None when it was never subscribed."""
        return self._books.get(market_ticker)

    def apply(self, message: Message, received_s: float | None = None) -> Book | None:
        """Take in any frame of the connection; returns the book it changed. Deltas onto stale books are lost."""
        if message.sid is not None and message.seq is not None:
            verdict = self._sequence.track(message.sid, message.seq)
            if verdict is Verdict.DUPLICATE:
                return None
            if verdict is not Verdict.OK:
                self.gaps += 1
                self._mark_stale(message.sid)
        if isinstance(message, Unsubscribed) or (isinstance(message, ErrorFrame) and message.is_terminal):
            self._end(message.sid)
            return None
        if isinstance(message, BookSnapshot):
            book = self._books.setdefault(message.market_ticker, Book(message.market_ticker))
            is_audit = not book.stale and self._sid_of.get(message.market_ticker) == message.sid
            before = (book.yes_bids(), book.no_bids()) if is_audit else None
            if message.sid is not None:
                self._sid_of[message.market_ticker] = message.sid
            book.apply_snapshot(message, received_s)
            if before is not None:
                self._audit(book, before)
            return book
        if isinstance(message, BookDelta):
            known = self._books.get(message.market_ticker)
            if known is None or known.stale or self._sid_of.get(message.market_ticker) != message.sid:
                return None
            known.apply_delta(message, received_s)
            if known.stale:
                self._spoilt.add(message.market_ticker)
            return known
        return None

    def _audit(self, book: Book, before: tuple[list[tuple[int, int]], list[tuple[int, int]]]) -> None:
        """A snapshot comes in its place among the deltas: a whole book must equal it to the last contract."""
        self.audits += 1
        for side, ours, theirs in (("YES", before[0], book.yes_bids()), ("NO", before[1], book.no_bids())):
            if ours != theirs:
                self.drifts += 1
                level = next(iter(sorted(set(ours) ^ set(theirs), reverse=True)))
                self.last_drift = f"{book.market_ticker} {side}: {'ours' if level in ours else 'theirs'} has {level}"
                return

    def take_spoilt(self) -> set[str]:
        """Markets whose book became stale since the last call: whoever relies on them must hear it at once."""
        spoilt, self._spoilt = self._spoilt, set()
        return spoilt

    def stale_by_sid(self) -> dict[int, list[str]]:
        """Markets that need a snapshot, by the sid to ask with."""
        wanted: dict[int, list[str]] = {}
        for ticker, book in self._books.items():
            if book.stale and ticker in self._sid_of:
                wanted.setdefault(self._sid_of[ticker], []).append(ticker)
        return wanted

    def forget(self, market_tickers: Iterable[str]) -> None:
        """Drop the books of markets that ended."""
        for ticker in market_tickers:
            self._books.pop(ticker, None)
            self._sid_of.pop(ticker, None)
            self._spoilt.discard(ticker)

    def reset(self) -> None:
        """A new connection: every book is stale until its snapshot comes."""
        self._sequence.reset()
        self._sid_of.clear()
        for ticker in self._books:
            self._spoil(ticker)

    def _end(self, sid: int | None) -> None:
        """The subscription is over (None: nobody says which, so all are): its books are stale and nobody's to ask."""
        for ticker in [t for t, its_sid in self._sid_of.items() if sid is None or its_sid == sid]:
            self._spoil(ticker)
            del self._sid_of[ticker]

    def _mark_stale(self, sid: int) -> None:
        for ticker, its_sid in self._sid_of.items():
            if its_sid == sid:
                self._spoil(ticker)

    def _spoil(self, ticker: str) -> None:
        if not self._books[ticker].stale:
            self._books[ticker].stale = True
            self._spoilt.add(ticker)
