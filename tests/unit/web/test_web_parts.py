"""The wire, the slots of a tab, static files, settings as values, the CSV."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from recio.trading.settings import SettingError
from recio.web.csv_lines import heading, lines
from recio.web.errors import ApiError
from recio.web.history_filter import moment
from recio.web.hub import Hub, Subscriber, Want, frame
from recio.web.static import Static, templates_folder
from recio.web.switches import checked, complete
from recio.web.wire import encode, wire


def test_times_go_out_as_milliseconds_and_numbers_as_numbers() -> None:
    row = {
        "created_at": datetime(2026, 1, 1, tzinfo=UTC), "at": datetime(2026, 1, 1, tzinfo=UTC), "closed_at": None,
        "n": Decimal(3), "x": Decimal("0.5"), "pnl_e6": None, "close_time": None,
    }  # fmt: skip
    assert wire(row) == {
        "created_at_ms": 1_767_225_600_000, "at_ms": 1_767_225_600_000, "closed_at_ms": None, "n": 3, "x": 0.5,
        "pnl_e6": None, "close_time_ms": None,
    }  # fmt: skip
    assert encode({"x": float("nan")}) == b'{"x":null}'


def test_a_slow_tab_gets_the_newest_of_each_topic() -> None:
    async def scene() -> None:
        tab = Subscriber(frozenset({Want(series="S")}), "0001", b"t", asyncio.get_running_loop())
        for number in range(1000):
            tab.offer("price", frame("price", number))
        tab.offer("trades", frame("trades", []))
        await asyncio.wait_for(tab.ready.wait(), 1)
        assert tab.take() == b"event: price\ndata: 999\n\nevent: trades\ndata: []\n\n"
        assert tab.take() == b""

    asyncio.run(scene())


def test_a_closed_loop_closes_the_tab() -> None:
    loop = asyncio.new_event_loop()
    tab = Subscriber(frozenset(), "0001", b"t", loop)
    loop.close()
    tab.offer("price", b"x")
    assert tab.closed


def test_ended_sessions_close_their_tabs_only() -> None:
    async def scene() -> None:
        hub = Hub("", None)  # type: ignore[arg-type]  # its thread is not started
        loop = asyncio.get_running_loop()
        tabs = [Subscriber(frozenset(), user, token, loop) for user, token in (("1", b"a"), ("1", b"b"), ("2", b"c"))]
        for tab in tabs:
            hub.subscribe(tab)
        hub.end_sessions("1", only=b"a")
        assert [tab.closed for tab in tabs] == [True, False, False]
        hub.end_sessions("1", but=b"b")
        assert [tab.closed for tab in tabs] == [True, False, False]
        hub.end_sessions("1")
        assert [tab.closed for tab in tabs] == [True, True, False]

    asyncio.run(scene())


def test_static_files_carry_their_hash(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a{}")
    (tmp_path / ".hidden").write_text("x")
    files = Static(tmp_path)
    first = files.url("a.css")
    (tmp_path / "a.css").write_text("b{}")
    assert Static(tmp_path).url("a.css") != first and list(files.files) == ["a.css"]
    with pytest.raises(KeyError, match="fetch_npm"):
        files.url("b.css")


def test_no_page_has_inline_code_or_style() -> None:
    for page in templates_folder().rglob("*.html"):
        text = page.read_text()
        assert " style=" not in text and "<style" not in text and "javascript:" not in text, page
        assert not any(f" on{event}=" in text for event in ("click", "load", "submit", "change", "input")), page
        assert "|safe" not in text and "| safe" not in text, page


def test_settings_are_complete_and_checked() -> None:
    found = complete(
        {"auto_entry": {"value": {"enabled": True}, "version": 3, "changed_at": None, "changed_by": "admin"}}
    )
    assert found["auto_entry"]["value"]["enabled"] is True and found["auto_entry"]["version"] == 3
    assert found["auto_entry"]["value"]["spike_pause_bp"] > 0 and found["kill_switch"]["value"]["on"] is False
    for name, value in (
        ("auto_entry", {"enabled": "yes"}),
        ("kill_switch", {"of": True}),
        ("auto_stop", {"enabled": 1.5}),
    ):
        with pytest.raises(SettingError, match=name):
            checked(name, value)


def test_the_csv_is_exact_and_no_formula() -> None:
    row = {"pnl_e6": -940_000, "limit_price_e4": 9_750, "count_e2": 25, "result": None, "reason": "=1+1",
           "closed_at": datetime(2026, 1, 1, tzinfo=UTC)}  # fmt: skip
    assert heading(tuple(row)) == "pnl,limit_price,count,result,reason,closed_at\r\n"
    assert lines([row], tuple(row)) == "-0.940000,0.9750,0.25,,'=1+1,2026-01-01T00:00:00Z\r\n"


def test_a_day_is_new_yorks() -> None:
    start = moment("2026-07-01")
    assert start is not None and start.astimezone(UTC).hour == 4
    assert moment("") is None
    with pytest.raises(ApiError, match="not a day"):
        moment("2026-02-31")
