"""``python -m recio.research.child FOLDER``: one run in a process of its own. A wish comes in on stdin, lines of JSON go out.

    {"said": "…"}                    what it does now
    {"summary": {…}, "bytes": n}     the report lies in FOLDER
    {"error": "…", "cure": "…"}      it cannot be done

It ends by itself when whoever started it is gone: its next line has nowhere to go. Memory goes back with the process.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from recio.research.errors import ResearchError
from recio.store import models
from recio.store.db import Database
from recio.trading.settings import SettingError
from recio.trading.wish import Wish, WishError, read_wish

__all__ = ["main"]

_WARM_UP_S = 3660  # an hour of prices goes before the first market: volatility needs it
_CURES = {
    "memory": "choose a shorter period: memory grows by about 20 MB a day",
    "words": "start it again with other values",
    "here": "this is a fault of the desk: the host's log has more (journalctl -u recio-research)",
}


def _say(line: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


def _candles(wish: Wish) -> list[tuple[float, int, int, int, int]]:
    if wish.source != "history":
        return []
    db = Database("research run")
    try:
        return models.candles(db, (wish.from_s or 0) - (0 if wish.train_days else _WARM_UP_S), wish.to_s or 0)
    finally:
        db.close()


def _run(folder: Path) -> dict[str, Any]:
    wish = read_wish(msgspec.json.decode(sys.stdin.buffer.read()))
    from recio.research.execute import run_wish  # late: numpy
    from recio.research.report import write_report
    from recio.research.summary import summarised

    report = run_wish(wish, _candles(wish), lambda text: _say({"said": text.strip()}))
    _say({"said": "writing the report"})
    files = write_report(report, folder)
    return {"summary": summarised(report), "bytes": sum(path.stat().st_size for path in files)}


def main() -> None:
    """Run the wish; the last line says how it ended."""
    from recio.market.calibration import TrainedOnError

    try:
        _say(_run(Path(sys.argv[1])))
    except (WishError, SettingError, ResearchError, TrainedOnError) as refused:
        _say({"error": str(refused), "cure": _CURES["words"]})
    except MemoryError:
        _say({"error": "it needed more memory than research may have", "cure": _CURES["memory"]})
    except OSError as failure:
        if isinstance(failure, BrokenPipeError):
            raise
        _say({"error": f"the report could not be written: {failure.strerror or failure}", "cure": _CURES["here"]})


if __name__ == "__main__":
    main()
