"""What every setting means: label, unit, one line of meaning, and from its type the bounds and the default. One home.

Stored values are integers of small units (money never a float); a page shows larger ones: ``scale`` stored units make
one shown. Reading and writing them is exact, by Decimal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import msgspec

from recio.trading.settings import AutoEntrySettings, AutoStopSettings, RiskLimits, SettingError
from recio.trading.strategies.base import MonitorSettings

__all__ = [
    "AUTO_ENTRY", "AUTO_STOP", "MONITOR", "RISK", "Change", "Field", "Shown", "described", "difference", "from_shown",
    "loosened", "read_form", "to_shown", "value_of",
]  # fmt: skip

Kind = Literal["number", "check", "choice"]


class Field(msgspec.Struct, frozen=True):
    """One key. ``looser`` says which way a risk limit lets more through; empty: it is no limit."""

    key: str
    label: str
    meaning: str
    unit: str = ""
    scale: int = 1
    kind: Kind = "number"
    group: str = ""
    looser: Literal["", "more", "less", "on"] = ""


class Shown(msgspec.Struct, frozen=True):
    """A field as a form shows it: its value, default and bounds in the shown unit ("" for none or not bounded)."""

    field: Field
    value: str
    default: str
    low: str
    high: str
    step: str
    optional: bool
    choices: tuple[str, ...]


class Change(msgspec.Struct, frozen=True):
    """One key that differs, in the shown unit."""

    key: str
    label: str
    before: str
    after: str


def _number(key: str, label: str, unit: str, scale: int, group: str, meaning: str, looser: Any = "") -> Field:
    return Field(key, label, meaning, unit, scale, "number", group, looser)


def _check(key: str, label: str, group: str, meaning: str, looser: Any = "") -> Field:
    return Field(key, label, meaning, "", 1, "check", group, looser)


_MONEY, _DATA, _ORDER = "Money and positions", "How old facts may be", "One order"

RISK: tuple[Field, ...] = (
    _number("max_count_e2", "Contracts in one order", "contracts", 100, _ORDER, "An entry for more is refused.", "more"),
    _number("max_order_cost_e6", "Cost of one order", "$", 1_000_000, _ORDER, "At its limit price, fee included.", "more"),
    _number("max_price_e4", "Price of a contract", "¢", 100, _ORDER, "Above it the fee eats what can be won.", "more"),
    _number("max_over_ask_e4", "Limit over the best ask", "¢", 100, _ORDER, "A limit further away looks like a typing error.", "more"),
    _number("min_time_to_close_s", "Time left to the close, at least", "s", 1, _ORDER, "No entry later than this.", "less"),
    _check("allow_same_entry", "A second live trade on the same strike and side", _ORDER,
        "Off: one strike, side and event is entered once.", "on"),
    _number("max_group_count_e2", "Contracts in any 15 seconds", "contracts", 100, _ORDER,
        "Beyond it the exchange itself stops the order group.", "more"),
    _number("max_exposure_e6", "All live trades together", "$", 1_000_000, _MONEY,
        "What every live trade has cost, fees included; pending ones at their limit.", "more"),
    _number("max_open_trades", "Live trades", "trades", 1, _MONEY, "Pending, open, closing and waiting for their result.", "more"),
    _number("max_daily_loss_e6", "Loss in a day", "$", 1_000_000, _MONEY,
        "Since midnight in New York, open trades at what they would fetch now.", "more"),
    _number("max_price_age_s", "BTC price", "s", 1, _DATA, "An older price enters nothing.", "more"),
    _number("max_book_age_s", "Order book", "s", 1, _DATA, "Of the market that is to be entered.", "more"),
    _number("max_balance_age_s", "Balance", "s", 1, _DATA, "Since the exchange last told it.", "more"),
    _number("max_exchange_age_s", "Exchange's state", "s", 1, _DATA, "Since it was last heard to be trading.", "more"),
    _number("max_clock_skew_s", "Clock against the exchange's", "s", 1, _DATA,
        "Beyond it signatures and closing times are not to be trusted.", "more"),
    _number("max_reconcile_age_s", "Clean reconciliation", "s", 1, _DATA, "Since ledger and exchange last agreed.", "more"),
    _number("max_unknown_orders", "Orders in doubt", "orders", 1, _DATA,
        "Not negotiable: while one order's outcome is unknown, nothing is entered.", "more"),
)  # fmt: skip

AUTO_ENTRY: tuple[Field, ...] = (
    _number("spike_pause_bp", "Pause on momentum from", "bp", 1, "", "While BTC moves faster than this, nothing is entered."),
    _number("spike_resume_bp", "Calm is within", "bp", 1, "", "Must not be over the pause, or it would end while the spike lasts."),
    _number("spike_resume_after_s", "Resume after calm of", "s", 1, "", "So long BTC must stay calm before entries go on."),
)  # fmt: skip

_STOP = "Stop"
AUTO_STOP: tuple[Field, ...] = (
    _number("stop_probability_percent", "Stop below a probability of", "%", 1, _STOP,
        "The trade is sold when it is less likely than this to win."),
    _number("confirm_after_s", "Confirmed again after", "s", 1, _STOP, "It must still be so, or it was a flicker."),
    _number("min_time_to_close_s", "No stop in the last", "s", 1, _STOP, "So near to the close it is held."),
    _check("momentum_stop", "Stop on a momentum spike against the trade", _STOP, "Sells before the probability has followed."),
    _number("momentum_stop_bp", "A spike is momentum from", "bp", 1, _STOP, "Weighted momentum against the side held."),
    _number("take_profit_e4", "Take profit at a bid of", "¢", 100, _STOP, "Empty: hold to the close."),
    _number("exit_collar_e4", "Accept under the book's price", "¢", 100, _STOP, "At most this much less; doubles with each retry."),
    _number("retry_after_s", "Try an exit again after", "s", 1, _STOP, "When it did not fill."),
    _number("alarm_after_attempts", "Alarm after failed exits", "tries", 1, _STOP, "Then an incident is opened."),
    _number("max_price_age_s", "Price at most this old", "s", 1, _STOP, "With an older price the stop does not judge."),
    _number("max_book_age_s", "Book at most this old", "s", 1, _STOP, "With an older book the stop does not judge."),
)  # fmt: skip

_WHEN, _WORTH, _SIZE, _CAUTION = "When", "What it must be worth", "How much", "Caution"
MONITOR: tuple[Field, ...] = (
    _number("min_time_to_close_s", "Not in the last", "s", 1, _WHEN, "Too late: an order might not fill before the close."),
    _number("max_time_to_close_s", "Only in the last", "s", 1, _WHEN, "Too early: more can happen than the price pays for."),
    _number("cooldown_s", "Cooldown after an order", "s", 1, _WHEN, "Counts from an accepted order; a refused ticket uses nothing up."),
    _check("allow_reentry", "Enter the same strike and side again within an event", _WHEN, "Off: once entered, a strike and side is done."),
    _number("min_probability_percent", "Probability at least", "%", 1, _WORTH, "Of the blend of model and market."),
    _number("min_differential_e4", "Differential after costs at least", "¢", 100, _WORTH,
        "Probability less the average fill in the book as it is, fees included."),
    _number("model_weight", "How much the model counts", "", 1, _WORTH, "0: only the market's own price; 1: only the model."),
    _number("max_ask_e4", "Ask at most", "¢", 100, _WORTH, "One loss at 98 ¢ eats 49 wins."),
    _number("min_volume_e2", "Volume at least", "contracts", 100, _WORTH, "A market nobody trades has no honest price."),
    Field("sizing", "Size", "fixed: contracts x multiplier; kelly: a part of Kelly's bet.", "", 1, "choice", _SIZE),
    _number("base_count_e2", "Contracts an entry", "contracts", 100, _SIZE, "With size fixed."),
    _number("multiplier", "Multiplier", "x", 1, _SIZE, "With size fixed."),
    _number("kelly_fraction_percent", "Part of Kelly's bet", "%", 1, _SIZE, "With size kelly; a quarter is already bold."),
    _number("max_cost_e6", "One entry costs at most", "$", 1_000_000, _SIZE, "The hard ceiling, fee included; applied last."),
    _number("collar_e4", "Pay over the ask seen, at most", "¢", 100, _CAUTION, "The limit price of the order."),
    _number("max_price_age_s", "Price at most this old", "s", 1, _CAUTION, "With an older price nothing is judged."),
    _number("max_book_age_s", "Book at most this old", "s", 1, _CAUTION, "With an older book nothing is judged."),
    _number("watch_probability_margin_percent", "Watch within a probability of", "%", 1, _CAUTION,
        "So near to the limit a market is shown as watched."),
    _number("watch_differential_margin_e4", "Watch within a differential of", "¢", 100, _CAUTION, "The same for the differential."),
    *(Field(f"stop.{f.key}", f.label, f.meaning, f.unit, f.scale, f.kind, f.group) for f in AUTO_STOP),
)  # fmt: skip

_TYPES: dict[int, type[msgspec.Struct]] = {
    id(RISK): RiskLimits, id(AUTO_ENTRY): AutoEntrySettings, id(AUTO_STOP): AutoStopSettings, id(MONITOR): MonitorSettings,
}  # fmt: skip


def value_of(settings: Mapping[str, Any], key: str) -> Any:
    """What stands under a key; ``stop.KEY`` is one of the stop's."""
    outer, dot, inner = key.partition(".")
    return settings[outer][inner] if dot else settings[outer]


def to_shown(field: Field, value: Any) -> str:
    """A stored value in the shown unit: 2_500_000 of scale 1_000_000 -> '2.5'; None -> ''."""
    if value is None:
        return ""
    if field.kind != "number":
        return ("on" if value else "off") if field.kind == "check" else str(value)
    text = format(Decimal(str(value)) / field.scale, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def from_shown(field: Field, text: str, optional: bool = False) -> Any:
    """A form's text in the stored unit, exactly. SettingError names the field, the value and what is wrong with it."""
    text = text.strip()
    if field.kind == "check":
        return text in ("true", "on")
    if field.kind == "choice":
        return text
    if not text and optional:
        return None
    try:
        number = Decimal(text) * field.scale
    except InvalidOperation:
        raise SettingError(f"{field.label}: {text!r} is not a number") from None
    if not number.is_finite():
        raise SettingError(f"{field.label}: {text!r} is not a number")
    if number == number.to_integral_value():
        return int(number)
    if field.scale > 1:
        raise SettingError(f"{field.label}: {text} has more places than {field.unit or 'it'} has here")
    return float(number)


def read_form(fields: Sequence[Field], form: Mapping[str, str]) -> dict[str, Any]:
    """The settings of a form that names some of the fields; keys of the form that are no field are left alone."""
    return {
        f.key: from_shown(f, form[f.key], optional=f.key.endswith("take_profit_e4")) for f in fields if f.key in form
    }


def _node(kind: type[msgspec.Struct], key: str) -> tuple[Any, bool]:
    """The (inner) type of a key as msgspec describes it, and whether it may be absent."""
    outer, dot, inner = key.partition(".")
    if dot:
        return _node(AutoStopSettings, inner)
    info: Any = msgspec.inspect.type_info(kind)
    node = next(f.type for f in info.fields if f.encode_name == outer)
    if isinstance(node, msgspec.inspect.UnionType):
        return next(t for t in node.types if not isinstance(t, msgspec.inspect.NoneType)), True
    return node, False


def described(
    fields: Sequence[Field], settings: Mapping[str, Any], kind: type[msgspec.Struct] | None = None
) -> list[Shown]:
    """Every field as a form shows it. ``kind`` gives the defaults and bounds: a strategy's own type for a monitor."""
    known = kind or _TYPES[id(fields)]
    defaults = msgspec.to_builtins(known())
    found = []
    for f in fields:
        node, optional = _node(known, f.key)
        low, high = getattr(node, "ge", None), getattr(node, "le", None)
        whole = isinstance(node, msgspec.inspect.IntType)
        step = to_shown(f, 1) if whole else "any"
        choices = tuple(sorted(str(v) for v in node.values)) if isinstance(node, msgspec.inspect.LiteralType) else ()
        found.append(
            Shown(
                f, to_shown(f, value_of(settings, f.key)), to_shown(f, value_of(defaults, f.key)), to_shown(f, low),
                to_shown(f, high), step, optional, choices,
            )
        )  # fmt: skip
    return found


def difference(fields: Iterable[Field], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What differs, in the shown unit and with it, in the fields' order."""

    def said(field: Field, value: Any) -> str:
        text = to_shown(field, value)
        return f"{text} {field.unit}".strip() if text else "none"

    return [
        Change(f.key, f.label, said(f, old), said(f, new))
        for f in fields
        if (old := value_of(before, f.key)) != (new := value_of(after, f.key))
    ]


def loosened(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The risk limits of ``after`` that let more through than those of ``before``, by key."""
    found = []
    for f in RISK:
        old, new = before[f.key], after[f.key]
        if (
            (f.looser == "more" and new > old)
            or (f.looser == "less" and new < old)
            or (f.looser == "on" and new and not old)
        ):
            found.append(f.key)
    return found
