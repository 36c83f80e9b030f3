"""What the System page says, made of what was measured: pure shaping, plus the small files services leave (health, backups)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recio.contract import Contract
from recio.monitoring import audit, updates
from recio.monitoring.backup import KINDS, Attempt, complaint, read_status
from recio.monitoring.certificate import Certificate, judge
from recio.monitoring.growth import megabytes
from recio.monitoring.health import read_report
from recio.monitoring.off_host import behind_s, configured_since_s, off_host_complaint, read_off_host
from recio.monitoring.status import ServiceStatus, Status

__all__ = [
    "Gauge", "Verdict", "backups", "bandwidth", "beats", "directories", "gauges", "off_host", "out_of_contract", "sparkline",
    "started", "tiers", "upkeep", "verdict",
]  # fmt: skip

Row = dict[str, Any]
BEATS = 90
_LEVELS = {"": "", "warning": "warn", "critical": "bad"}
_TIERS = ["core", "watchdog", "system"]  # in order of what they are worth
_MEANS = {
    True: "New entries are stopped; open trades stay protected, exits work.",
    False: "Trading goes on: nothing an entry relies on is affected.",
}


@dataclass(frozen=True)
class Verdict:
    """The page's first line. ``level``: good, warn or bad."""

    level: str
    line: str
    since_ms: int | None = None
    means: str = ""
    todo: str = ""


def verdict(status: Status, incidents: Sequence[Row], machine: Row, now_s: float) -> Verdict:
    """One sentence on the whole machine; what is wrong, since when, what it means for trades, what to do."""
    ill = [service for service in status.services if not service.healthy]
    dependencies = machine["dependencies"]
    judged = dependencies is not None and now_s - dependencies["at"].timestamp() < 15
    stopped = judged and not dependencies["entries_allowed"]
    since = min((row["opened_at"].timestamp() for row in incidents), default=None)
    since_ms = round(since * 1000) if since is not None else None
    if not judged:
        means = "Whether entries may go on is not known: the failure detector has not spoken for 15 s, so that none is made."
    else:
        means = _MEANS[stopped]
    todo = next((row["action"] for row in incidents if row["action"]), "")
    if ill:
        names = ", ".join(f"{service.name} ({service.reason})" for service in ill[:3])
        more = f" and {len(ill) - 3} more" if len(ill) > 3 else ""
        plural = "service does" if len(ill) == 1 else "services do"
        todo = todo or "It restarts by itself; if it stays, open its log below and restart it."
        return Verdict("bad", f"{len(ill)} {plural} not prove its function: {names}{more}", since_ms, means, todo)
    if incidents:
        worst = incidents[0]
        level = "bad" if worst["severity"] == "critical" else "warn"
        others = f", and {len(incidents) - 1} more" if len(incidents) > 1 else ""
        return Verdict(
            level, f"Every service proves its function, but: {worst['cause']}{others}", since_ms, means, todo
        )
    if not judged or stopped:
        return Verdict("warn", "Every service proves its function, but entries wait", None, means)
    return Verdict(
        "good", "Everything proves its function", None, "Trading can go on: entries are allowed, exits work."
    )


def tiers(status: Status, contract: Contract) -> list[Row]:
    """Services by tier, with the tier's sum beside its row of the contract; a sum that misses one says so by being None."""
    found = []
    for name in sorted(contract.tiers, key=_TIERS.index):
        tier = contract.tiers[name]
        services: list[ServiceStatus] = [service for service in status.services if service.tier == name]
        known = [service.pss_mb for service in services if service.pss_mb is not None]
        used = sum(known) if len(known) == len(services) else None
        found.append({"name": name, "services": services, "pss_mb": used, "budget_mb": tier.memory_mb})
    return found


def started(names: Sequence[str], now_s: float) -> dict[str, float]:
    """By service, for how many seconds its process has run, from its own report."""
    reports = {name: read_report(name) for name in names}
    return {name: max(0.0, now_s - report.started_s) for name, report in reports.items() if report is not None}


def beats(found: Mapping[str, Sequence[Row]], names: Sequence[str]) -> dict[str, Row]:
    """By service its 90 minutes as three SVG paths (ok, off, nobody looked; a mark is 3 wide) and the same in words."""
    made = {}
    for name in names:
        slots = {row["n"]: row for row in found.get(name, ()) if 0 <= row["n"] < BEATS}
        paths: dict[str, str] = {"ok": "", "off": "", "none": ""}
        for n in range(BEATS):
            kind = "none" if n not in slots else "ok" if slots[n]["ok"] else "off"
            top = {"ok": "2v12", "off": "0v16", "none": "7v2"}[
                kind
            ]  # not by colour alone: trouble stands out of the row
            paths[kind] += f"M{3 * n + 1} {top}"
        made[name] = paths | _told(list(slots.values()))
    return made


def _told(slots: Sequence[Row]) -> dict[str, str]:
    bad = [row for row in slots if not row["ok"]]
    if not slots:
        return {"text": "no sample in the last 90 minutes", "share": "–"}
    share = f"{100 * (len(slots) - len(bad)) / len(slots):.0f} %"
    if not bad:
        return {"text": f"healthy in all {len(slots)} minutes on record of the last 90", "share": share}
    last = max(bad, key=lambda row: row["n"])
    healthy = f"{len(slots) - len(bad)} of {len(slots)} minutes on record healthy"
    return {"text": f"{healthy}; last trouble {BEATS - 1 - last['n']} min ago: {last['reason']}", "share": share}


@dataclass(frozen=True)
class Gauge:
    """A figure of the host beside its thresholds; ``value`` None: not measured, and ``text`` says why."""

    key: str
    name: str
    value: float | None
    text: str
    warning: float
    critical: float
    unit: str
    line: str = ""  # the last hour, as points of an SVG polyline, 100 x 24
    note: str = ""

    @property
    def level(self) -> str:
        """'' (well, or not known), 'warn' or 'bad'."""
        if self.value is None or self.value < self.warning:
            return ""
        return "bad" if self.value >= self.critical else "warn"


def sparkline(values: Sequence[float | None], top: float, width: int = 100, height: int = 24) -> str:
    """Points of a polyline, 0 at the bottom and ``top`` at the top; empty with fewer than two values."""
    known = [(n, value) for n, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return ""
    last = max(1, len(values) - 1)
    return " ".join(f"{width * n / last:.1f},{height - height * min(value, top) / top:.1f}" for n, value in known)


def gauges(machine: Row, contract: Contract, history: Sequence[Row]) -> list[Gauge]:
    """CPU, memory, disk, latency and clock beside their thresholds."""
    host, exchange, found = machine["host"], machine["exchange"], []
    for key, name in (("cpu", "CPU"), ("memory", "Memory"), ("disk", "Disk")):
        limit = contract.thresholds[key]
        value = host[f"{key}_percent"] if host else None
        text = f"{value:.0f} %" if value is not None else "no sample yet"
        line = sparkline([row[key] for row in history], 100)
        found.append(Gauge(key, name, value, text, limit.warning, limit.critical, "%", line, _host_note(key, host)))
    limit = contract.thresholds["latency"]
    latency = exchange["latency_ms"] if exchange else None
    text = f"{latency:.0f} ms" if latency is not None else "no answer yet"
    found.append(
        Gauge("latency", "Exchange API", latency, text, limit.warning, limit.critical, "ms", note="last signed call")
    )
    skew = exchange["clock_skew_s"] if exchange else None
    skew_ms = abs(skew) * 1000 if skew is not None else None
    text = f"{skew:+.2f} s".replace("-", "−") if skew is not None else "not known yet"
    found.append(Gauge("skew", "Clock skew", skew_ms, text, 1000, 2000, "ms", note="against the exchange's clock"))
    return found


def _host_note(key: str, host: Row | None) -> str:
    detail = host["detail"] if host else {}
    notes = {
        "cpu": ("load_1m", "load {:.2f}"),
        "memory": ("memory_available_mb", "{:,.0f} MB available"),
        "disk": ("disk_free_gb", "{:.1f} GB free"),
    }
    name, form = notes[key]
    text = form.format(detail[name]) if name in detail else ""
    pressure = detail.get(f"pressure_{key}_percent")
    return f"{text}, pressure {pressure:.1f} %" if pressure is not None else text


def directories(readings: Row | None, contract: Contract) -> list[Row]:
    """Each directory beside its budget, as root read it."""
    figures = readings["figures"] if readings else {}
    found = []
    for name, directory in contract.directories.items():
        held = figures.get(f"directories.{name}.size_mb")
        found.append({
            "name": name, "path": directory.path, "purpose": directory.purpose, "budget_mb": directory.size_mb,
            "used_mb": megabytes(held["measured"]) if held else None,
            "why": "not read yet: root does it every ten minutes" if held is None else held["measured"],
            "holds": held["holds"] if held else None,
        })  # fmt: skip
    return found


def bandwidth(readings: Row | None, contract: Contract) -> list[Row]:
    """Each source of traffic beside its budget; why where it is not measured."""
    traffic = readings["traffic"] if readings else {}
    names = {
        "kalshi_kb_per_s": "Kalshi, API and stream", "coinbase_kb_per_s": "Coinbase", "websocket_kb_per_s": "Page and its stream",
        "database_kb_per_s": "Database", "peak_kb_per_s": "Whole host",
    }  # fmt: skip
    missing = {"kb_per_s": None, "why": "not read yet: root does it every ten minutes"}
    return [
        {"name": name, "budget": getattr(contract.bandwidth, key), **traffic.get(key, missing)}
        for key, name in names.items()
    ]


def out_of_contract(readings: Row | None) -> list[Row] | None:
    """The figures that are exceeded, by their path; None when they were never read."""
    if readings is None:
        return None
    return [{"path": path, **held} for path, held in readings["figures"].items() if held["holds"] is False]


def upkeep(machine: Row, contract: Contract, now_s: float) -> list[Row]:
    """What must be renewed or cleared in time, as system_monitor last saw it: name, text, and '' (well or not known), 'warn' or 'bad'."""
    found = updates.read_updates()
    wrong = updates.complaint(found, contract.upkeep.updates, now_s)
    files = audit.read_outcome()
    changed = audit.complaint(files, now_s)
    return [
        _certificate(machine["host"], contract, now_s),
        {"name": "Security updates", "text": wrong or updates.told(found, now_s), "level": "warn" if wrong else ""},
        {"name": "Privileged files", "text": changed or audit.told(files, now_s), "level": "warn" if changed else ""},
    ]


def _certificate(host: Row | None, contract: Contract, now_s: float) -> Row:
    found = host["detail"] if host else {}
    if host is None or "certificate_left_s" not in found:
        return {"name": "Certificate", "text": "not seen: nothing was served at the page's port", "level": ""}
    ends_s = host["at"].timestamp() + found["certificate_left_s"]
    level, said = judge(
        Certificate(ends_s - found["certificate_lifetime_s"], ends_s), contract.upkeep.certificate, now_s
    )
    return {"name": "Certificate", "text": said, "level": _LEVELS[level]}


def backups(contract: Contract, now_s: float) -> Row:
    """The newest backup of each kind, the total beside its budget, the last restore test, and what is wrong."""
    status = read_status()
    kinds = status.kinds if status else {}
    return {
        "kinds": [(kind, kinds.get(kind, Attempt())) for kind in KINDS],
        "total_mb": status.total / 1048576 if status else None,
        "budget_mb": contract.directories["backup"].size_mb,
        "tests": [
            (
                "Restore test of the newest dump",
                "its ledger is the recorded one",
                status.restore_test if status else None,
            ),
            ("Restore test of the archive", "its ledger was the living one", status.wal_test if status else None),
        ],
        "wrong": complaint(status, now_s, contract.backup.max_age_h),
        "off_host": off_host(contract, now_s),
    }


def off_host(contract: Contract, now_s: float) -> Row | None:
    """The copy on another machine: where, how far behind, and what is wrong; None when none is wanted."""
    since_s, status = configured_since_s(), read_off_host()
    if since_s is None:
        return None
    return {
        "target": status.target if status else "",
        "behind_s": behind_s(status, since_s, now_s),
        "reached_s": status.reached_s if status else 0.0,
        "wrong": off_host_complaint(now_s, contract.backup.off_host.max_age_s),
    }
