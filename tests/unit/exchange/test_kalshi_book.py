"""Books and sequences: what makes a book untrustworthy, and what heals it."""

from __future__ import annotations

import msgspec

from recio.exchange.kalshi.book import Book, Books, SequenceTracker, Verdict
from recio.exchange.kalshi.book_subscription import BookSubscription
from recio.exchange.kalshi.messages import BookDelta, BookSnapshot, ErrorFrame, Ok, Subscribed


def snapshot(seq: int, ticker: str = "T", sid: int = 1) -> BookSnapshot:
    return BookSnapshot(
        sid=sid, seq=seq, market_ticker=ticker, clock=None, yes=((4_000, 300), (4_100, 200)), no=((5_500, 100),)
    )


def delta(seq: int, count: int, ticker: str = "T", price: int = 4_100, side: str = "yes") -> BookDelta:
    return BookDelta(
        sid=1, seq=seq, market_ticker=ticker, clock=None, side=side, price_e4=price, delta_e2=count, ts_s=None
    )


def test_deltas_are_changes_not_sizes() -> None:
    book = Book("T")
    assert book.stale
    book.apply_snapshot(snapshot(1), 10.0)
    book.apply_delta(delta(2, 50), 11.0)
    assert book.yes_bids() == [(4_100, 250), (4_000, 300)]
    book.apply_delta(delta(3, -250), 12.0)
    assert book.yes_bids() == [(4_000, 300)] and not book.stale and book.updated_s == 12.0
    book.apply_delta(delta(4, 70, price=5_600, side="no"))
    assert book.no_bids() == [(5_600, 70), (5_500, 100)] and not book.crossed
    book.apply_delta(delta(5, 70, price=6_000, side="no"))
    assert book.crossed


def test_a_level_below_zero_is_drift() -> None:
    book = Book("T")
    book.apply_snapshot(snapshot(1))
    book.apply_delta(delta(2, -201))
    assert book.stale and book.yes_bids() == [(4_000, 300)]


def test_sequence_verdicts() -> None:
    tracker = SequenceTracker()
    assert [tracker.track(1, seq) for seq in (1, 2, 2, 4, 5, 1)] == [
        Verdict.OK, Verdict.OK, Verdict.DUPLICATE, Verdict.GAP, Verdict.OK, Verdict.RESET,
    ]  # fmt: skip
    assert tracker.track(2, 1) is Verdict.OK
    assert tracker.track(3, 2) is Verdict.GAP
    tracker.reset()
    assert tracker.track(1, 1) is Verdict.OK


def test_a_gap_makes_every_market_of_the_sid_stale_until_its_snapshot() -> None:
    books = Books()
    for message in (snapshot(1, "A"), snapshot(2, "B"), snapshot(1, "C", sid=9)):
        assert books.apply(message) is not None
    assert books.apply(delta(4, 10, "A")) is None  # 3 was lost
    assert books.gaps == 1 and books.stale_by_sid() == {1: ["A", "B"]}
    assert books.apply(snapshot(5, "A")) is not None
    assert books.stale_by_sid() == {1: ["B"]}
    changed = books.apply(delta(6, 10, "A"))
    assert changed is not None and changed.yes_bids()[0] == (4_100, 210)


def test_acks_count_duplicates_do_not_and_a_reset_forgets() -> None:
    books = Books()
    books.apply(snapshot(1))
    books.apply(Ok(sid=1, seq=2))
    assert books.apply(delta(3, 10)) is not None
    assert books.apply(delta(3, 10)) is None
    book = books.get("T")
    assert book is not None and book.yes_bids()[0] == (4_100, 210) and books.gaps == 0
    books.reset()
    assert book.stale and books.stale_by_sid() == {}  # a new connection brings its own snapshots
    books.forget(["T"])
    assert books.get("T") is None


def test_two_subscriptions_on_a_market_do_not_count_a_change_twice() -> None:
    books = Books()
    books.apply(snapshot(1, sid=1))
    books.apply(snapshot(1, sid=2))  # a second subscription: the newer snapshot's is the one that counts
    assert books.apply(delta(2, 10)) is None
    changed = books.apply(msgspec.structs.replace(delta(2, 10), sid=2))
    assert changed is not None and changed.yes_bids()[0] == (4_100, 210)


def test_who_relies_on_a_book_hears_at_once_that_it_is_spoilt() -> None:
    books = Books()
    for message in (snapshot(1, "A"), snapshot(2, "B")):
        books.apply(message)
    assert books.take_spoilt() == set()
    books.apply(delta(4, 10, "A"))  # 3 was lost: B is as doubtful as A
    assert books.take_spoilt() == {"A", "B"} and books.take_spoilt() == set()
    books.apply(snapshot(5, "A"))
    books.apply(delta(6, -999, "A"))  # below zero
    assert books.take_spoilt() == {"A"}
    books.apply(snapshot(7, "A"))
    books.reset()
    assert books.take_spoilt() == {"A"}  # B was stale already


def test_a_snapshot_proves_the_book_or_shows_the_drift() -> None:
    books = Books()
    books.apply(snapshot(1))
    books.apply(snapshot(2))
    assert (books.audits, books.drifts) == (1, 0)
    books.apply(delta(3, 10))
    changed = books.apply(snapshot(4))  # says 200 at 0.41, our deltas said 210
    assert (books.audits, books.drifts) == (2, 1) and books.last_drift == "T YES: ours has (4100, 210)"
    assert changed is not None and changed.yes_bids()[0] == (4_100, 200)  # theirs holds
    books.reset()
    books.apply(snapshot(1))
    assert books.audits == 2  # a stale book is not compared


def said(lines: list[bytes]) -> list[tuple[str, object]]:
    """(what, markets or sids) of each command."""
    found = []
    for line in lines:
        params = msgspec.json.decode(line)["params"]
        what = params.get("action") or msgspec.json.decode(line)["cmd"]
        found.append((what, params.get("market_tickers") or params["sids"]))
    return found


def test_a_subscription_is_asked_for_once_however_slow_the_answer() -> None:
    subscription = BookSubscription()
    assert said(subscription.commands({"A"}, (), 0.0)) == [("subscribe", ["A"])]
    assert subscription.commands({"A", "B"}, (), 9.9) == []
    assert said(subscription.commands({"A"}, (), 10.1)) == [("subscribe", ["A"])]  # not heard at all: ask again
    subscription.take(Subscribed(channel="orderbook_delta", sid=1))
    subscription.take(snapshot(1, "A"))
    subscription.take(Subscribed(channel="orderbook_delta", sid=2))  # heard twice after all
    assert said(subscription.commands({"A"}, (), 10.2)) == [("unsubscribe", [1])]
    subscription.take(snapshot(1, "A", sid=2))
    assert said(subscription.commands({"A", "B"}, (), 10.3)) == [("add_markets", ["B"])]
    assert subscription.commands({"A", "B"}, (), 15.0) == []  # B's snapshot is on its way
    subscription.take(snapshot(2, "B", sid=2))
    assert said(subscription.commands({"B"}, ("B",), 15.1)) == [("delete_markets", ["A"]), ("get_snapshot", ["B"])]
    assert subscription.commands({"B"}, ("B",), 16.0) == []
    assert said(subscription.commands({"B"}, ("B",), 17.2)) == [("get_snapshot", ["B"])]
    subscription.take(ErrorFrame(code=25, text="", sid=2))
    assert said(subscription.commands({"B"}, (), 17.3)) == [("subscribe", ["B"])]


def test_a_first_snapshot_that_was_lost_is_asked_for_itself() -> None:
    subscription = BookSubscription()
    subscription.commands({"A", "B"}, (), 0.0)
    subscription.take(Subscribed(channel="orderbook_delta", sid=1))
    subscription.take(snapshot(1, "A"))  # B's frame was lost
    assert said(subscription.commands({"A", "B", "C"}, (), 9.0)) == [("add_markets", ["C"])]
    subscription.take(snapshot(3, "C"))
    assert said(subscription.commands({"A", "B", "C"}, (), 10.0)) == [("add_markets", ["B"]), ("get_snapshot", ["B"])]
    assert subscription.commands({"A", "B", "C"}, (), 19.0) == []
    subscription.take(snapshot(4, "B"))
    assert subscription.commands({"A", "B", "C"}, (), 30.0) == []
