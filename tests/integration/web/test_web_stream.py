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

from recio.store.db import Database


class Tab:
    """An open stream: collects events by topic."""

    def __init__(self, client: Client, query: str = "", **headers: str) -> None:
        self.seen: dict[str, list[Any]] = {}
        self.ids: list[int] = []
        self.ended = threading.Event()
        self._link = http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)
        sent = {"Cookie": f"__Host-recio_session={client.cookie}"} | {
            k.replace("_", "-"): v for k, v in headers.items()
        }
        self._link.request("GET", f"/api/stream{query}", headers=sent)
        self._answer = self._link.getresponse()
        self.status, self.kind = self._answer.status, self._answer.getheader("content-type", "")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        topic = ""
        try:
            for line in self._answer:
                if line.startswith(b"event: "):
                    topic = line[7:].strip().decode()
                elif line.startswith(b"id: "):
                    self.ids.append(int(line[4:]))
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
def tab(client: Client, query: str = "", **headers: str) -> Iterator[Tab]:
    opened = Tab(client, query, **headers)
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
        assert (
            one.wait("trades")["limits"]["meters"][0]["name"] == "max_daily_loss"
            and one.wait("trades")["limits"]["blocks"]
        )
        made = one.wait("switches")["automation"]
        assert made["entry"]["why"].startswith("Off:") and made["stop"]["why"].startswith("On:") and made["watch"] == []
        assert one.wait("table")["calibrated_by"] is None and one.wait("table")["rows"][0]["probability_low"] is None
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


def test_one_stream_carries_the_tables_of_several_tabs_and_none_when_none_is_shown(desk: Desk) -> None:
    user = desk.user()
    with tab(user, f"?event={EVENT}&series=KXBTCSIM&series=KXBTCD") as one:
        one.wait("table", 3)
        found = {table["for"]: table["event_ticker"] for table in one.seen["table"]}
        assert found == {f"event={EVENT}": EVENT, "series=KXBTCSIM": EVENT, "series=KXBTCD": ""}
        before = len(one.seen["table"])
        desk.db.notify("strike_table", EVENT)
        one.wait("table", before + 2, 1.0)
        assert {table["for"] for table in one.seen["table"][before : before + 2]} == {
            f"event={EVENT}",
            "series=KXBTCSIM",
        }
    with tab(user, "?tables=off") as none:
        none.wait("status")
        none.wait("beat", 2, 7.0)
        assert "table" not in none.seen and none.seen["beat"][-1]["streams"] == 1
        assert none.seen["beat"][-1]["mode"] == "simulated", "a page that shows another mode than this is loaded again"
    many = "&".join(f"event=E{number}" for number in range(17))
    assert user.ask("GET", f"/api/stream?{many}").status == 422


def _news(desk: Desk, trade_id: int, kind: str, age_s: float = 0.0, **detail: Any) -> None:
    desk.db.run(
        "INSERT INTO users.trade_events (user_id, trade_id, kind, detail, at)"
        " VALUES ('0001', %s, %s, %s, now() - make_interval(secs => %s))",
        (trade_id, kind, json.dumps(detail), age_s),
    )
    desk.db.notify("trade", trade_id)


def test_what_a_person_must_hear_of_is_told_once_and_replayed_to_who_comes_back(desk: Desk) -> None:
    user = desk.user()
    trade_id = make_trade(desk.db, state="open", entry_count_e2=500, entry_cost_e6=3_000_000)
    with tab(user) as one:
        assert one.wait("news")["items"] == []
        _news(desk, trade_id, "trade_open")
        said = one.wait("news", 2, 1.0)["items"]
        assert [(i["kind"], i["tone"], i["text"]) for i in said] == [("fill", "good", "Bought 5 YES 118,750 at 60¢.")]
        assert said[0]["href"] == f"/history/{trade_id}"
        last = one.ids[-1]
        assert said[0]["at_ms"] - 1 <= last == one.seen["news"][-1]["now_ms"]
        _news(desk, trade_id, "order_resting")
        _news(desk, trade_id, "exit_intent", source="web")
        one.wait("beat", 2, 7.0)
        assert len(one.seen["news"]) == 2, "nothing to hear of in these"
    # away: an order's answer is lost, an incident opens and is over; the database stays the only memory
    _news(desk, trade_id, "order_unknown", reason="timeout")
    desk.db.run(
        "INSERT INTO system.incidents (key, severity, cause, action, seen_by, closed_at)"
        " VALUES ('k', 'critical', 'the feed is silent', 'look at the network', 'test', now() + interval '1 ms')"
    )
    for how in ({"query": f"?since={last}"}, {"query": "?since=1", "Last_Event_ID": str(last)}):
        with tab(user, **how) as back:
            missed = back.wait("news")
            assert missed["since_ms"] == last and missed["whole"] is True
            new = [item for item in missed["items"] if item["key"] != said[0]["key"]]
            assert [item["kind"] for item in new] == ["error", "incident", "incident"]
            assert new[0]["text"].startswith("The exchange's answer to the order for YES 118,750 was lost.")
            assert new[1]["text"] == "Incident: the feed is silent. look at the network." and new[1]["tone"] == "bad"
            assert new[2]["text"] == "Over: the feed is silent."
    with tab(user) as stranger:
        assert "since_ms" not in stranger.wait("news"), "who was never here is told the newest, not a replay"
    with tab(user, Last_Event_ID="<script>") as odd:
        assert "since_ms" not in odd.wait("news")


def test_an_old_stranger_hears_of_half_a_day_at_most_and_is_told_when_there_is_more(desk: Desk) -> None:
    trade_id = make_trade(desk.db, state="closed", entry_count_e2=500, entry_cost_e6=3_000_000, pnl_e6=1_230_000)
    _news(desk, trade_id, "trade_closed", 13 * 3600)
    _news(desk, trade_id, "trade_closed", 11 * 3600)
    with tab(desk.user(), "?since=0") as one:
        told = one.wait("news")
        assert [item["text"] for item in told["items"]] == ["YES 118,750 closed: +$1.23 after fees."]
        assert told["whole"] is False, "what lies further back is not claimed to be all"


def test_the_status_bars_ages_come_with_the_status(desk: Desk) -> None:
    with tab(desk.user()) as one:
        vitals = one.wait("status")["vitals"]
        assert vitals["reconciled"] is None and vitals["reconciled_at_ms"] is None and vitals["incidents_open"] == 0
        assert abs(one.seen["status"][-1]["now_ms"] - vitals["book_at_ms"]) < 60_000


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
        while (back := user.ask("GET", "/api/price")).status == 503 and back.error == "database_unavailable":
            assert time.monotonic() < until_s, "the pool did not come back"
            time.sleep(0.1)
        assert back.error == "no_price", "live tables are not logged: after a crash the price is not known, and said so"
        again = Database("tests", desk.cluster.dsn("postgres"))
        set_price(again, 11_860_000)  # as the watchdog does once it is connected again
        again.close()
        assert user.ask("GET", "/api/price").status == 200
        until_s = time.monotonic() + 12
        while not one.seen["beat"][-1]["ok"]:
            assert time.monotonic() < until_s, "the stream did not come back"
            time.sleep(0.1)
        assert not one.ended.is_set(), "the tab kept its connection"
