"""One look at a deployed host for the soak, as root with the release's own Python: prints one JSON object.

Memory in MB of PSS, CPU in seconds since the process began, sizes in MB, latency in milliseconds.
"""

import json
import subprocess
import time
from pathlib import Path

import psutil

from recio.contract import load
from recio.contract.settings import load_settings
from recio.monitoring.status import collect, units
from recio.store.db import Database
from recio.store.market_data import exchange_state

contract, settings = load(), load_settings()
db = Database("soak", "dbname=rec_io_db user=postgres host=/var/run/postgresql")
known = units(list(contract.services))
status = collect(contract, settings.mode, known)


def process(pid: int) -> dict[str, float | int]:
    """What the kernel counts of a process; nothing where there is none."""
    if not pid:
        return {}
    found = psutil.Process(pid)
    times = found.cpu_times()
    return {
        "pid": pid,
        "cpu_s": times.user + times.system,
        "open_files": found.num_fds(),
        "threads": found.num_threads(),
    }


def folder_mb(path: str) -> float:
    """Space taken on the disk, as the budgets count it."""
    done = subprocess.run(["du", "-s", "--block-size=1K", path], capture_output=True, text=True, check=False)
    return int((done.stdout or "0").split()[0]) / 1024


def postgresql_mb() -> float:
    """PSS of the cluster's processes."""
    kilobytes = 0
    for status_file in Path("/proc").glob("[0-9]*/comm"):
        if status_file.read_text().strip() == "postgres":
            rollup = (status_file.parent / "smaps_rollup").read_text()
            kilobytes += int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])
    return kilobytes / 1024


state = exchange_state(db, settings.mode) or {}
print(
    json.dumps(
        {
            "at_s": time.time(),
            "services": {
                s.name: {
                    "healthy": s.healthy,
                    "reason": s.reason,
                    "pss_mb": s.pss_mb,
                    "restarts": s.restarts,
                }
                | process(known[s.name].pid)
                for s in status.services
            },
            "postgresql_mb": postgresql_mb(),
            "database_mb": db.all("SELECT pg_database_size(current_database()) / 1048576.0 AS mb")[0]["mb"],
            "tables_mb": {
                row["name"]: row["mb"]
                for row in db.all(
                    "SELECT n.nspname || '.' || c.relname AS name, pg_total_relation_size(c.oid) / 1048576.0 AS mb"
                    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                    " WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
                    " ORDER BY 2 DESC LIMIT 12"
                )
            },
            "folders_mb": {name: folder_mb(directory.path) for name, directory in contract.directories.items()},
            "connections": db.all("SELECT count(*) AS n FROM pg_stat_activity WHERE backend_type = 'client backend'")[
                0
            ]["n"],
            "latency_ms": state.get("latency_ms"),
            "trades": db.all("SELECT count(*) AS n FROM users.trades")[0]["n"],
            "incidents": db.all(
                "SELECT key, severity, cause, seen_by, extract(epoch FROM opened_at)::float AS opened_s,"
                " extract(epoch FROM closed_at)::float AS closed_s FROM system.incidents ORDER BY opened_at"
            ),
        },
        default=float,
    )
)
