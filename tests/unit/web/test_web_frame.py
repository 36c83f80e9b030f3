"""The look's values, the news' sentences, and the contrast of every look's colours."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.trading.settings import SettingError
from recio.web.look_values import Look, changed, looking, read_look, when, zones
from recio.web.news import items
from recio.web.static import templates_folder

NOON = datetime(2026, 7, 1, 16, 0, 0, tzinfo=UTC)


def trade_row(**facts: Any) -> dict[str, Any]:
    return {
        "event_id": 7, "trade_id": 3, "at": NOON, "kind": "trade_open", "source": None, "why": None, "side": "yes",
        "strike_e2": 11_874_999, "reason": "", "entry_count_e2": 250, "entry_cost_e6": 1_500_000, "pnl_e6": None,
    } | facts  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "kind", "tone", "text"),
    [
        ({}, "fill", "good", "Bought 2.5 YES 118,750 at 60¢."),
        ({"kind": "trade_closed", "pnl_e6": -1_230_000}, "close", "bad", "YES 118,750 closed: −$1.23 after fees."),
        ({"kind": "trade_closed", "pnl_e6": None}, "close", "good", "YES 118,750 closed: – after fees."),
        (
            {"kind": "trade_closed", "entry_count_e2": 0, "reason": "no offer"}, "close", "",
            "YES 118,750: nothing bought. no offer.",
        ),
        ({"kind": "trade_error", "why": "two answers"}, "error", "bad", "YES 118,750 failed: two answers."),
        ({"kind": "order_refused"}, "error", "bad", "Order for YES 118,750 refused: no reason was recorded."),
        ({"kind": "exit_intent", "source": "auto_stop"}, "stop", "bad", "Auto stop sells YES 118,750."),
    ],
)  # fmt: skip
def test_what_happened_is_said_in_a_sentence(facts: dict[str, Any], kind: str, tone: str, text: str) -> None:
    (item,) = items([trade_row(**facts)], [], 0)
    assert (item["kind"], item["tone"], item["text"]) == (kind, tone, text)
    assert item["key"] == "e7" and item["href"] == "/history/3"


def test_an_exit_by_hand_is_no_news_and_an_incident_is_two() -> None:
    assert items([trade_row(kind="exit_intent", source="web")], [], 0) == []
    row = {
        "incident_id": 1, "severity": "warning", "opened_at": NOON, "closed_at": NOON.replace(minute=5), "cause": "x.",
        "action": "",
    }  # fmt: skip
    opened_ms = round(NOON.timestamp() * 1000)
    assert [i["key"] for i in items([], [row], 0)] == ["i1", "c1"]
    assert [i["key"] for i in items([], [row], opened_ms)] == ["c1"]
    assert [i["key"] for i in items([], [row | {"closed_at": None}], opened_ms - 1)] == ["i1"]


def test_of_one_millisecond_what_was_written_first_stays_first() -> None:
    """Sorted by key, "c1" (over) came before "i1" (opened) and entry 10 before entry 9, whenever times were the same."""
    half_ms = timedelta(microseconds=500)
    row = {
        "incident_id": 1, "severity": "warning", "opened_at": NOON + 3 * half_ms, "closed_at": NOON + 5 * half_ms,
        "cause": "x.", "action": "",
    }  # fmt: skip
    found = items([], [row], 0)
    assert found[0]["at_ms"] == found[1]["at_ms"], "1.5 and 2.5 ms are both 2 when rounded"
    assert [i["key"] for i in found] == ["i1", "c1"]
    one_transaction = [trade_row(event_id=10, kind="trade_closed"), trade_row(event_id=9)]
    assert [i["key"] for i in items(one_transaction, [], 0)] == ["e9", "e10"]


@given(st.lists(st.tuples(st.integers(1, 10_000), st.integers(0, 100_000)), unique_by=lambda pair: pair[0]))
def test_news_come_oldest_first_and_none_is_lost(pairs: list[tuple[int, int]]) -> None:
    rows = [trade_row(event_id=key, at=datetime.fromtimestamp(1_780_000_000 + at, UTC)) for key, at in pairs]
    found = items(rows, [], 0)
    assert sorted(item["key"] for item in found) == sorted(f"e{key}" for key, _ in pairs)
    assert [item["at_ms"] for item in found] == sorted(item["at_ms"] for item in found)


def test_times_follow_the_look_and_say_utc_when_the_zone_is_the_browsers() -> None:
    assert when(NOON) == "01 Jul, 16:00:00 UTC" and when(None) == "–"
    with looking(Look(zone="America/New_York", clock="12")):
        assert when(NOON) == "01 Jul, 12:00:00 PM"
        with looking(Look(zone="UTC")):
            assert when(NOON, "%H:%M") == "16:00"
        assert when(NOON, "%H:%M") == "12:00"


@given(st.dictionaries(st.text(max_size=8), st.none() | st.text(max_size=8) | st.integers() | st.lists(st.integers())))
def test_whatever_is_stored_gives_a_look(value: dict[str, Any]) -> None:
    look = read_look({"look": {"value": value}})
    assert look.zone == "" or look.zone in zones()


def test_a_wrong_value_is_named() -> None:
    for changes, named in (({"zone": "Mars"}, "Mars"), ({"clock": "13"}, "13"), ({"x": 1}, "x"), ({"keys": 1}, "keys")):
        with pytest.raises(SettingError, match=named):
            changed(Look(), changes)


# ------------------------------------------------------------------ contrast
def _palettes() -> dict[str, dict[str, str]]:
    sheet = (templates_folder() / "static" / "desk.css").read_text()
    blocks = re.findall(r"(:root[^{]*)\{([^}]*)\}", sheet)
    tokens = [(where, dict(re.findall(r"(--[a-z-]+): (#[0-9a-f]{6})", block))) for where, block in blocks]
    return {"dark": tokens[0][1], "light, chosen": tokens[2][1], "light, the system's": tokens[1][1]}


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("look", ["dark", "light, chosen", "light, the system's"])
def test_every_colour_of_every_look_can_be_read(look: str) -> None:
    palette = _palettes()[look]
    texts = ("text", "muted", "accent", "yes", "no", "good", "bad", "blue", "orange", "warn", "stale")
    pairs = [(text, ground) for text in texts for ground in ("bg", "panel", "raised")]
    pairs += [(name, f"{name}-soft") for name in ("yes", "no", "good", "bad", "warn")] + [
        ("on-accent", "accent"),
        ("bg", "bad"),
    ]
    poor = {
        pair: round(_contrast(palette[f"--{pair[0]}"], palette[f"--{pair[1]}"]), 2)
        for pair in pairs
        if _contrast(palette[f"--{pair[0]}"], palette[f"--{pair[1]}"]) < 4.5
    }
    assert not poor, poor


def test_the_systems_light_and_the_chosen_light_are_one() -> None:
    palettes = _palettes()
    assert palettes["light, chosen"] == palettes["light, the system's"] and len(palettes["dark"]) >= 20
