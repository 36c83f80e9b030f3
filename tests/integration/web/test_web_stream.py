"""The event stream over a socket, and the page's behaviour when the database goes away and comes back."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from webdesk import EVENT, Client, Desk, make_trade, set_price


class Tab:
    """An open stream: collects events by topic."""

    def __init__(self, client: Client, query: str = "") -> None:
        self.seen: dict[str, list[Any]] = {}
        self.ended = threading.Event()
        self._link = http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)
        self._link.request("GET", f"/api/stream{query}", headers={"Cookie": f"__Host-recio_session={client.cookie}"})
        self._answer = self._link.getresponse()
        self.status, self.kind = self._answer.status, self._answer.getheader("content-type", "")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        topic = ""
        try:
            for line in self._answer:
                if line.startswith(b"event: "):
                    topic = line[7:].strip().decode()
                elif line.startswith(b"data: "):
                    self.seen.setdefault(topic, []).append(json.loads(line[6:]))
        except (OSError, http.client.HTTPException, AttributeError):
            pass  # the connection was closed: that is what the test waits for
        self.ended.set()

    def wait(self, topic: str, number: int = 1, within_s: float = 8.0) -> Any:
        """The newest event of a topic once there are so many."""
        until_s = time.monotonic() + within_s
        while len(self.seen.get(topic, [])) < number:
            assert time.monotonic() < until_s, (
                f"no {topic} number {number} within {within_s} s; seen {sorted(self.seen)}"
            )
            time.sleep(0.01)
        return self.seen[topic][-1]

    def close(self) -> None:
        self._link.close()


@contextmanager
def tab(client: Client, query: str = "") -> Iterator[Tab]:
    opened = Tab(client, query)
    try:
        yield opened
    finally:
        opened.close()


def test_a_tab_gets_the_whole_picture_at_once_and_changes_as_they_are_told(desk: Desk) -> None:
    user = desk.user()
    with tab(user, "?series=KXBTCSIM") as one:
        assert one.status == 200 and one.kind.startswith("text/event-stream")
        assert one.wait("price")["price"]["price_e2"] == 11_860_000
        assert one.wait("table")["event_ticker"] == EVENT and len(one.wait("table")["rows"]) == 3
        assert one.wait("events")["events"][0]["event_ticker"] == EVENT
        assert one.wait("trades")["live"] == [] and one.wait("switches")["settings"]["kill_switch"]["on"] is False
        assert len(one.wait("status")["status"]["services"]) == 12 and one.wait("beat")["ok"] is True
        before = len(one.seen["price"])
        began = time.monotonic()
        set_price(desk.db, 11_900_000)
        assert one.wait("price", before + 1, 1.0)["price"]["price_e2"] == 11_900_000
        assert time.monotonic() - began < 0.5, "told, not polled"
        before = len(one.seen["trades"])
        trade_id = make_trade(desk.db, state="open")
        desk.db.notify("trade", trade_id)
        assert one.wait("trades", before + 1, 1.0)["live"][0]["trade_id"] == trade_id
        before = len(one.seen["switches"])
        user.ask("PUT", "/api/settings/kill_switch", {"on": True})
        assert one.wait("switches", before + 1, 1.0)["settings"]["kill_switch"]["on"] is True
        before = len(one.seen["table"])
        desk.db.run("UPDATE live_data.strike_tables SET rows = '[]'")
        desk.db.notify("strike_table", "ANOTHER-EVENT")
        desk.db.notify("strike_table", EVENT)
        assert one.wait("table", before + 1, 1.0)["rows"] == []


def test_a_beat_every_five_seconds_says_the_stream_lives(desk: Desk) -> None:
    with tab(desk.user()) as one:
        one.wait("beat", 2, 7.0)


def test_tabs_share_one_listener_and_choose_their_table(desk: Desk) -> None:
    user = desk.user()
    tabs = [Tab(user, f"?event={EVENT}") for _ in range(5)] + [Tab(user, "?event=KXNOTHING")]
    try:
        assert [t.wait("table")["event_ticker"] for t in tabs] == [EVENT] * 5 + ["KXNOTHING"]
        assert tabs[-1].wait("table")["rows"] == []
        listeners = desk.db.all("SELECT 1 FROM pg_stat_activity WHERE application_name = 'main_app stream'")
        assert len(listeners) == 1
    finally:
        for one in tabs:
            one.close()
    assert user.ask("GET", "/api/stream?event=%3Cx%3E").status == 422


def test_logging_out_ends_the_sessions_streams_only(desk: Desk) -> None:
    leaver, stayer = desk.user(), desk.user()
    with tab(leaver) as gone, tab(stayer) as kept:
        gone.wait("price")
        kept.wait("price")
        assert leaver.ask("DELETE", "/api/session").status == 200
        assert gone.ended.wait(3) and "bye" in gone.seen
        assert not kept.ended.is_set()


def test_the_page_survives_a_restart_of_the_database_and_says_so_meanwhile(desk: Desk) -> None:
    user = desk.user()
    with tab(user) as one:
        one.wait("price")
        desk.cluster.stop("immediate")
        try:
            down = user.ask("GET", "/api/price")
            assert (down.status, down.error) == (503, "database_unavailable"), down.body
            assert user.ask("GET", "/", Accept="text/html").status == 503
            assert desk.client().ask("GET", "/livez").status == 200
            beats = len(one.seen.get("beat", []))
            assert one.wait("beat", beats + 1, 7.0)["ok"] is False
        finally:
            desk.cluster.start()
        until_s = time.monotonic() + 8
        while user.ask("GET", "/api/price").status != 200:
            assert time.monotonic() < until_s, "the pool did not come back"
            time.sleep(0.1)
        until_s = time.monotonic() + 12
        while not one.seen["beat"][-1]["ok"]:
            assert time.monotonic() < until_s, "the stream did not come back"
            time.sleep(0.1)
        assert not one.ended.is_set(), "the tab kept its connection"
