"""The worker's small parts: progress as one number, the thinned curve, what retention drops."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import recording

from recio.market.history import minute_candles
from recio.research import shelf
from recio.research.errors import ResearchError
from recio.research.execute import stored
from recio.research.progress import overall
from recio.research.summary import CURVE_POINTS, thinned
from recio.trading.wish import Wish, read_wish


@given(
    st.sampled_from(["backtest", "replay"]),
    st.lists(
        st.text(max_size=12)
        | st.integers(0, 100).map(lambda n: f"{n:3d} %  of the path")
        | st.integers(0, 100).map(lambda n: f"{n:3d} %  4 trades")
    ),
)
def test_progress_only_grows_and_is_never_done_before_the_end(kind: str, said: list[str]) -> None:
    percent = 0
    for text in said:
        after = overall(kind, text, percent)
        assert percent <= after <= 99
        percent = after


def test_progress_of_a_simulated_backtest() -> None:
    steps = ["  0 %  of the path", " 50 %  of the path", "volatility and momentum", " 50 %  9 trades", "calibration"]
    percent, seen = 0, []
    for text in steps:
        percent = overall("backtest", text, percent)
        seen.append(percent)
    assert seen == [0, 22, 46, 71, 92]


_POINTS = st.lists(st.integers(-(10**9), 10**9), max_size=1500).map(
    lambda values: [(60.0 * n, v) for n, v in enumerate(values)]
)


@given(_POINTS)
def test_a_thinned_curve_keeps_ends_and_extremes(points: list[tuple[float, int]]) -> None:
    kept = thinned(points)
    assert len(kept) <= CURVE_POINTS
    assert set(kept) <= {(round(at), v) for at, v in points}
    if points:
        assert (kept[0], kept[-1]) == ((0, points[0][1]), (round(points[-1][0]), points[-1][1]))
        assert min(v for _, v in kept) == min(v for _, v in points)
        assert max(v for _, v in kept) == max(v for _, v in points)
        assert [at for at, _ in kept] == sorted({at for at, _ in kept})


def test_the_oldest_reports_go_first_and_the_newest_stays() -> None:
    sizes = [("run-000001", 40), ("run-000002", 40), ("run-000003", 40)]
    assert shelf.to_drop(sizes, 120) == []
    assert shelf.to_drop(sizes, 80) == ["run-000001"]
    assert shelf.to_drop(sizes, 1) == ["run-000001", "run-000002"]
    assert shelf.to_drop([], 1) == []


def test_a_report_appears_whole_and_what_a_dead_worker_left_goes(tmp_path: Path) -> None:
    place = shelf.staging(tmp_path, "run-000007")
    (place / "report.json").write_text("{}")
    assert not (tmp_path / "run-000007").exists()
    shelf.put(tmp_path, "run-000007")
    assert shelf.size_of(tmp_path / "run-000007") == 2
    shelf.staging(tmp_path, "run-000008")
    (tmp_path / "run-000009").mkdir()
    (tmp_path / "notes").mkdir()
    assert shelf.sweep(tmp_path, ["run-000007"]) == [".new-run-000008", "run-000009"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "run-000007"], "what is not ours stays"


def _history(minutes: int) -> tuple[list[tuple[float, int, int, int, int]], Wish]:
    rows = list(minute_candles(recording(minutes)))
    wish = {
        "kind": "backtest",
        "source": "history",
        "strategy": "quarter_hour",
        "from_s": int(rows[0][0]),
        "to_s": int(rows[-1][0]) + 60,
    }
    return rows, read_wish(wish)


def test_stored_minutes_are_the_file_of_them() -> None:
    rows, wish = _history(300)
    made = stored(rows, wish)
    assert list(minute_candles(made)) == rows
    assert [v for _, v in zip(range(3), stored(rows[:100] + rows[103:], wish).gaps, strict=False)], (
        "a small hole is bridged"
    )


@pytest.mark.parametrize(
    ("cut", "said"),
    [(slice(0, 0), "no minute"), (slice(0, 200), "only"), (slice(50, 300), "only")],
)
def test_what_is_not_stored_is_named(cut: slice, said: str) -> None:
    rows, wish = _history(300)
    with pytest.raises(ResearchError, match=said) as refused:
        stored(rows[cut], wish)
    assert "recio history fetch" in str(refused.value)


def test_a_hole_is_named() -> None:
    rows, wish = _history(300)
    with pytest.raises(ResearchError, match=r"10 minutes from .* are not stored"):
        stored(rows[:100] + rows[110:], wish)
