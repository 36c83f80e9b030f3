"""Settings: defaults, bounds, and errors that name the key."""

from __future__ import annotations

import json
import math

import pytest

from recio.trading.settings import (
    KINDS,
    AutoEntrySettings,
    AutoStopSettings,
    KillSwitch,
    RiskLimits,
    SettingError,
    read,
    to_dict,
)
from recio.trading.strategies import hourly_hold


@pytest.mark.parametrize("kind", KINDS.values())
def test_nothing_on_record_gives_the_defaults_and_they_survive_json(kind: type[RiskLimits]) -> None:
    found = read(kind, None)
    assert found == read(kind, {}) == kind()
    assert read(kind, json.loads(json.dumps(to_dict(found)))) == found


def test_the_defaults_keep_the_meaning_of_the_old_rules() -> None:
    entry, stop, hourly = AutoEntrySettings(), AutoStopSettings(), hourly_hold.Settings()
    assert not entry.enabled
    assert stop.enabled  # protection is on, entering is not
    assert (hourly.min_probability_percent, hourly.min_differential_e4, hourly.max_ask_e4) == (95.0, 25, 9800)
    assert (hourly.min_time_to_close_s, hourly.max_time_to_close_s) == (120.0, 900.0)
    assert (entry.spike_pause_bp, entry.spike_resume_bp, entry.spike_resume_after_s) == (36, 30, 900.0)
    assert (stop.stop_probability_percent, stop.min_time_to_close_s, stop.confirm_after_s) == (40.0, 60.0, 15.0)
    assert stop.momentum_stop_bp == 35
    assert RiskLimits().max_daily_loss_e6 == 200_000_000
    assert not KillSwitch().on


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (RiskLimits, {"max_cuont_e2": 1}, "max_cuont_e2"),
        (RiskLimits, {"max_count_e2": 0}, "risk.max_count_e2"),
        (RiskLimits, {"max_count_e2": -5}, "risk.max_count_e2"),
        (RiskLimits, {"max_count_e2": 1.5}, "risk.max_count_e2"),
        (RiskLimits, {"max_count_e2": True}, "risk.max_count_e2"),
        (RiskLimits, {"max_count_e2": "100"}, "risk.max_count_e2"),
        (RiskLimits, {"max_price_age_s": math.nan}, "risk.max_price_age_s"),
        (RiskLimits, {"max_price_age_s": math.inf}, "risk.max_price_age_s"),
        (RiskLimits, {"max_unknown_orders": 1}, "risk.max_unknown_orders"),
        (KillSwitch, {"on": "yes"}, "kill_switch.on"),
        (KillSwitch, {"on": None}, "kill_switch.on"),
        (AutoEntrySettings, {"min_probability_percent": 95}, "min_probability_percent"),
        (AutoEntrySettings, {"spike_pause_bp": 0}, "auto_entry.spike_pause_bp"),
        (AutoEntrySettings, {"spike_resume_bp": 40}, "spike_resume_bp 40"),
        (AutoStopSettings, {"take_profit_e4": 10_000}, "auto_stop.take_profit_e4"),
    ],
)
def test_a_wrong_value_names_the_key(kind: type[RiskLimits], value: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError) as caught:
        read(kind, value)
    assert said in str(caught.value)
    assert "its keys are" in str(caught.value)


def test_a_value_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(SettingError, match="setting risk"):
        read(RiskLimits, [1, 2])  # type: ignore[arg-type]


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(AttributeError):
        RiskLimits().max_count_e2 = 5  # type: ignore[misc]
