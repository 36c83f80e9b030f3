"""The user's settings of risk and rules: frozen, units in the names, unknown keys and absurd values refused.

A settings row is a mapping of some of these keys; the rest takes its default, so that a new key needs no migration.
The risk defaults suit the simulated account and a careful start with a small real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

__all__ = [
    "KINDS",
    "AutoEntrySettings",
    "AutoStopSettings",
    "KillSwitch",
    "RiskLimits",
    "SettingError",
    "convert",
    "read",
    "to_dict",
]

Percent = Annotated[float, Meta(ge=0, le=100)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Bp = Annotated[int, Meta(ge=1, le=10_000)]
PriceE4 = Annotated[int, Meta(ge=1, le=9_999)]
StepE4 = Annotated[int, Meta(ge=0, le=5_000)]
CountE2 = Annotated[int, Meta(ge=1, le=10_000_000)]
DollarsE6 = Annotated[int, Meta(ge=0, le=1_000_000_000_000)]


class SettingError(ValueError):
    """A settings value that cannot be used; the message names the setting, the key and what is allowed."""


class _Setting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all settings share."""


class KillSwitch(_Setting, frozen=True, kw_only=True):
    """Stops entries, never exits; only the user switches it off again."""

    on: bool = False
    why: str = ""


class RiskLimits(_Setting, frozen=True, kw_only=True):
    """Limits that hold for every entry, whoever asks: checked at the intent and again before sending."""

    max_count_e2: CountE2 = 10_000  # contracts x 100 in one order: 100 contracts
    max_order_cost_e6: DollarsE6 = 100_000_000  # 100 dollars, fee included
    max_exposure_e6: DollarsE6 = 500_000_000  # 500 dollars in all live trades together
    max_open_trades: Annotated[int, Meta(ge=0, le=1_000)] = 20
    max_daily_loss_e6: DollarsE6 = 200_000_000  # 200 dollars since midnight in New York, see RiskFacts
    max_price_e4: PriceE4 = 9_900  # above 99 cents the fee eats what can be won
    max_over_ask_e4: StepE4 = 500  # a limit at most 5 cents over the best ask
    max_price_age_s: Seconds = 5.0
    max_book_age_s: Seconds = 15.0
    max_balance_age_s: Seconds = 120.0
    max_exchange_age_s: Seconds = 30.0  # since the exchange was last heard to be trading
    max_clock_skew_s: Seconds = 2.0
    max_reconcile_age_s: Seconds = 180.0
    max_unknown_orders: Annotated[int, Meta(ge=0, le=0)] = 0  # not negotiable
    min_time_to_close_s: Seconds = 5.0
    max_group_count_e2: CountE2 = 50_000  # entries in any 15 s; beyond it the exchange itself stops the order group
    allow_same_entry: bool = False  # a second live trade on the same strike, side and event


class AutoEntrySettings(_Setting, frozen=True, kw_only=True):
    """What holds for every monitor: the master switch, and the pause while BTC moves too fast. The rest is a monitor's."""

    enabled: bool = False
    spike_pause_bp: Bp = 36
    spike_resume_bp: Bp = 30
    spike_resume_after_s: Seconds = 900.0
    live_override: Annotated[str, Meta(max_length=200)] = (
        ""  # mode live without a shown edge: trading.gate.OVERRIDE_WORDS, word for word
    )

    def __post_init__(self) -> None:
        if self.spike_resume_bp > self.spike_pause_bp:
            raise ValueError(
                f"spike_resume_bp {self.spike_resume_bp} must not be over spike_pause_bp {self.spike_pause_bp}, "
                "or the pause would end while the spike lasts"
            )


class AutoStopSettings(_Setting, frozen=True, kw_only=True):
    """When to close a losing trade: a trade made by hand; a monitor has its own. ``enabled`` is the switch for all."""

    enabled: bool = True
    stop_probability_percent: Percent = 40.0
    confirm_after_s: Seconds = 15.0
    min_time_to_close_s: Seconds = 60.0
    momentum_stop: bool = True
    momentum_stop_bp: Bp = 35
    take_profit_e4: PriceE4 | None = None  # sell when the bid reaches it; none: hold to the close
    exit_collar_e4: StepE4 = 200  # accept at most this under the price the book shows; doubles with each retry
    retry_after_s: Seconds = 3.0
    alarm_after_attempts: Annotated[int, Meta(ge=1, le=100)] = 3
    max_price_age_s: Seconds = 10.0
    max_book_age_s: Seconds = 30.0


KINDS: dict[str, type[KillSwitch] | type[RiskLimits] | type[AutoEntrySettings] | type[AutoStopSettings]] = {
    "kill_switch": KillSwitch,
    "risk": RiskLimits,
    "auto_entry": AutoEntrySettings,
    "auto_stop": AutoStopSettings,
}

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T", KillSwitch, RiskLimits, AutoEntrySettings, AutoStopSettings)


def convert(kind: type[S], value: Mapping[str, Any] | None, name: str) -> S:
    """A mapping as its frozen type; an absent key is the default. SettingError names ``name``, the key and what is
    allowed."""
    try:
        return msgspec.convert(dict(value or {}), kind)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        known = ", ".join(field.name for field in msgspec.structs.fields(kind))
        text = str(error).replace("$.", f"{name}.").replace("`$`", name)
        raise SettingError(f"setting {name}: {text}; its keys are {known}") from error


def read(kind: type[T], value: Mapping[str, Any] | None) -> T:
    """A settings row's value as its type; None or an absent key is the default. SettingError names the key."""
    return convert(kind, value, next(key for key, known in KINDS.items() if known is kind))


def to_dict(setting: KillSwitch | RiskLimits | AutoEntrySettings | AutoStopSettings) -> dict[str, Any]:
    """All keys of a setting as plain data, for a jsonb column and for the page."""
    plain: dict[str, Any] = msgspec.to_builtins(setting)
    return plain
