"""A wish is bounded: what the page or a program may ask of research, and what the refusal says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.trading.strategies import STRATEGIES
from recio.trading.wish import DAY_S, MAX_DAYS, WishError, complete, monitor_of, period_words, read_wish

DAYS: dict[str, Any] = {"kind": "backtest", "source": "simulated", "strategy": "quarter_hour", "days": 7}
FROM = 1_760_000_000 // DAY_S * DAY_S
HISTORY: dict[str, Any] = {
    "kind": "backtest", "source": "history", "strategy": "quarter_hour", "from_s": FROM, "to_s": FROM + 3 * DAY_S,
}  # fmt: skip


def test_a_wish_is_completed_and_stays_what_it_is() -> None:
    wish = read_wish(DAYS | {"settings": {"min_probability_percent": 90, "stop": {"take_profit_e4": 9700}}})
    assert wish.settings["min_probability_percent"] == 90
    assert wish.settings["stop"]["take_profit_e4"] == 9700
    assert wish.settings["max_ask_e4"] == STRATEGIES["quarter_hour"].settings().max_ask_e4, "the rest is the default"
    assert read_wish(complete(wish)) == wish
    assert monitor_of(wish).settings.stop.take_profit_e4 == 9700
    assert period_words(wish) == "7 simulated days, seed 1"
    assert "2025-10-09 to 2025-10-12 UTC" in period_words(read_wish(HISTORY))


@pytest.mark.parametrize(
    ("raw", "field", "said"),
    [
        (DAYS | {"days": 31.1}, "days", "0.05 to 31"),
        (DAYS | {"kind": "replay", "days": 8}, "days", "0.05 to 7"),
        (DAYS | {"days": 0.01}, "days", "0.01"),
        (DAYS | {"days": float("nan")}, "days", "nan"),
        (DAYS | {"days": None}, "days", "nothing"),
        (DAYS | {"from_s": FROM}, "source", "stored history"),
        (DAYS | {"train_days": 1}, "source", "stored history"),
        (DAYS | {"kind": "trade"}, "kind", "trade"),
        (DAYS | {"source": "/etc/passwd"}, "source", "/etc/passwd"),
        (DAYS | {"strategy": "nobody"}, "strategy", "quarter_hour"),
        (DAYS | {"settings": {"nothing": 1}}, "settings", "nothing"),
        (DAYS | {"settings": {"min_probability_percent": 101}}, "settings", "100"),
        (DAYS | {"settings": {"stop": 1}}, "settings", "stop"),
        (DAYS | {"seed": 0}, "seed", "1"),
        (DAYS | {"out": "/tmp/x"}, "the wish", "out"),
        (HISTORY | {"to_s": None}, "to", "missing"),
        (HISTORY | {"to_s": FROM}, "to", "from before to"),
        (HISTORY | {"to_s": FROM + 32 * DAY_S}, "to", "at most 31"),
        (HISTORY | {"days": 3}, "days", "from and to"),
        (HISTORY | {"train_days": 3}, "train_days", "leaves nothing"),
        (HISTORY | {"from_s": 1}, "from_s", "1230940800"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(raw: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(WishError) as refused:
        read_wish(raw)
    assert refused.value.field == field, str(refused.value)
    assert said in str(refused.value)


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from(["kind", "source", "strategy", "settings", "days", "from_s", "to_s", "train_days", "seed", "x"]),
    _JUNK,
)
def test_whatever_is_written_into_the_row_is_read_or_refused(key: str, value: Any) -> None:
    for base in (DAYS, HISTORY):
        try:
            wish = read_wish(base | {key: value})
        except WishError:
            continue
        days = wish.days if wish.source == "simulated" else ((wish.to_s or 0) - (wish.from_s or 0)) / DAY_S
        assert days is not None and 0.05 <= days <= MAX_DAYS[wish.kind]
