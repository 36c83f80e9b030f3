"""What a service holds open is measured where it happens, told by its report, and an incident long before its limit ends it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pg import Cluster
from stack import wait_for

from recio.contract import Contract, parse
from recio.monitoring.health import read_report
from recio.monitoring.status import Status, Unit, collect
from recio.services.limit_alarms import LimitAlarms
from recio.store.db import Database

REPO = Path(__file__).parents[3]
SERVICE = "db_poller"
# Reports as every service does, and on each line of its input opens so many files more (or, with a minus, closes them).
LEAKING = f"""
import resource, sys
from recio.monitoring.health import Check
from recio.services.health import HealthFile
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
held = []
for line in sys.stdin:
    count = int(line)
    held += [open("/dev/null") for _ in range(count)]
    for file in held[:-count if count < 0 else 0]:
        file.close()
    del held[:-count if count < 0 else 0]
    HealthFile({SERVICE!r}, "simulated").write([Check("work", True)], 1.0)
"""


@pytest.fixture(scope="module")
def contract() -> Contract:
    home = REPO / "roles/contract/defaults/main.yml"
    return parse(yaml.safe_dump(yaml.safe_load(home.read_text())["contract"]), str(home))


class Leak:
    """A process that holds as many files as it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def more(self, count: int) -> None:
        before = report.at_s if (report := read_report(SERVICE)) else 0.0
        assert self.process.stdin
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        wait_for("its report", lambda: (report := read_report(SERVICE)) is not None and report.at_s > before)


@pytest.fixture
def leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Leak]:
    monkeypatch.setenv("RECIO_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(REPO / "app"))
    process = subprocess.Popen([sys.executable, "-c", LEAKING], stdin=subprocess.PIPE, text=True)
    yield Leak(process)
    process.kill()
    process.wait(20)


def look(contract: Contract, leak: Leak) -> Status:
    return collect(contract, "simulated", {SERVICE: Unit("running", leak.process.pid, 0)})


def test_a_service_that_leaks_files_is_an_incident_that_ends_with_it(
    database: Cluster, contract: Contract, leak: Leak
) -> None:
    db = Database("system_monitor", database.dsn("system_monitor"))
    alarms = LimitAlarms(contract, "system_monitor")
    alarms.start(db)

    def standing() -> list[str]:
        return [row["key"] for row in db.all("SELECT key FROM system.incidents WHERE closed_at IS NULL ORDER BY key")]

    leak.more(1)
    few = next(s for s in look(contract, leak).services if s.name == SERVICE)
    assert few.open_files is not None and 3 < few.open_files < 40
    assert few.threads == 1
    limit = contract.thresholds["files"]
    leak.more(int(contract.limits.nofile * limit.warning / 100))
    alarms.read(db, look(contract, leak).services, 0.0)
    assert standing() == [], "it has not lasted"
    alarms.read(db, look(contract, leak).services, limit.hold_s)
    assert standing() == [f"{SERVICE} files warning"], "of the twelve it alone"
    (said,) = db.all("SELECT cause, action FROM system.incidents")
    assert said["cause"].startswith(f"{SERVICE} files at 50 %") and said["action"] == limit.action
    after = LimitAlarms(contract, "system_monitor")
    after.start(db)
    leak.more(-int(contract.limits.nofile * limit.warning / 100))
    after.read(db, look(contract, leak).services, 0.0)
    assert standing() == []
    db.close()


def test_a_report_tells_what_the_kernel_would_not_tell_another_user(leak: Leak) -> None:
    leak.more(10)
    first = read_report(SERVICE)
    leak.more(5)
    second = read_report(SERVICE)
    assert first is not None and second is not None and first.open_files is not None
    assert second.open_files == first.open_files + 5
    held = len(list(Path(f"/proc/{leak.process.pid}/fd").iterdir()))
    assert second.open_files == held
    assert second.threads == 1
