"""Thresholds become incidents under the services' own rights, one at a time for a cause, over a restart too; and retention runs early."""

from __future__ import annotations

from typing import Any

import pytest
from pg import Cluster
from stack import Stack, wait_for

from recio.contract import Threshold
from recio.services.threshold_alarm import ThresholdAlarm
from recio.store.db import Database

DISK = Threshold(
    unit="percent", warning=80, critical=90, clear_warning=77, clear_critical=87, hold_s=0, action="Clean up"
)


def standing(db: Database) -> list[tuple[Any, Any]]:
    rows = db.all("SELECT key, severity FROM system.incidents WHERE closed_at IS NULL ORDER BY 1")
    return [(row["key"], row["severity"]) for row in rows]


@pytest.mark.parametrize("service", ["system_monitor", "kalshi_api_watchdog"])
def test_incidents_follow_the_figure_and_outlive_a_restart(database: Cluster, service: str) -> None:
    db = Database(service, database.dsn(service))
    alarm = ThresholdAlarm("host disk", DISK, service)
    alarm.start(db)
    assert alarm.read(db, 92, 0) == "critical"
    assert standing(db) == [("host disk critical", "critical")], "one cause, one incident"
    assert alarm.read(db, 80, 10) == "warning"
    assert standing(db) == [("host disk warning", "warning")]
    alarm.read(db, 91, 20)
    assert standing(db) == [("host disk critical", "critical"), ("host disk warning", "warning")], "it has not ended"

    after = ThresholdAlarm("host disk", DISK, service)  # the process after it
    after.start(db)
    assert after.level == "critical"
    assert after.read(db, 88, 0) == "critical", "inside the band nothing ends because a service was restarted"
    assert after.read(db, None, 10) == "critical"
    assert after.read(db, 50, 20) == ""
    assert standing(db) == []
    (said,) = db.all("SELECT cause, action FROM system.incidents WHERE key = 'host disk critical' ORDER BY 1 LIMIT 1")
    assert said == {"cause": "host disk at 91 %, critical from 90 %", "action": "Clean up"}
    db.close()


@pytest.mark.timeout(120)
def test_a_full_disk_has_what_is_past_its_age_removed_at_once_and_logged(desk: Stack) -> None:
    desk.db.run(
        "INSERT INTO system.host_samples (at, cpu_percent, memory_percent, disk_percent, detail)"
        " SELECT now() - interval '400 days' + n * interval '0.1 s', 1, 1, 1, '{}' FROM generate_series(1, 5050) n"
    )
    monitor = Database("system_monitor", desk.cluster.dsn("system_monitor"))
    monitor.notify("clean_up", "disk at 83 %")
    monitor.close()
    old = "SELECT count(*) AS n FROM system.host_samples WHERE at < now() - interval '390 days'"
    wait_for("the old samples' end", lambda: (desk.db.one(old) or {})["n"] == 0, 30)
    log = (desk.folder / "unified_production_coordinator.log").read_text()
    first, second = [line for line in log.splitlines() if "retention" in line][:2]
    assert 'why="disk at 83 %"' in first and "host_samples=5000" in first, first
    assert "host_samples=50 " in second + " ", f"what a batch left is not left for ten minutes: {second}"
