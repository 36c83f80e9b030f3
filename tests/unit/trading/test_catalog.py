"""The settings' catalogue: complete, exact in both directions, and right about what lets more through."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.trading import catalog
from recio.trading.settings import AutoEntrySettings, AutoStopSettings, RiskLimits, SettingError, read
from recio.trading.strategies import STRATEGIES
from recio.trading.strategies.base import MonitorSettings

ELSEWHERE = {
    "enabled",
    "live_override",
    "stop",
}  # switches, the words of mode live, and the mapping stop.KEY stands for


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (catalog.RISK, RiskLimits), (catalog.AUTO_ENTRY, AutoEntrySettings), (catalog.AUTO_STOP, AutoStopSettings),
        (catalog.MONITOR, MonitorSettings),
    ],
)  # fmt: skip
def test_every_key_is_told(fields: tuple[catalog.Field, ...], kind: Any) -> None:
    told = {f.key for f in fields}
    assert {f.name for f in msgspec.structs.fields(kind)} - ELSEWHERE == {k for k in told if "." not in k}
    assert len(told) == len(fields)
    assert all(f.label and f.meaning for f in fields)


def test_bounds_and_defaults_come_from_the_type() -> None:
    shown = {
        s.field.key: s for s in catalog.described(catalog.RISK, msgspec.to_builtins(RiskLimits(max_open_trades=3)))
    }
    cost = shown["max_order_cost_e6"]
    assert (cost.value, cost.default, cost.low, cost.high, cost.step) == ("100", "100", "0", "1000000", "0.000001")
    assert (shown["max_open_trades"].value, shown["max_open_trades"].default) == ("3", "20")
    assert (shown["max_unknown_orders"].low, shown["max_unknown_orders"].high) == ("0", "0")
    quarter = STRATEGIES["quarter_hour"].settings
    mine = {s.field.key: s for s in catalog.described(catalog.MONITOR, msgspec.to_builtins(quarter()), quarter)}
    assert mine["min_probability_percent"].default == "85"
    assert mine["stop.stop_probability_percent"].default == "35"
    assert mine["stop.take_profit_e4"].optional and mine["stop.take_profit_e4"].default == ""
    assert mine["sizing"].choices == ("fixed", "kelly")


@given(st.sampled_from([f for f in catalog.RISK if f.kind == "number"]), st.integers(0, 10**12))
def test_money_survives_the_way_to_the_page_and_back(field: catalog.Field, value: int) -> None:
    text = catalog.to_shown(field, value)
    assert catalog.from_shown(field, text) == value
    assert Decimal(text) * field.scale == value


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_named(text: str) -> None:
    field = catalog.RISK[1]
    try:
        value = catalog.from_shown(field, text)
    except SettingError as wrong:
        assert field.label in str(wrong)
    else:
        assert isinstance(value, int)


def test_what_is_no_number_of_this_unit_is_refused() -> None:
    by_key = {f.key: f for f in catalog.RISK}
    for key, text in (
        ("max_count_e2", "0.001"),
        ("max_exposure_e6", "NaN"),
        ("max_price_age_s", "inf"),
        ("max_open_trades", ""),
    ):
        with pytest.raises(SettingError):
            catalog.from_shown(by_key[key], text)
    assert catalog.from_shown(by_key["max_price_age_s"], "2.5") == 2.5


def test_what_lets_more_through() -> None:
    base = msgspec.to_builtins(RiskLimits())
    assert catalog.loosened(base, base) == []
    for field in catalog.RISK:
        if not field.looser:
            continue
        low, high = (False, True) if field.kind == "check" else (base[field.key], base[field.key] + 1)
        narrow, wide = (high, low) if field.looser == "less" else (low, high)
        assert catalog.loosened(base | {field.key: narrow}, base | {field.key: wide}) == [field.key]
        assert catalog.loosened(base | {field.key: wide}, base | {field.key: narrow}) == []
    unsaid = [f.key for f in catalog.RISK if not f.looser]
    assert unsaid == [], "a limit nobody can tell the loose side of would be raised without asking"


def test_a_difference_is_told_in_the_pages_units() -> None:
    before = msgspec.to_builtins(MonitorSettings())
    after = msgspec.to_builtins(MonitorSettings(base_count_e2=250, stop=AutoStopSettings(take_profit_e4=9_900)))
    told = [(c.label, c.before, c.after) for c in catalog.difference(catalog.MONITOR, before, after)]
    assert told == [("Contracts an entry", "1 contracts", "2.5 contracts"), ("Take profit at a bid of", "none", "99 ¢")]
    assert (
        read(RiskLimits, catalog.read_form(catalog.RISK, {"max_open_trades": "7", "unknown": "1"})).max_open_trades == 7
    )
