"""Reading recorded prices: what is accepted, what is refused and how it is said, and the path between four prices."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from recio.market.candles import CandleError, OutsideRecording, read_prices
from recio.market.recording import Recording

HEAD = "timestamp,open,high,low,close,volume\n"
ROW = "2022-01-01 00:0{}:00.000000,100.0,101.5,99.25,100.5,12.5\n"
START = 1_640_995_200.0  # 2022-01-01T00:00:00Z


def minutes(*which: int) -> str:
    return HEAD + "".join(ROW.format(n) for n in which)


def read(text: str, **more: float) -> Recording:
    return read_prices(io.StringIO(text), "file.csv", **more)  # type: ignore[arg-type]


def test_candles_are_read_in_cents() -> None:
    found = read(minutes(0, 1, 2))
    assert (found.kind, len(found), found.start_s, found.end_s) == ("candles", 3, START, START + 179)
    assert found.candle(START + 61) == (10_000, 10_150, 9_925, 10_050)
    assert found.span() == (START, START + 179)
    assert found.gaps == []


@pytest.mark.parametrize(
    "stamp",
    [
        "2022-01-01 00:00:00",
        "2022-01-01T00:00:00Z",
        "2022-01-01T01:00:00+01:00",
        "2022-01-01 00:00:00.000000",
        "1640995200",
        "1640995200.0",
        "1640995200000",
    ],
)
def test_times_as_people_write_them(stamp: str) -> None:
    assert read(f"{stamp},1,2,0.5,1.5\n").start_s == START
    assert read(f"{stamp},1.5\n").start_s == START


def test_windows_line_ends_a_mark_and_blank_lines_do_not_matter() -> None:
    text = "\ufeff" + minutes(0, 1).replace("\n", "\r\n") + "\r\n\r\n"
    assert len(read(text)) == 2


def test_ticks_hold_until_the_next() -> None:
    found = read("timestamp,price,size\n2022-01-01 00:00:00.5,100,1\n2022-01-01 00:00:03,101.239,2\n1640995205,99\n")
    assert (found.kind, found.start_s, found.end_s) == ("ticks", START + 1, START + 5)
    assert [found.price_at(START + n) for n in range(1, 6)] == [10_000, 10_000, 10_124, 10_124, 9_900]


def test_beyond_the_ends_there_is_no_price() -> None:
    found = read(minutes(0))
    for at in (START - 1, START + 60):
        with pytest.raises(OutsideRecording, match="2022-01-01 00:00:00 to 2022-01-01 00:00:59"):
            found.price_at(at)
    assert found.looped(START + 60) == found.price_at(START + 58)
    assert found.looped(START - 1) == found.price_at(START + 1)


def test_a_minute_visits_its_four_prices() -> None:
    found = read(minutes(0, 1), noise=0.5)
    path = [found.price_at(START + n) for n in range(60)]
    assert (path[0], path[59], min(path), max(path)) == (10_000, 10_050, 9_925, 10_150)
    assert path.index(9_925) < path.index(10_150)  # a rising minute goes down first
    falling = read("2022-01-01 00:00:00,100,101,99,99.5\n")
    down = [falling.price_at(START + n) for n in range(60)]
    assert down.index(10_100) < down.index(9_900)


def test_the_path_depends_on_seed_and_noise_alone() -> None:
    text = minutes(*range(9))
    path = [read(text, seed=3, noise=0.3).price_at(START + n) for n in range(540)]
    assert path == [read(text, seed=3, noise=0.3).price_at(START + n + 0.7) for n in range(540)]
    assert path != [read(text, seed=4, noise=0.3).price_at(START + n) for n in range(540)]
    assert path != [read(text, seed=3).price_at(START + n) for n in range(540)]


def test_short_gaps_are_bridged_and_reported() -> None:
    found = read(HEAD + "2022-01-01 00:00:00,1,1,1,1,0\n2022-01-01 00:04:00,5,5,5,5,0\n")
    assert len(found) == 5
    assert [(gap.after_line, gap.minutes) for gap in found.gaps] == [(2, 3)]
    assert [found.candle(START + 60 * n)[3] for n in range(5)] == [100, 233, 366, 500, 500]


def test_long_gaps_are_refused_by_name() -> None:
    text = minutes(0, 7)
    with pytest.raises(
        CandleError, match=r"file\.csv line 3: 6 minutes are missing between line 2 .*at most 5 are bridged"
    ):
        read(text)
    assert len(read(text, max_gap_minutes=6)) == 8
    with pytest.raises(CandleError, match="line 2: 60 minutes without a tick"):
        read("1640995200,1\n1640998800,1\n")


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        ("2022-01-01 00:02:00,100,101,99,nan,1", "'nan' is not between"),
        ("2022-01-01 00:02:00,100,101,99,inf,1", "'inf' is not between"),
        ("2022-01-01 00:02:00,100,101,99,-5,1", "'-5' is not between"),
        ("2022-01-01 00:02:00,100,101,99,0,1", "'0' is not between"),
        ("2022-01-01 00:02:00,100,101,99,,1", "'' is not a price"),
        ("2022-01-01 00:02:00,100,99,101,100,1", "low <= open, close <= high"),
        ("2022-01-01 00:02:30,100,101,99,100,1", "not the start of a minute"),
        ("yesterday,100,101,99,100,1", "'yesterday' is not a time"),
        ("nan,100,101,99,100,1", "'nan' is not a time"),
        ("12,100,101,99,100,1", "not a time between 2009 and 2100"),
        ("2022-13-01 00:02:00,100,101,99,100,1", "is not a time"),
        ("2022-01-01 00:01:00,100,101,99,100,1", "repeats the minute before"),
        ("2022-01-01 00:00:00,100,101,99,100,1", "goes back in time"),
        ("2022-01-01 00:02:00,100", "2 columns"),
        ("<html><body>", "1 columns"),
        ("\x00\x01\x02", "1 columns"),
    ],
)
def test_garbage_names_the_line_the_text_and_a_cure(bad: str, what: str) -> None:
    with pytest.raises(CandleError) as caught:
        read(minutes(0, 1) + bad + "\n")
    said = str(caught.value)
    assert said.startswith("file.csv line 4: ")
    assert what in said
    assert repr(bad.strip())[:20] in said
    assert said.count("; ") >= 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        (HEAD, "no prices"),
        ("timestamp,close,open\n1,2,3\n", "line 1: the header is not known"),
        ("a,b,c,d\n", "line 1: 4 columns"),
    ],
)
def test_a_file_that_is_no_price_file(text: str, what: str) -> None:
    with pytest.raises(CandleError, match=what):
        read(text)


def test_a_file_on_disk(tmp_path: Path) -> None:
    place = tmp_path / "prices.csv"
    place.write_text(minutes(0, 1))
    with place.open(encoding="utf-8") as lines:
        assert len(read_prices(lines, str(place))) == 2
    place.write_bytes(b"\x89PNG\xff\xfe\x00")
    with place.open(encoding="utf-8") as lines, pytest.raises(CandleError, match=r"prices\.csv: not a text file"):
        read_prices(lines, str(place))


def test_a_very_long_line_is_not_repeated_whole() -> None:
    with pytest.raises(CandleError) as caught:
        read(HEAD + "x" * 100_000)
    assert len(str(caught.value)) < 400


def test_an_empty_recording_and_rows_out_of_order_are_errors() -> None:
    empty = Recording()
    with pytest.raises(OutsideRecording, match="no prices"):
        empty.price_at(0)
    empty.put_candle(5, (1, 1, 1, 1))
    with pytest.raises(ValueError, match="minute 7 does not follow 5"):
        empty.put_candle(7, (1, 1, 1, 1))
    ticks = Recording(kind="ticks")
    ticks.put_tick(5.0, 1)
    with pytest.raises(ValueError, match=r"4\.0 is older"):
        ticks.put_tick(4.0, 1)
    with pytest.raises(ValueError, match="noise is 2"):
        Recording(noise=2)
