"""A program's way to the desk: HTTPS with the host's own CA, a session cookie, the session's token on every change."""

from __future__ import annotations

import http.cookiejar
import json
import ssl
import time
import urllib.error
import urllib.request
import uuid
from typing import Any, NamedTuple

from remote import wait_for

SERIES = "KXBTCSIM"  # short markets: a whole trade fits into a test
FINISHED = ("closed", "expired", "error")


class Answer(NamedTuple):
    """Status and decoded body."""

    status: int
    body: Any

    @property
    def error(self) -> str:
        """The error's code, empty for a success."""
        return str(self.body["code"]) if isinstance(self.body, dict) and "cure" in self.body else ""


class Offer(NamedTuple):
    """Something the desk can buy now."""

    market_ticker: str
    side: str
    ask_e4: int
    close_s: float


class Desk:
    """One client with its own cookies."""

    def __init__(self, url: str, ca_file: str) -> None:
        self.url = url
        self.csrf = ""
        self._cookies = http.cookiejar.CookieJar()
        context = ssl.create_default_context(cafile=ca_file)
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context),
            urllib.request.HTTPCookieProcessor(self._cookies),
        )

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """One request; an error status is an answer too."""
        data = None if body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json", "X-CSRF-Token": self.csrf} | headers
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=given)  # noqa: S310
        try:
            with self._opener.open(request, timeout=20) as response:
                return Answer(response.status, json.loads(response.read() or b"null"))
        except urllib.error.HTTPError as error:
            text = error.read()
            return Answer(error.code, json.loads(text) if text.startswith(b"{") else text.decode(errors="replace"))

    def raw(self, path: str) -> bytes:
        """The bytes of a page or file that must be there."""
        with self._opener.open(self.url + path, timeout=20) as response:
            return bytes(response.read())

    def cookie_header(self) -> str:
        """The session as a Cookie header, for another connection."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._cookies)

    def get(self, path: str) -> Any:
        """The body of a GET that must succeed."""
        answer = self.call("GET", path)
        assert answer.status == 200, f"GET {path}: {answer}"
        return answer.body

    def log_in(self, login: str, password: str) -> Answer:
        """Open a session and keep its token."""
        answer = self.call("POST", "/api/session", {"login": login, "password": password})
        if answer.status == 200:
            self.csrf = answer.body["csrf_token"]
        return answer

    def offers(self, left_min_s: float = 20.0) -> list[Offer]:
        """What could be bought on the short markets, soonest and nearest to 50 cents first; a market only once."""
        traded = {trade["market_ticker"] for trade in self.get("/api/trades?state=all&limit=100")["trades"]}
        found = []
        for event in self.get("/api/events")["series"].get(SERIES, []):
            close_s = event["close_time_ms"] / 1000
            if close_s - time.time() < left_min_s:
                continue
            answer = self.call("GET", f"/api/strikes?event={event['event_ticker']}")
            fresh = answer.status == 200 and answer.body["age_s"] < 3
            for row in answer.body["rows"] if fresh else []:
                for side in ("yes", "no"):
                    ask = row[f"{side}_ask_e4"]
                    if ask is not None and 1500 <= ask <= 8500 and row["market_ticker"] not in traded:
                        found.append(Offer(row["market_ticker"], side, ask, close_s))
        return sorted(found, key=lambda offer: (round(offer.close_s), abs(offer.ask_e4 - 5000)))

    def wait_offer(self, left_min_s: float = 20.0, timeout_s: float = 60.0) -> Offer:
        """The best offer, as soon as there is one."""
        deadline = time.monotonic() + timeout_s
        while not (offers := self.offers(left_min_s)):
            assert time.monotonic() < deadline, f"no {SERIES} market with a usable price within {timeout_s:g} s"
            time.sleep(0.5)
        return offers[0]

    def buy(self, offer: Offer, count: str = "1", over_e4: int = 300, key: str = "", **changes: object) -> Answer:
        """A ticket for the offer, a few cents over its ask at most."""
        ticket = {
            "idempotency_key": key or f"test-{uuid.uuid4()}",
            "market_ticker": offer.market_ticker,
            "side": offer.side,
            "count": count,
            "limit_price": f"{min(9900, (offer.ask_e4 + over_e4) // 100 * 100) / 10_000:.4f}",
        }
        return self.call("POST", "/api/tickets", ticket | changes)

    def buy_filled(self, left_min_s: float = 15.0) -> dict[str, Any]:
        """Buy one contract, again while the price ran away before the order arrived; the open trade."""
        refused = []
        for _ in range(12):
            answer = self.buy(self.wait_offer(left_min_s))
            assert answer.status == 200, answer
            if answer.body["state"] == "accepted":
                trade = self.wait_entry(answer.body["trade_id"])
                if trade["entry_count_e2"]:
                    return trade
            refused.append(answer.body["reason"] or "nobody to trade with at its limit")
            time.sleep(1)
        raise AssertionError(f"twelve orders in a row found nobody to trade with: {refused}")

    def wait_entry(self, trade_id: int) -> dict[str, Any]:
        """The trade when it is no longer pending."""
        done: dict[str, Any] = wait_for(
            "the order's outcome", lambda: (trade := self.trade(trade_id))["state"] != "pending" and trade, 15
        )
        return done

    def trade(self, trade_id: int) -> dict[str, Any]:
        """A trade with its events, orders and fills."""
        found: dict[str, Any] = self.get(f"/api/trades/{trade_id}")
        return found
