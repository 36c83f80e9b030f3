"""The wish for a replay or backtest: what to run on, which strategy with which settings; typed and bounded. Pure.

The page writes a wish down, the research worker reads it again as if the page had checked nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from recio.trading.monitor import Monitor, changed, settings_of, to_builtins
from recio.trading.settings import SettingError

__all__ = [
    "DAY_S",
    "MAX_DAYS",
    "MIN_DAYS",
    "QUARTER_S",
    "SERIES",
    "Wish",
    "WishError",
    "complete",
    "monitor_of",
    "period_words",
    "read_wish",
]  # fmt: skip

DAY_S, QUARTER_S = 86_400, 900
SERIES = "KXBTC15M"  # what a path of prices can be run as: quarter-hour markets, their books made up
MIN_DAYS = 0.05  # a little over an hour: less holds no whole quarter
# Longest run of a kind, in days: what fits the worker's memory (15 MB a day) and, for replay, an hour's work.
MAX_DAYS: dict[str, float] = {"backtest": 31.0, "replay": 7.0}
_EARLIEST_S, _LATEST_S = 1_230_940_800, 4_102_444_800  # 2009-01-03 (there was no bitcoin before) and 2100-01-01
_TIME = Annotated[int, Meta(ge=_EARLIEST_S, le=_LATEST_S)]


class WishError(ValueError):
    """A wish that cannot be run: ``field`` names what is wrong, the message what it is and what would do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run. ``source`` simulated takes ``days``, history takes ``from_s`` to ``to_s`` (epoch seconds, whole minutes)
    and ``train_days`` (0: the closed form decides; else a model built from this many first days, run on the rest)."""

    kind: Literal["backtest", "replay"]
    source: Literal["simulated", "history"]
    strategy: Annotated[str, Meta(max_length=40)]
    settings: dict[str, Any] = {}
    days: float | None = None
    from_s: _TIME | None = None
    to_s: _TIME | None = None
    train_days: Annotated[float, Meta(ge=0, le=31)] = 0.0
    seed: Annotated[int, Meta(ge=1, le=2_147_483_647)] = 1


def read_wish(raw: Mapping[str, Any]) -> Wish:
    """The wish of plain data, checked, its settings complete. Raises WishError naming the field."""
    try:
        wish = msgspec.convert(dict(raw), Wish)
    except msgspec.ValidationError as error:
        text = str(error)
        field = text.partition("$.")[2].partition("`")[0] if "$." in text else ""
        raise WishError(
            field.partition("[")[0] or "the wish", text.replace("$.", "").replace(" - at `$`", "")
        ) from None
    _check_period(wish)
    try:
        settings = settings_of(wish.strategy, changed(settings_of(wish.strategy, None), wish.settings))
    except SettingError as error:
        raise WishError("strategy" if "strategy" in str(error)[:10] else "settings", str(error)) from None
    return msgspec.structs.replace(wish, settings=to_builtins(settings))


def _check_period(wish: Wish) -> None:
    most = MAX_DAYS[wish.kind]
    if wish.source == "simulated":
        if wish.from_s is not None or wish.to_s is not None or wish.train_days:
            raise WishError(
                "source", "from, to and train_days are for stored history; simulated days take days and seed"
            )
        if wish.days is None or not math.isfinite(wish.days) or not MIN_DAYS <= wish.days <= most:
            said = "nothing" if wish.days is None else f"{wish.days:g}"
            raise WishError("days", f"days is {said}; a {wish.kind} takes {MIN_DAYS:g} to {most:g} simulated days")
        return
    if wish.days is not None:
        raise WishError("days", "days is for simulated days; stored history takes from and to")
    if wish.from_s is None or wish.to_s is None:
        missing = "from" if wish.from_s is None else "to"
        raise WishError(missing, f"{missing} is missing: stored history is run between two times")
    days = (wish.to_s - wish.from_s) / DAY_S
    if days < MIN_DAYS:
        raise WishError(
            "to",
            f"from {_day(wish.from_s)} to {_day(wish.to_s)} is {days:g} days; take {MIN_DAYS:g} or more, from before to",
        )
    if days > most:
        raise WishError(
            "to",
            f"from {_day(wish.from_s)} to {_day(wish.to_s)} is {days:g} days; a {wish.kind} takes at most {most:g}",
        )
    if wish.train_days > days - MIN_DAYS:
        raise WishError(
            "train_days", f"train_days {wish.train_days:g} leaves nothing to run on of {days:g} days; take less, or a longer period"
        )  # fmt: skip


def complete(wish: Wish) -> dict[str, Any]:
    """The wish as plain data, every key."""
    plain: dict[str, Any] = msgspec.to_builtins(wish)
    return plain


def monitor_of(wish: Wish) -> Monitor:
    """The one monitor of the run. SettingError when the strategy or its settings are not known to this release."""
    return Monitor(
        monitor_id="research", strategy=wish.strategy, series_ticker=SERIES, enabled=True,
        settings=settings_of(wish.strategy, wish.settings),
    )  # fmt: skip


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")


def period_words(wish: Wish) -> str:
    """What it runs on, in words."""
    if wish.source == "simulated":
        return f"{wish.days:g} simulated day{'' if wish.days == 1 else 's'}, seed {wish.seed}"
    model = f", model from the first {wish.train_days:g} days" if wish.train_days else ""
    return f"stored minutes {_day(wish.from_s or 0)} to {_day(wish.to_s or 0)} UTC{model}, seed {wish.seed}"
