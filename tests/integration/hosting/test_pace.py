"""The pace of restarts by the script the units run: free at first, then slower, never given up, forgotten when somebody acts."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[3]
PACE = PROJECT / "roles/app/files/pace.sh"
RULE = yaml.safe_load((PROJECT / "roles/contract/defaults/main.yml").read_text())["contract"]["restarts"]
FIGURES = [str(RULE[name]) for name in ("window_s", "free", "most_s")]


def pace(folder: Path, *words: str, result: str = "success") -> str:
    environment = {"RUNTIME_DIRECTORY": str(folder), "SERVICE_RESULT": result, "PATH": "/usr/bin:/bin"}
    done = subprocess.run([str(PACE), *words], capture_output=True, text=True, env=environment, check=True)
    return done.stdout


def wait_s(folder: Path, ages: list[float]) -> int:
    """How long a start waits after failures of these ages, in seconds."""
    (folder / "failures").write_text("".join(f"{time.time() - age:.0f}\n" for age in sorted(ages, reverse=True)))
    return int(pace(folder, "say", *FIGURES))


def test_few_failures_cost_nothing_and_each_one_more_twice_as_much_to_the_most(tmp_path: Path) -> None:
    waits = [wait_s(tmp_path, [1.0] * count) for count in range(RULE["free"] + 8)]
    assert waits[: RULE["free"] + 1] == [0] * (RULE["free"] + 1)
    assert waits[RULE["free"] + 1 :] == [2, 4, 8, 16, 32, RULE["most_s"], RULE["most_s"]]
    assert wait_s(tmp_path, [RULE["window_s"] + 1.0] * 40) == 0, "what is long past is forgotten"


def test_a_service_that_never_stops_failing_is_not_given_up_and_stays_under_its_restarts_an_hour(
    tmp_path: Path,
) -> None:
    """An hour of a process that ends at once, by the clock of the failures' ages; RestartSec is a second."""
    now_s, failed = 0.0, []
    while now_s < 3600:
        failed.append(now_s)
        now_s += 1.0 + wait_s(tmp_path, [now_s - at for at in failed if now_s - at < RULE["window_s"]])
    assert RULE["per_hour"] * 0.8 < len(failed) <= RULE["per_hour"]
    assert failed[-1] > 3600 - RULE["most_s"] - 2, "and at the end of the hour it is still tried"


def test_failures_are_noted_and_an_end_that_was_asked_for_forgets_them(tmp_path: Path) -> None:
    for result in ("signal", "exit-code", "watchdog", "oom-kill"):
        (tmp_path / "health.json").write_text("{}")
        pace(tmp_path, "ended", result=result)
        assert not (tmp_path / "health.json").exists(), "nothing of the ended process stays"
    assert len((tmp_path / "failures").read_text().split()) == 4
    pace(tmp_path, "ended")
    assert list(tmp_path.iterdir()) == []


def test_somebody_who_does_not_want_to_wait_ends_the_wait_without_a_failure(tmp_path: Path) -> None:
    assert wait_s(tmp_path, [1.0] * 40) == RULE["most_s"]
    began_s = time.monotonic()
    process = subprocess.Popen(
        [str(PACE), "start", *FIGURES], stdout=subprocess.PIPE, text=True, start_new_session=True,
        env={"RUNTIME_DIRECTORY": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert process.stdout and f"again in {RULE['most_s']} s" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert time.monotonic() - began_s < 10
