"""One sentence about each automation: it never claims to act when something stops it."""

from __future__ import annotations

from typing import Any

import pytest

from recio.web.automation import entry_sentence, stop_sentence

ON = {"auto_entry": {"enabled": True}, "kill_switch": {"on": False, "why": ""}}
MONITOR = {"monitor_id": "hourly", "enabled": True, "archived_at": None}
LOOK = {
    "monitor_id": "hourly", "market_ticker": "T-1", "acting": False, "action": "wait", "why": "it is early", "differential_e4": 5,
}  # fmt: skip
STOP = {"auto_stop": {
    "enabled": True, "stop_probability_percent": 40.0, "confirm_after_s": 15.0, "min_time_to_close_s": 60.0,
}}  # fmt: skip
HELD = {
    "trade_id": 7,
    "state": "open",
    "entry_count_e2": 100,
    "exit_count_e2": 0,
    "stop_state": "watching",
    "note": "55 %",
    "probability": 0.55,
}


@pytest.mark.parametrize(
    ("settings", "blocked", "found", "judged", "age_s", "said"),
    [
        (ON | {"auto_entry": {"enabled": False}}, [], [MONITOR], [LOOK], 1.0, "Off: nothing is entered without you."),
        (
            ON | {"kill_switch": {"on": True, "why": "fire"}},
            [],
            [MONITOR],
            [LOOK],
            1.0,
            "kill switch stops every entry (fire)",
        ),
        (ON, [], [MONITOR | {"enabled": False}], [LOOK], 1.0, "no monitor is switched on"),
        (ON, [], [MONITOR | {"archived_at": "x"}], [LOOK], 1.0, "no monitor is switched on"),
        (
            ON,
            [{"why": "the balance is not known"}],
            [MONITOR],
            [LOOK],
            1.0,
            "no entry is possible now: the balance is not known",
        ),
        (ON, [], [MONITOR], [], None, "waits for a fresh strike table"),
        (ON, [], [MONITOR], [LOOK], 40.0, "nobody judges: the newest look is 40 s old"),
        (ON, [], [MONITOR], [LOOK], 1.0, "On: hourly waits at T-1: it is early."),
    ],
)
def test_why_auto_entry_does_not_act(
    settings: Any, blocked: Any, found: Any, judged: Any, age_s: float | None, said: str
) -> None:
    acting, why = entry_sentence(settings, blocked, found, judged, age_s)
    assert not acting and said in why


def test_the_sentence_is_about_what_comes_nearest_to_acting() -> None:
    enters = LOOK | {
        "market_ticker": "T-2",
        "acting": True,
        "action": "enter",
        "why": "worth it",
        "differential_e4": None,
    }
    watches = LOOK | {"market_ticker": "T-3", "action": "watch", "differential_e4": 900}
    assert entry_sentence(ON, [], [MONITOR], [LOOK, watches, enters], 0.5) == (
        True,
        "On: hourly enters at T-2: worth it.",
    )
    better = LOOK | {"market_ticker": "T-4", "differential_e4": 50}
    assert "T-4" in entry_sentence(ON, [], [MONITOR], [LOOK, better], 0.5)[1]
    foreign = enters | {"monitor_id": "switched-off"}
    assert entry_sentence(ON, [], [MONITOR], [foreign], 0.5)[0] is False, "a monitor that is off does not act"


def test_what_auto_stop_does() -> None:
    off = {"auto_stop": STOP["auto_stop"] | {"enabled": False}}
    assert stop_sentence(off, [HELD]) == (
        False, "Off: losing trades stay open until you close them or the market settles. 1 open trade unprotected.",
    )  # fmt: skip
    assert "nothing is held" in stop_sentence(STOP, [HELD | {"entry_count_e2": 0}])[1]
    late = HELD | {"trade_id": 9, "probability": 0.1, "note": "41 s to the close, too late to stop; it settles"}
    assert "watches 2 open trades" in (said := stop_sentence(STOP, [HELD, late])[1])
    assert said.endswith("Trade 9: 41 s to the close, too late to stop; it settles."), "the one most in danger"
    sells = HELD | {"trade_id": 8, "stop_state": "closing", "note": "below 40 %"}
    assert stop_sentence(STOP, [HELD, sells]) == (True, "On: it sells trade 8: below 40 %.")
    assert "was not looked at yet" in stop_sentence(STOP, [HELD | {"stop_state": None}])[1]
