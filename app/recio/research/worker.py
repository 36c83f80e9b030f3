"""``recio research work``: takes what the page asked for, one run after the other, and ends. It trades nothing and decides nothing.

    new --> running --> done        figures and report are on record
              |-------> failed      with what went wrong and the cure
     '--------'-------> cancelled   within a second of being asked

Each run is a child process (research.child); this one stays small, says twice a second that it lives, and ends the child
when the run is to be cancelled. What a worker that died left running is failed by the next one, under the same lock.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from recio.monitoring.reports import report_name, reports_folder
from recio.research import shelf
from recio.research.progress import overall
from recio.store import research_runs as runs
from recio.store.db import Database

__all__ = ["LOST", "close_left", "work"]

BEAT_S = 0.5
_NUMBERS = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
LOST = ("its worker ended before the run did: killed, out of memory, or the machine restarted", "start it again")
_STOPPED = {"state": "failed", "error": "the desk was stopped or restarted while it ran", "cure": LOST[1]}
Row = dict[str, Any]


def work(db: Database) -> int:
    """Do everything that waits; gives how many. Another worker at it: 0, and that one finds ours too."""
    if not runs.try_lock(db):
        return 0
    _closed(runs.close_lost(db, *LOST))
    _tidy(db)
    ended = False

    def stop(*_: object) -> None:
        nonlocal ended
        ended = True

    before = signal.signal(signal.SIGTERM, stop)
    done = 0
    try:
        while not ended:
            runs.cancel_waiting(db)
            row = runs.take_run(db)
            if row is None:
                break
            done += 1
            _do(db, row, lambda: ended)
            _tidy(db)
    finally:
        signal.signal(signal.SIGTERM, before)
    return done


def close_left(db: Database, result: str) -> int:
    """After the unit ended: fail what it left running. ``result`` is systemd's SERVICE_RESULT. The number of runs."""
    if not runs.try_lock(db):
        return 0
    why = f"its worker ended before the run did ({result})" if result else LOST[0]
    cure = "choose a shorter period: it ran out of memory" if "oom" in result else LOST[1]
    return runs.close_lost(db, why, cure)


def _closed(count: int) -> None:
    if count:
        print(f"{count} runs of a worker that is gone: failed", flush=True)


def _tidy(db: Database) -> None:
    """Keep the folder within its share: what nobody knows goes first, then the oldest."""
    folder, kept = reports_folder(), runs.kept_reports(db)
    stray = shelf.sweep(folder, kept)
    for name in kept:
        if not (folder / name).is_dir():
            runs.drop_report(db, name)  # somebody removed it
    sizes = [(name, shelf.size_of(folder / name)) for name in kept]
    gone = shelf.to_drop(sizes, shelf.SHARE_MB * 1024 * 1024)
    for name in gone:
        runs.drop_report(db, name)
    shelf.fold(folder, gone)
    if stray or gone:
        print(
            f"reports: {len(gone)} oldest dropped to stay within {shelf.SHARE_MB} MB, {len(stray)} unfinished removed",
            flush=True,
        )


def _do(db: Database, row: Row, stopping: Any) -> None:
    run_id, folder, name = row["run_id"], reports_folder(), report_name(row["run_id"])
    began_s = time.monotonic()
    try:
        place = shelf.staging(folder, name)
    except OSError as failure:
        outcome: Row = {
            "state": "failed", "error": f"{folder} cannot be written: {failure.strerror}", "cure": "deploy again: it makes the folder",
        }  # fmt: skip
    else:
        outcome = _supervised(db, row, place, stopping)
        if outcome["state"] == "done":
            shelf.put(folder, name)
            outcome["report"] = name
        else:
            shelf.fold(folder, [place.name])
    runs.finish_run(db, run_id, **outcome)
    why = f": {outcome['error']}" if outcome.get("error") else ""
    print(
        f"run {run_id} of {row['asked_by']}: {outcome['state']} after {time.monotonic() - began_s:.1f} s{why}",
        flush=True,
    )


def _supervised(db: Database, row: Row, place: Path, stopping: Any) -> Row:
    """One run in its child: the keywords of finish_run. The child is gone afterwards, whatever happened."""
    kind = str(row["wish"].get("kind"))
    if kind not in ("backtest", "replay"):
        return {"state": "failed", "error": f"{kind[:40]!r} is no kind of run", "cure": "start a backtest or a replay"}
    child = subprocess.Popen(  # noqa: S603 - fixed words
        [sys.executable, "-m", "recio.research.child", str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=os.environ | _NUMBERS,
    )  # fmt: skip
    try:
        return _followed(db, row["run_id"], kind, child, msgspec.json.encode(row["wish"]), stopping)
    finally:
        child.kill()
        child.wait()


def _followed(db: Database, run_id: int, kind: str, child: subprocess.Popen[bytes], wish: bytes, stopping: Any) -> Row:
    assert child.stdin is not None and child.stdout is not None  # noqa: S101 - asked for
    child.stdin.write(wish)
    child.stdin.close()
    source = child.stdout.fileno()
    os.set_blocking(source, False)
    percent, words, waiting, last, open_ = 0, "starting", b"", {}, True
    with selectors.DefaultSelector() as ready:
        ready.register(source, selectors.EVENT_READ)
        beat_s = 0.0
        while open_:
            if ready.select(BEAT_S):
                data = os.read(source, 1 << 16)
                open_, waiting = bool(data), waiting + data
                *lines, waiting = waiting.split(b"\n")
                for line in lines:
                    last = msgspec.json.decode(line)
                    if "said" in last:
                        words = str(last["said"])
                        percent = overall(kind, words, percent)
            if time.monotonic() - beat_s >= BEAT_S and open_:
                beat_s = time.monotonic()
                if runs.beat(db, run_id, percent, words):
                    return {"state": "cancelled"}
                runs.cancel_waiting(db)
                if stopping():
                    return dict(_STOPPED)
    status = child.wait()
    return dict(_STOPPED) if stopping() and status < 0 else _told(last, status)  # systemd tells the child as well


def _told(last: Row, status: int) -> Row:
    """The outcome from the child's last line and how it ended."""
    if "summary" in last and status == 0:
        return {"state": "done", "summary": last["summary"], "report_bytes": last["bytes"]}
    if "error" in last:
        return {"state": "failed", "error": str(last["error"]), "cure": str(last["cure"])}
    if status < 0:
        name = signal.Signals(-status).name
        return {
            "state": "failed",
            "error": f"the process that ran it was ended by {name}",
            "cure": "a shorter period needs less memory; the host's log has more",
        }
    return {
        "state": "failed",
        "error": f"the process that ran it ended with status {status}",
        "cure": "the host's log has more (journalctl -u recio-research)",
    }
