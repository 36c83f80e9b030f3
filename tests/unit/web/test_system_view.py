"""What the System page says: the verdict in every case, rates that are not invented, bars that are true."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from recio.monitoring.status import ServiceStatus, Status
from recio.monitoring.traffic import rates
from recio.web.system_view import BEATS, beats, sparkline, verdict

NOW_S = 1_800_000_000.0


def service(name: str, reason: str = "") -> ServiceStatus:
    return ServiceStatus(name, "core", "running", not reason, reason, 1.0, 10.0, 1.0, 0)


def machine(allowed: bool = True, age_s: float = 1.0) -> dict[str, Any]:
    at = datetime.fromtimestamp(NOW_S - age_s, UTC)
    return {"dependencies": {"at": at, "entries_allowed": allowed, "root_cause": ""}}


def incident(severity: str = "warning") -> dict[str, Any]:
    opened = datetime.fromtimestamp(NOW_S - 60, UTC)
    return {"opened_at": opened, "severity": severity, "cause": "disk at 85 %", "action": "Clean up"}


def test_good_only_when_every_proof_is_there() -> None:
    well = Status("1", "simulated", (service("a"), service("b")))
    assert verdict(well, [], machine(), NOW_S).level == "good"
    assert verdict(well, [], machine(age_s=16), NOW_S).level == "warn"
    assert verdict(well, [], {"dependencies": None}, NOW_S).level == "warn"
    assert verdict(well, [], machine(allowed=False), NOW_S).level == "warn"
    assert verdict(well, [incident()], machine(), NOW_S).level == "warn"
    assert verdict(well, [incident("critical")], machine(), NOW_S).level == "bad"


def test_what_is_wrong_since_when_what_it_means_and_what_to_do() -> None:
    ill = Status("1", "simulated", (service("a", "silent for 12 s"), service("b")))
    said = verdict(ill, [incident()], machine(allowed=False), NOW_S)
    assert said.level == "bad"
    assert "a (silent for 12 s)" in said.line
    assert said.since_ms == round((NOW_S - 60) * 1000)
    assert "New entries are stopped" in said.means
    assert said.todo == "Clean up"
    unknown = verdict(ill, [], machine(age_s=60), NOW_S)
    assert "not known" in unknown.means


def test_a_rate_needs_two_counters_of_the_same_process() -> None:
    first = {
        "kalshi_api_watchdog": 0,
        "kalshi_account_sync": 0,
        "trade_executor": 0,
        "btc_price_watchdog": 500,
        "main_app": None,
        "host": 0,
    }
    then = {
        "kalshi_api_watchdog": 102_400,
        "kalshi_account_sync": 0,
        "trade_executor": 0,
        "btc_price_watchdog": 10,
        "main_app": None,
        "host": 0,
    }
    found = rates(first, then, 10.0)
    assert found["kalshi_kb_per_s"] == {"kb_per_s": 10.0, "why": ""}
    assert found["coinbase_kb_per_s"]["kb_per_s"] is None  # it went backwards: a restart
    assert "does not count" in found["websocket_kb_per_s"]["why"]
    assert "socket file" in found["database_kb_per_s"]["why"]
    assert found["peak_kb_per_s"]["kb_per_s"] == 0.0
    assert rates({}, then, 0.0)["kalshi_kb_per_s"]["kb_per_s"] is None


@given(st.lists(st.one_of(st.none(), st.floats(0, 200)), max_size=80))
def test_a_line_stays_in_its_box(values: list[float | None]) -> None:
    for point in sparkline(values, 100).split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= 100
        assert 0 <= y <= 24


@given(st.dictionaries(st.integers(0, BEATS - 1), st.booleans()))
def test_every_minute_is_one_mark_and_the_words_count_the_same(minutes: dict[int, bool]) -> None:
    rows = [{"n": n, "ok": ok, "reason": "" if ok else "ill"} for n, ok in sorted(minutes.items())]
    found = beats({"a": rows}, ["a"])["a"]
    marks = {kind: found[kind].count("M") for kind in ("ok", "off", "none")}
    assert sum(marks.values()) == BEATS
    assert marks["off"] == sum(not ok for ok in minutes.values())
    assert marks["none"] == BEATS - len(minutes)
    if marks["off"]:
        assert found["text"].startswith(f"{marks['ok']} of {len(minutes)} minutes")
