"""Holds the host to the contract: measures every figure that a host can tell, now.

Three answers, never a fourth: it holds, it is exceeded, or it is not known here (and why). What nobody can measure says so.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import psutil

from recio.contract import Contract
from recio.contract.fit import fitted
from recio.monitoring.backup import HOUR_S, KINDS, read_status
from recio.monitoring.health import read_report
from recio.monitoring.host import measure
from recio.monitoring.off_host import behind_s, configured_since_s, read_off_host
from recio.monitoring.process import pss_kb
from recio.monitoring.status import ServiceStatus, collect, limit_shares, units

__all__ = ["DatabaseFacts", "Held", "hold"]

MB = 1024 * 1024
_KEPT_BACK = 0.9  # firmware and file systems keep a part of what is sold: judged as preflight does, shown as it is


class Held(msgspec.Struct, frozen=True):
    """``holds`` None: not known here. ``measured`` says the value, or why there is none. ``is_reading`` False: the
    figure is a rule or a word; no host has a reading for it."""

    measured: str
    holds: bool | None = None
    is_reading: bool = True


class DatabaseFacts(msgspec.Struct, frozen=True):
    """What the database says of itself; the caller asks it (store.system.database_facts)."""

    name: str
    schemas: tuple[str, ...]
    tables: tuple[str, ...]
    settings: Mapping[str, str]
    connections: int
    latency_ms: float | None  # of the exchange's last answer


class _Seen:
    """Everything measured once: many figures share a reading."""

    def __init__(self, contract: Contract, mode: str, database: DatabaseFacts | None) -> None:
        self.contract, self.database = contract, database
        self.units = units(list(contract.services))
        self.services: dict[str, ServiceStatus] = {s.name: s for s in collect(contract, mode, self.units).services}
        psutil.cpu_percent(interval=None)
        time.sleep(1.0)
        self.host = measure()
        self.memory = psutil.virtual_memory()
        self.disk = shutil.disk_usage("/")
        self.processes = _pss_by_name()
        self.listening = _listening()

    def pss_mb(self, *names: str) -> float | None:
        found = [self.services[n].pss_mb for n in names]
        return None if any(mb is None for mb in found) else sum(mb or 0.0 for mb in found)


def hold(contract: Contract, figures: Mapping[str, Any], mode: str, database: DatabaseFacts | None) -> dict[str, Held]:
    """Every figure of ``figures`` (recio.contract.clauses) measured. Takes about two seconds; wants to be root."""
    seen = _Seen(contract, mode, database)
    return {path: _one(path, figure, seen) for path, figure in figures.items()}


def _one(path: str, figure: Any, seen: _Seen) -> Held:
    for pattern, measured in _MEASURES:
        if found := re.fullmatch(pattern, path):
            return measured(seen, figure, *found.groups())
    return Held("a rule, not a reading", is_reading=False)


def _say(value: float, unit: str) -> str:
    return f"{value:,.1f}".removesuffix(".0") + unit


def _most(value: float | None, limit: float, unit: str, why: str = "not known") -> Held:
    return Held(why) if value is None else Held(_say(value, unit), value <= limit)


def _least(value: float, limit: float, unit: str) -> Held:
    return Held(_say(value, unit), value >= limit)


# ---------------------------------------------------------------------- the machine
def _hardware(seen: _Seen, figure: Any, what: str, column: str) -> Held:
    value = {
        "cores": float(os.cpu_count() or 1),
        "memory_gb": seen.memory.total / 1024**3,
        "disk_gb": seen.disk.total / 1e9,
    }.get(what)
    if value is None:
        return Held("a host cannot tell the speed of its line")
    unit = "" if what == "cores" else " GB"
    if column != "minimum":
        return Held(_say(value, unit), None)
    return Held(_say(value, unit), value >= figure * (1.0 if what == "cores" else _KEPT_BACK))


def _threshold(seen: _Seen, figure: Any, metric: str) -> Held:
    if metric in ("files", "threads"):
        shares = {
            s.name: share
            for s in seen.services.values()
            if (share := limit_shares(s, seen.contract)[metric]) is not None
        }
        if not shares:
            return Held("no service runs")
        most = max(shares, key=lambda name: shares[name])
        return Held(f"{shares[most]:.1f} % ({most})", shares[most] < figure)
    if metric == "latency":
        latency = seen.database.latency_ms if seen.database else None
        return _most(latency, figure, " ms", "the exchange has not answered yet")
    return _most(float(getattr(seen.host, f"{metric}_percent")), figure, " %")


def _directory(seen: _Seen, figure: Any, name: str) -> Held:
    path = Path(seen.contract.directories[name].path)
    return _most(_size_mb(path), figure, " MB", f"{path} is not there: nothing uses it yet")


# ---------------------------------------------------------------------- processes
def _service(seen: _Seen, figure: Any, name: str, what: str) -> Held:
    status, unit = seen.services[name], seen.units.get(name)
    pid = unit.pid if unit else 0
    if what == "memory_mb":
        return _most(status.pss_mb, figure, " MB", "not running")
    if what == "cpu_percent":
        return _most(status.cpu_percent, figure, " %", "not measured yet")
    if what == "health.max_work_age_s":
        return _most(status.age_s, figure, " s", status.reason)
    if what == "port":
        return Held("listens" if figure in seen.listening else "does not listen", figure in seen.listening)
    if what == "tier":
        slice_ = _property(name, "Slice")
        return Held(slice_, slice_ == f"recio-{figure}.slice")
    if not pid:
        return Held(status.reason)
    try:
        nice, cores = os.getpriority(os.PRIO_PROCESS, pid), sorted(os.sched_getaffinity(pid))
    except ProcessLookupError:
        return Held("it ended while it was looked at")
    if what == "nice":
        return Held(str(nice), nice == figure)
    if figure >= (os.cpu_count() or 1):
        return Held("this host has no such core: not bound")
    return Held(f"core {', '.join(map(str, cores))}", cores == [figure])


def _limit(seen: _Seen, figure: Any, what: str) -> Held:
    if what == "threads":
        declared = {_property(name, "TasksMax") for name in seen.units}
        return Held(", ".join(sorted(declared)), declared == {str(figure)})
    row, factor = {"nofile": ("Max open files", 1), "address_space_mb": ("Max address space", MB)}[what]
    found = set()
    for unit in seen.units.values():
        if unit.pid:
            try:
                lines = Path(f"/proc/{unit.pid}/limits").read_text().splitlines()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while it was looked at: the others tell
            found.add(next(line for line in lines if line.startswith(row)).removeprefix(row).split()[0])
    if not found:
        return Held("no service runs")
    shown = sorted(f"{int(text) // factor}" if text.isdigit() else text for text in found)
    return Held(", ".join(shown), found == {str(figure * factor)})


def _gc(seen: _Seen, figure: Any) -> Held:
    found = {report.gc_threshold for name in seen.services if (report := read_report(name)) is not None}
    if not found:
        return Held("no service reports")
    return Held("; ".join(str(list(each)) for each in sorted(found)), found == {tuple(figure)})


def _memory(seen: _Seen, figure: Any, what: str) -> Held:
    if what == "available_mb":
        return _least(seen.memory.available / MB, figure, " MB")
    if what == "cache_mb":
        return Held(f"{seen.memory.cached / MB:,.0f} MB, the kernel's to give and take")
    python = seen.pss_mb(*seen.services)
    own = {
        "postgresql_mb": seen.processes.get("postgres"),
        "web_mb": seen.processes.get("caddy"),
        "supervisor_mb": (pss_kb(1) or 0) / 1024 or None,
        "python_total_mb": python,
        "services_mb": python,
    }
    if what == "total_mb":
        parts = [own["postgresql_mb"], own["web_mb"], own["supervisor_mb"], python]
        return _most(None if any(p is None for p in parts) else sum(p or 0.0 for p in parts), figure, " MB")
    return _most(own[what], figure, " MB", "not running, or not root")


def _tier(seen: _Seen, figure: Any, name: str) -> Held:
    return _most(seen.pss_mb(*seen.contract.tier(name)), figure, " MB", "a service of it does not run")  # type: ignore[arg-type]


# ---------------------------------------------------------------------- the database
def _database(measured: Callable[[DatabaseFacts, Any], Held]) -> Callable[..., Held]:
    def ask(seen: _Seen, figure: Any, *_: str) -> Held:
        return Held("the database does not answer", False) if seen.database is None else measured(seen.database, figure)

    return ask


def _setting(seen: _Seen, figure: Any, name: str) -> Held:
    if seen.database is None:
        return Held("the database does not answer", False)
    value = seen.database.settings.get(name, "no such setting")
    holds, less = fitted({name: figure}, psutil.virtual_memory().total // MB, os.cpu_count() or 1)
    if name in less and _plain(value) == _plain(str(holds[name])):
        return Held(f"{value}: {less[name]}")
    return Held(value, _plain(value) == _plain(str(figure)))


_UNITS = {"kB": 1, "MB": 1024, "GB": 1024**2, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def _plain(text: str) -> float | str:
    """256MB and 262144kB are the same."""
    found = re.fullmatch(r"([0-9.]+)\s*([A-Za-z]*)", text.strip())
    if found is None or (found[2] and found[2] not in _UNITS):
        return text.strip()
    return float(found[1]) * _UNITS.get(found[2], 1)


# ---------------------------------------------------------------------- backups
def _backup_age(seen: _Seen, figure: Any) -> Held:
    status = read_status()
    ages = [(time.time() - a.verified_s) / HOUR_S for a in status.kinds.values() if a.verified_s] if status else []
    if len(ages) < len(KINDS):
        return Held(f"not all {len(KINDS)} were made yet", False)
    return _most(max(ages), figure, " h")


def _off_host_age(seen: _Seen, figure: Any) -> Held:
    since_s = configured_since_s()
    if since_s is None:
        return Held("no other machine is named")
    return _most(behind_s(read_off_host(), since_s, time.time()), figure, " s")


def _cron(seen: _Seen, figure: Any) -> Held:
    hour, minute = (int(part) for part in str(figure).split(":"))
    lines = [line.split() for path in Path("/etc/cron.d").glob("recio*") for line in path.read_text().splitlines()]
    there = any(line[:2] == [str(minute), str(hour)] for line in lines)
    return Held("cron has it" if there else "cron has no such line", there)


def _port(seen: _Seen, figure: Any, *_: str) -> Held:
    return Held("listens" if figure in seen.listening else "nobody listens", figure in seen.listening)


# ---------------------------------------------------------------------- readings
def _size_mb(path: Path) -> float | None:
    if not path.is_dir():
        return None
    done = subprocess.run(["du", "-s", "--block-size=1024", str(path)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return int(done.stdout.split()[0]) / 1024 if done.stdout else None


def _pss_by_name() -> dict[str, float]:
    """MB of PSS of all processes of a name; those the kernel does not tell us are left out."""
    found: dict[str, float] = {}
    for process in psutil.process_iter(["name"]):
        kilobytes = pss_kb(process.pid)
        if kilobytes is not None:
            name = str(process.info["name"])
            found[name] = found.get(name, 0.0) + kilobytes / 1024
    return found


def _listening() -> set[int]:
    return {c.laddr.port for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr}


def _property(service: str, name: str) -> str:
    command = ["systemctl", "show", "--value", "--property", name, f"recio-{service}.service"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603


_MEASURES: tuple[tuple[str, Callable[..., Held]], ...] = (
    (r"hardware\.(\w+)\.(minimum|recommended|current)", _hardware),
    (r"tiers\.(\w+)\.memory_mb", _tier),
    (r"memory\.(postgresql_mb|python_total_mb|services_mb|web_mb|supervisor_mb|cache_mb|total_mb|available_mb)", _memory),
    (r"limits\.(\w+)", _limit),
    (r"python_gc", _gc),
    (r"pool\.max", _database(lambda db, figure: _most(float(db.connections), figure, " connections"))),
    (r"pool\.min", _database(lambda db, figure: _least(float(db.connections), figure, " connections"))),
    (r"services\.(\w+)\.(memory_mb|cpu_percent|health\.max_work_age_s|port|nice|core|tier)", _service),
    (r"ports\.(\w+)", _port),
    (r"directories\.(\w+)\.size_mb", _directory),
    (r"disk\.total_mb", lambda seen, figure: _most(_all_directories(seen), figure, " MB")),
    (r"disk\.available_mb", lambda seen, figure: Held(f"{seen.disk.free / MB:,.0f} MB free")),
    (r"database\.name", _database(lambda db, figure: Held(db.name, db.name == figure))),
    (r"database\.schemas", _database(lambda db, figure: Held(", ".join(sorted(db.schemas)), set(figure) <= set(db.schemas)))),
    (r"database\.trades_table", _database(lambda db, figure: Held("there" if figure in db.tables else "missing", figure in db.tables))),
    (r"postgresql\.settings\.(.+)", _setting),
    (r"thresholds\.(\w+)\.(?:warning|critical)", _threshold),
    (r"backup\.max_age_h", _backup_age),
    (r"backup\.off_host\.max_age_s", _off_host_age),
    (r"backup\.\w+\.at", _cron),
)  # fmt: skip


def _all_directories(seen: _Seen) -> float:
    """The outermost folders only: user_0001 lies in user_data."""
    paths = sorted({Path(d.path) for d in seen.contract.directories.values()})
    outer = [p for p in paths if not any(other in p.parents for other in paths)]
    return sum(_size_mb(path) or 0.0 for path in outer)
