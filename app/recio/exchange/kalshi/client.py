"""Kalshi over REST, synchronous and lean. Reads are retried; nothing that changes something ever is."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from recio.exchange.errors import ExchangeError, NotSent, OutcomeUnknown, Refused, Unavailable
from recio.exchange.http import HttpConnection, HttpResponse
from recio.exchange.kalshi import wire
from recio.exchange.kalshi.budget import BASIC, COST, COST_CANCEL, COST_ORDER_READ, AccountLimits, TokenBucket
from recio.exchange.kalshi.models import (
    Balance,
    CancelAck,
    ExchangeStatus,
    FillView,
    Market,
    NewOrder,
    OrderAck,
    OrderView,
    PositionView,
    SettlementView,
)
from recio.exchange.kalshi.signing import Signer, SigningKeyError
from recio.units import format_fixed, parse_fixed

__all__ = ["KalshiClient"]

T = TypeVar("T")

READ_ATTEMPTS = 3
BACKOFF_BASE_S = 0.2
THROTTLED_BASE_S = 0.5
LONGEST_READ_WAIT_S, LONGEST_WRITE_WAIT_S = 5.0, 1.0  # for our own token buckets
MAX_PAGES = 200
_QUICK_S = 2.0  # a slower answer says too little about the exchange's clock
WARM_S = 0.8  # with a call a second, well under recio.exchange.http.FRESH_FOR_POST_S
_ORDERS = "/portfolio/events/orders"
_GROUPS = "/portfolio/order_groups"
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError)  # what a parser of odd JSON can raise


class KalshiClient:
    """One account on one exchange. Not thread-safe: one per thread.

    Errors: see recio.exchange.errors. Reads raise Unavailable or Refused; create_order and cancel_order raise NotSent,
    Refused or OutcomeUnknown.
    """

    def __init__(
        self,
        rest_url: str,
        key_id: str,
        private_key_pem: bytes,
        timeout_s: float = 5.0,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        budget_share: float = 1.0,
    ) -> None:
        """``rest_url`` ends in /trade-api/v2. ValueError for a wrong one. The key is read at the first signed call.

        ``budget_share`` is this client's part of the account's token buckets: every process of an account draws on
        the same ones. They are Basic's until ``learn_limits`` was called.
        """
        self._http = HttpConnection(rest_url, timeout_s)
        self._signer = Signer(key_id, private_key_pem)
        self._clock, self._sleep, self._budget_share = clock, sleep, budget_share
        self._set_limits(BASIC)
        self.last_latency_ms: float | None = None
        self.clock_skew_s: float | None = None  # our clock minus the exchange's, +-0.5 s (Date holds whole seconds)
        self.last_signed_ok_s: float | None = None

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def keep_warm(self) -> None:
        """Keep the connection open for the next order: an unsigned read when it was idle for a second. Never raises,
        never repeats: whether the exchange answers is for others to judge."""
        if self._http.idle_s() > WARM_S and self._reads.reserve(COST, 0.0) is not None:
            with contextlib.suppress(ExchangeError):
                self._send("GET", "/exchange/status", None, signed=False)

    @property
    def sent_ns(self) -> int:
        """When the last request's bytes were handed to the kernel: the host's monotonic clock, nanoseconds."""
        return self._http.sent_ns

    # ------------------------------------------------------------------ market data (no key needed)
    def exchange_status(self) -> ExchangeStatus:
        """Whether the exchange runs and the crypto shard trades."""
        return _parsed(wire.exchange_status, self._get("/exchange/status", signed=False))

    def markets(self, series_ticker: str, status: str | None = None, min_close_ts: int | None = None) -> list[Market]:
        """All markets of a series. ``status`` is the filter's word: unopened, open, paused, closed or settled."""
        query = {"series_ticker": series_ticker, "status": status, "min_close_ts": min_close_ts}
        return [_parsed(wire.market, row) for row in self._pages("/markets", "markets", query, signed=False)]

    def market(self, ticker: str) -> Market:
        """One market. Refused with status 404 when there is none."""
        answer = self._get(f"/markets/{quote(ticker, safe='')}", signed=False)
        return _parsed(wire.market, answer.get("market"))

    # ------------------------------------------------------------------ orders
    def create_order(self, new: NewOrder) -> OrderAck:
        """Place an order, once. See recio.exchange.errors for what each failure means; ValueError: never sendable."""
        body = msgspec.json.encode(wire.new_order_body(new))
        answer = self._change("POST", _ORDERS, body)
        try:
            return wire.order_ack(answer, new.client_order_id)
        except _UNREADABLE as problem:
            raise OutcomeUnknown(f"POST {_ORDERS}: accepted, but the answer is unusable: {problem}") from problem

    def cancel_order(self, order_id: str, market_ticker: str) -> CancelAck:
        """Take an order off the book. ``market_ticker`` routes to the right shard: without it a live order reads 404.

        Refused with 404 was verified: the order is not among the resting ones (it was filled, cancelled or never was:
        ask ``order``). OutcomeUnknown when it still rests, or when that could not be found out. Never repeated.
        """
        path = f"{_ORDERS}/{quote(order_id, safe='')}?{urlencode({'market_ticker': market_ticker})}"
        try:
            answer = self._change("DELETE", path, None, COST_CANCEL)
        except Refused as refusal:
            if refusal.status == 404:
                self._confirm_gone(order_id, market_ticker, refusal)
            raise
        try:
            return CancelAck(str(answer.get("order_id") or order_id), parse_fixed(answer.get("reduced_by") or "", 2))
        except (ValueError, TypeError) as problem:
            raise OutcomeUnknown(f"DELETE {_ORDERS}: accepted, but the answer is unusable: {problem}") from problem

    def _confirm_gone(self, order_id: str, market_ticker: str, refusal: Refused) -> None:
        """A 404 to a cancel is believed only when the order is not listed as resting either."""
        try:
            rests = any(order.order_id == order_id for order in self.orders(status="resting"))
        except ExchangeError as problem:
            raise OutcomeUnknown(f"cancel of {order_id}: {refusal}, and the resting orders: {problem}") from problem
        if rests:
            raise OutcomeUnknown(f"cancel of {order_id} in {market_ticker!r}: HTTP 404, but the order still rests")

    def order(self, order_id: str) -> OrderView:
        """One order. Refused with status 404 when there is none *yet*: reads lag writes."""
        answer = self._get(f"/portfolio/orders/{quote(order_id, safe='')}", cost=COST_ORDER_READ)
        return _parsed(wire.order, answer.get("order"))

    def orders(
        self,
        ticker: str | None = None,
        min_ts: int | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> list[OrderView]:
        """Orders, newest first. ``limit`` ends the reading early; without it all pages are read."""
        query = {"ticker": ticker, "min_ts": min_ts, "status": status}
        rows: list[OrderView] = []
        for row in self._pages("/portfolio/orders", "orders", query, page_size=min(limit or 1000, 1000)):
            rows.append(_parsed(wire.order, row))
            if limit is not None and len(rows) >= limit:
                break
        return rows

    def order_by_client_id(
        self, client_order_id: str, ticker: str | None = None, min_ts: int | None = None
    ) -> OrderView | None:
        """The order placed with this client id, or None when the exchange does not list one *yet*: reads lag writes."""
        query = {"ticker": ticker, "min_ts": min_ts}
        for row in self._pages("/portfolio/orders", "orders", query):
            if not isinstance(row, dict):
                raise Unavailable(f"unreadable order from the exchange: {row!r:.80}")
            if row.get("client_order_id") == client_order_id:
                return _parsed(wire.order, row)
        return None

    # ------------------------------------------------------------------ order groups
    def create_order_group(self, limit_e2: int) -> str:
        """Open a group that stops itself when ``limit_e2`` contracts (x 100) trade in 15 seconds; gives its id.

        OutcomeUnknown may leave a group nobody uses; that harms nothing.
        """
        body = msgspec.json.encode({"contracts_limit_fp": format_fixed(limit_e2, 2)})
        answer = self._change("POST", f"{_GROUPS}/create", body)
        group_id = answer.get("order_group_id")
        if not isinstance(group_id, str) or not group_id:
            raise OutcomeUnknown(f"POST {_GROUPS}/create: an answer without order_group_id: {answer!r:.80}")
        return group_id

    def trigger_order_group(self, group_id: str) -> None:
        """Cancel the group's orders and take none until it is reset. Repeating it changes nothing."""
        self._change("PUT", f"{_GROUPS}/{quote(group_id, safe='')}/trigger", b"{}")

    def reset_order_group(self, group_id: str) -> None:
        """Open a stopped group again."""
        self._change("PUT", f"{_GROUPS}/{quote(group_id, safe='')}/reset", b"{}")

    def limit_order_group(self, group_id: str, limit_e2: int) -> None:
        """Give the group another limit, in contracts x 100."""
        body = msgspec.json.encode({"contracts_limit_fp": format_fixed(limit_e2, 2)})
        self._change("PUT", f"{_GROUPS}/{quote(group_id, safe='')}/limit", body)

    # ------------------------------------------------------------------ account
    def fills(self, min_ts: int | None = None, ticker: str | None = None) -> list[FillView]:
        """Our fills since ``min_ts`` (epoch seconds), newest first."""
        query = {"min_ts": min_ts, "ticker": ticker}
        return [_parsed(wire.fill, row) for row in self._pages("/portfolio/fills", "fills", query)]

    def positions(self) -> list[PositionView]:
        """Open positions."""
        rows = self._pages("/portfolio/positions", "market_positions", {"count_filter": "position"})
        return [_parsed(wire.position, row) for row in rows]

    def settlements(self, min_ts: int | None = None) -> list[SettlementView]:
        """What was settled since ``min_ts`` (epoch seconds), newest first."""
        rows = self._pages("/portfolio/settlements", "settlements", {"min_ts": min_ts})
        return [_parsed(wire.settlement, row) for row in rows]

    def balance(self) -> Balance:
        """Free cash and portfolio value."""
        return _parsed(wire.balance, self._get("/portfolio/balance"))

    def learn_limits(self) -> AccountLimits:
        """Ask for the account's rate limits and keep to this client's share of them from now on."""
        limits = _parsed(wire.account_limits, self._get("/account/limits"))
        self._set_limits(limits)
        return limits

    # ------------------------------------------------------------------ plumbing
    def _set_limits(self, limits: AccountLimits) -> None:
        share = self._budget_share
        self._reads = TokenBucket(limits.read_per_s * share, max(limits.read_capacity * share, COST))
        self._writes = TokenBucket(limits.write_per_s * share, max(limits.write_capacity * share, COST))

    def _send(self, method: str, path: str, body: bytes | None, signed: bool) -> HttpResponse:
        full_path = self._http.prefix + path
        headers = (lambda: self._signer.headers(method, full_path, self._clock())) if signed else None
        response = self._http.request(method, path, headers, body)
        self.last_latency_ms = response.latency_s * 1000
        if response.server_time_s is not None and (response.latency_s <= _QUICK_S or self.clock_skew_s is None):
            # The answer was stamped about half a round trip ago, and the stamp lost half a second on average.
            self.clock_skew_s = self._clock() - response.latency_s / 2 - (response.server_time_s + 0.5)
        if signed and 200 <= response.status < 300:
            self.last_signed_ok_s = self._clock()
        return response

    def _change(self, method: str, path: str, body: bytes | None, cost: int = COST) -> dict[str, Any]:
        """A request that changes something: sent once. Returns a 2xx answer's object."""
        where = f"{method} {path.partition('?')[0]}"
        wait_s = self._writes.reserve(cost, LONGEST_WRITE_WAIT_S)
        if wait_s is None:
            raise NotSent(f"{where}: this client's share of the account's write budget is spent for the next second")
        if wait_s:
            self._sleep(wait_s)
        try:
            response = self._send(method, path, body, signed=True)
        except SigningKeyError as problem:
            raise NotSent(f"{where}: {problem}") from problem
        if not 200 <= response.status < 300 and (not 400 <= response.status < 500 or response.status == 408):
            raise OutcomeUnknown(f"{where}: HTTP {response.status}: {response.body[:200]!r}")
        answer = _decode(response.body)
        if response.status == 429:
            self._writes.drain()
        if 400 <= response.status < 500:
            raise wire.refusal(response.status, response.body.decode(errors="replace") if answer is None else answer)
        if not isinstance(answer, dict):
            raise OutcomeUnknown(f"{where}: HTTP {response.status} with an unreadable body: {response.body[:200]!r}")
        return answer

    def _get(self, path: str, signed: bool = True, cost: int = COST) -> dict[str, Any]:
        """A read: up to three attempts with full jitter, each signed anew."""
        why, base_s = "", BACKOFF_BASE_S
        for attempt in range(READ_ATTEMPTS):
            wait_s = self._reads.reserve(cost, LONGEST_READ_WAIT_S)
            if wait_s is None:
                raise Unavailable(f"{why or 'GET ' + path.partition('?')[0]}: this client's read budget is spent")
            if attempt:
                wait_s += random.uniform(0, base_s * 2**attempt)  # noqa: S311 - jitter, not a secret
            if wait_s:
                self._sleep(wait_s)
            try:
                response = self._send("GET", path, None, signed)
            except (NotSent, OutcomeUnknown) as problem:
                why = problem.why
                continue
            except SigningKeyError as problem:
                raise Unavailable(f"GET {path.partition('?')[0]}: {problem}") from problem
            answer = _decode(response.body)
            if 200 <= response.status < 300 and isinstance(answer, dict):
                return answer
            why = f"GET {path.partition('?')[0]}: HTTP {response.status}: {response.body[:200]!r}"
            if response.status == 429:  # it never says when to come back
                base_s = THROTTLED_BASE_S
                self._reads.drain()
            if 400 <= response.status < 500 and response.status not in (408, 425, 429):
                raise wire.refusal(response.status, answer)
        raise Unavailable(f"{why} ({READ_ATTEMPTS} attempts at {self._http.base_url})")

    def _pages(
        self, path: str, key: str, query: dict[str, Any], signed: bool = True, page_size: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """Rows of every page. A repeated cursor is an error: a garbage one is served the first page for ever."""
        wanted = {name: value for name, value in query.items() if value is not None} | {"limit": page_size}
        cursor, seen = "", set[str]()
        for _ in range(MAX_PAGES):
            answer = self._get(f"{path}?{urlencode(wanted | ({'cursor': cursor} if cursor else {}))}", signed)
            rows = answer.get(key)
            if not isinstance(rows, list):
                raise Unavailable(f"GET {path}: no list {key!r} in the answer, only {sorted(answer)}")
            yield from rows
            cursor = str(answer.get("cursor") or "")
            if not cursor:
                return
            if cursor in seen:
                raise Unavailable(f"GET {path}: the exchange repeats cursor {cursor[:40]!r}; the list is not complete")
            seen.add(cursor)
        raise Unavailable(f"GET {path}: more than {MAX_PAGES} pages; narrow the question with min_ts or ticker")


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _parsed(parse: Callable[[dict[str, Any]], T], row: Any) -> T:
    """A row in our units. An unreadable row makes the read useless, never the row's thing absent."""
    try:
        if not isinstance(row, dict):
            raise TypeError(f"expected an object, got {row!r:.80}")
        return parse(row)
    except _UNREADABLE as problem:
        raise Unavailable(f"unreadable {parse.__name__} from the exchange: {problem}") from problem
