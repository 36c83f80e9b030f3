#!/usr/bin/env python3
"""Lets a trial host trade for hours and says what grows (`make soak NAME=trial HOURS=2`).

Every minute one contract is bought and one look is kept in build/soak/NAME.jsonl; at the end: memory, open files, tables,
logs and latency with their slope, that of the second half and what 30 days of it would be, and the incidents that nobody's fault explains.
Exit code 1 when a service grew, was restarted or was not healthy, or an incident was raised that had not stood before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT / "tests" / "host"), str(PROJECT / "scripts")]

import yaml  # noqa: E402
from desk import Desk  # noqa: E402
from tester import tester_password  # noqa: E402
from trialhost.summary import table  # noqa: E402

PROGRAM = PROJECT / "tests/faults/on_host/sample.py"
PYTHON = "/opt/recio/current/venv/bin/python -"
DAYS = 30
CONTRACT = yaml.safe_load((PROJECT / "roles/contract/defaults/main.yml").read_text())["contract"]
# What counts as growth of one process, in the second half of a soak: in the first a heap still settles. It is much: 0.5 MB an hour would
# be 360 MB in 30 days, so the last column is to be read as well, and a soak of a day to be held to less.
MOST_MB_PER_H, MOST_FILES_PER_H = 0.5, 0.5
Sample = dict[str, Any]


def look(facts: dict[str, str]) -> Sample:
    """One sample of the host; RuntimeError when it does not answer."""
    words = ["ssh", "-F", facts["ssh_config"], facts["host"], PYTHON]
    done = subprocess.run(words, input=PROGRAM.read_text(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"no sample of {facts['host']}: {done.stderr.strip()[-400:]}")
    sample: Sample = json.loads(done.stdout)
    return sample


def buy_one(desk: Desk) -> str:
    """One contract bought on a short market; what became of it. A market that ran away is no fault of the desk."""
    offers = desk.offers()
    if not offers:
        return "no offer"
    answer = desk.buy(offers[0])
    return str(answer.body.get("state", answer.error)) if answer.status == 200 else f"{answer.status} {answer.error}"


def slope_per_h(samples: Sequence[Sample], value: Callable[[Sample], float | None]) -> float:
    """Least squares over all samples that have the value, per hour; 0.0 with fewer than two."""
    points = [(s["at_s"] / 3600, v) for s in samples if (v := value(s)) is not None]
    if len(points) < 2:
        return 0.0
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope


def measured(samples: Sequence[Sample]) -> list[tuple[str, str, Callable[[Sample], float | None]]]:
    """Name, unit and reading of everything that could grow."""
    last = samples[-1]
    rows: list[tuple[str, str, Callable[[Sample], float | None]]] = []
    for name in last["services"]:
        rows.append((name, "MB", lambda s, n=name: s["services"][n]["pss_mb"]))
        rows.append((f"{name} files", "", lambda s, n=name: s["services"][n].get("open_files")))
    rows.append(("the twelve", "MB", lambda s: sum(one["pss_mb"] or 0 for one in s["services"].values())))
    rows.append(("postgresql", "MB", lambda s: s["postgresql_mb"]))
    rows.append(("connections", "", lambda s: s["connections"]))
    rows.append(("database", "MB", lambda s: s["database_mb"]))
    for name in last["tables_mb"]:
        rows.append((name, "MB", lambda s, n=name: s["tables_mb"].get(n)))
    for name in last["folders_mb"]:
        rows.append((f"folder {name}", "MB", lambda s, n=name: s["folders_mb"][n]))
    rows.append(("exchange latency", "ms", lambda s: s["latency_ms"]))
    return rows


def cpu_percent(samples: Sequence[Sample], name: str) -> float | None:
    """Share of one core between the first and the last sample; None when the process is another one."""
    first, last = samples[0], samples[-1]
    one, other = first["services"][name], last["services"][name]
    if one.get("pid") != other.get("pid") or "cpu_s" not in one:
        return None
    return 100.0 * float(other["cpu_s"] - one["cpu_s"]) / float(last["at_s"] - first["at_s"])


def faults(samples: Sequence[Sample], slopes: dict[str, float]) -> list[str]:
    """Everything a soak must not show."""
    first, last = samples[0], samples[-1]
    found = []
    for name, one in last["services"].items():
        ill = [s["services"][name]["reason"] for s in samples if not s["services"][name]["healthy"]]
        if ill:
            found.append(f"{name} was not healthy in {len(ill)} of {len(samples)} looks: {ill[0]}")
        if one["restarts"] != first["services"][name]["restarts"]:
            found.append(f"{name} was restarted")
        if slopes[name] > MOST_MB_PER_H:
            found.append(f"{name} grows by {slopes[name]:.2f} MB an hour")
        if slopes[f"{name} files"] > MOST_FILES_PER_H:
            found.append(f"{name} opens {slopes[f'{name} files']:.2f} files an hour more")
    found += [
        f"incident {i['key']} ({i['severity']}): {i['cause']}"
        for i in last["incidents"]
        if i["opened_s"] >= first["at_s"]
    ]
    return found


def report(samples: Sequence[Sample]) -> int:
    """Print the table and what is wrong; the exit code."""
    hours = (samples[-1]["at_s"] - samples[0]["at_s"]) / 3600
    slopes, rows = {}, []
    for name, unit, value in measured(samples):
        slopes[name] = slope = slope_per_h(samples[len(samples) // 2 :], value)
        values = [v for s in samples if (v := value(s)) is not None]
        rows.append(
            (name, f"{values[0]:.1f}", f"{values[-1]:.1f} {unit}", f"{max(values):.1f}", f"{slope_per_h(samples, value):+.3f}",
             f"{slope:+.3f}", f"{values[-1] + slope * 24 * DAYS:.0f} {unit}")
        )  # fmt: skip
    head = ("what", "first", "last", "most", "an hour", "2nd half", f"after {DAYS} days")
    print(table([head, *rows]))
    shares = {name: cpu_percent(samples, name) for name in samples[-1]["services"]}
    print("CPU, percent of one core: " + ", ".join(f"{n} {v:.1f}" for n, v in shares.items() if v is not None))
    told = sorted(s["latency_ms"] for s in samples if s["latency_ms"] is not None)
    if told:
        print(f"exchange latency: median {statistics.median(told):.1f} ms, most {told[-1]:.1f} ms")
    print(f"{hours:.2f} hours, {len(samples)} looks, {samples[-1]['trades'] - samples[0]['trades']} trades made")
    total_mb = max(sum(one["pss_mb"] or 0 for one in s["services"].values()) for s in samples)
    wrong = faults(samples, slopes)
    if total_mb > CONTRACT["memory"]["python_total_mb"]:
        wrong.append(
            f"the twelve held {total_mb:.1f} MB together, the contract allows {CONTRACT['memory']['python_total_mb']}"
        )
    print("\n".join(f"WRONG {one}" for one in wrong) or "nothing wrong: no false alarm, no restart, no growth")
    return 1 if wrong else 0


def main() -> int:
    """Soak, or only report what a file holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="trial", help="the host (default: trial)")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--every-s", type=float, default=60.0, help="seconds between two looks (default: 60)")
    parser.add_argument("--warm-up-s", type=float, default=600.0, help="left out of slopes (default: 600)")
    parser.add_argument("--report", action="store_true", help="only say what was measured so far")
    given = parser.parse_args()
    kept = PROJECT / "build" / "soak" / f"{given.name}.jsonl"
    if not given.report:
        facts = json.loads((PROJECT / "build" / f"{given.name}.json").read_text())
        kept.parent.mkdir(parents=True, exist_ok=True)
        desk = Desk(facts["url"], facts["ca_file"])
        desk.log_in(facts["admin_user"], tester_password(facts))
        ends_s = time.time() + given.hours * 3600
        with kept.open("w", encoding="utf-8") as file:
            while (now_s := time.time()) < ends_s:
                try:
                    bought = buy_one(desk)
                except (urllib.error.URLError, TimeoutError, AssertionError) as failure:
                    bought = f"failed: {failure}"
                sample = look(facts) | {"bought": bought}
                file.write(json.dumps(sample) + "\n")
                file.flush()
                ill = [name for name, one in sample["services"].items() if not one["healthy"]]
                total_mb = sum(one["pss_mb"] or 0 for one in sample["services"].values())
                left = f"{(ends_s - now_s) / 60:5.0f} min left"
                print(
                    f"{left}  {total_mb:.0f} MB  {sample['latency_ms'] or 0:.1f} ms  {bought:<10} {ill or ''}",
                    flush=True,
                )
                time.sleep(max(0.0, now_s + given.every_s - time.time()))
    samples = [json.loads(line) for line in kept.read_text().splitlines()]
    warm = [s for s in samples if s["at_s"] - samples[0]["at_s"] >= given.warm_up_s] or samples
    if len(warm) < 2:
        print("error: fewer than two looks: nothing can be said of growth", file=sys.stderr)
        return 1
    return report(warm)


if __name__ == "__main__":
    sys.exit(main())
