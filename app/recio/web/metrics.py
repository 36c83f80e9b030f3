"""GET /metrics: the desk for Prometheus, behind a token with the scope ``metrics`` (or a session)."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi import APIRouter, Request
from starlette.responses import Response

from recio import release
from recio.monitoring.audit import read_outcome
from recio.monitoring.backup import read_status
from recio.monitoring.growth import database_growth
from recio.monitoring.kill_file import kill_file_reason
from recio.monitoring.off_host import behind_s, configured_since_s, read_off_host
from recio.monitoring.status import ServiceStatus
from recio.monitoring.updates import read_updates
from recio.store import metrics_queries as queries
from recio.store import web_queries
from recio.store.db import DatabaseGone
from recio.store.growth import size_history
from recio.web.desk import Desk, desk_of, session_of
from recio.web.exposition import CONTENT_TYPE, Exposition
from recio.web.meter import BOUNDS_S, Meter
from recio.web.routes import api

__all__ = ["router"]

router = APIRouter()
_MICRO = 1_000_000
_OF_SERVICES: tuple[tuple[str, str, str, Callable[[ServiceStatus], float | int | None]], ...] = (
    ("recio_service_healthy", "gauge", "1 when the service has proven its function lately.", lambda s: s.healthy),
    ("recio_service_useful_work_age_seconds", "gauge", "Since the service's last useful work.", lambda s: s.age_s),
    ("recio_service_pss_bytes", "gauge", "Proportional set size of the service's process.",
     lambda s: None if s.pss_mb is None else round(s.pss_mb * 1048576)),
    ("recio_service_cpu_ratio", "gauge", "Share of the whole machine's CPU, 0 to 1.",
     lambda s: None if s.cpu_percent is None else s.cpu_percent / 100),
    ("recio_service_restarts_total", "counter", "Restarts by systemd since the unit was started.", lambda s: s.restarts),
    ("recio_service_open_files", "gauge", "File descriptors the service's process holds.", lambda s: s.open_files),
    ("recio_service_threads", "gauge", "Threads of the service's process.", lambda s: s.threads),
)  # fmt: skip


@router.get("/metrics", **api("System", "metrics", media="text/plain", about="Prometheus text format 0.0.4"))
def metrics(request: Request) -> Response:
    """Services, host, feeds, exchange, orders, trades, PnL, incidents, backups and this page's own requests.

    Unknown figures are absent, not zero. Without the database ``recio_database_up`` is 0 and its figures are absent.
    """
    desk, session = desk_of(request), session_of(request)
    out = Exposition()
    out.family(
        "recio_build_info",
        "gauge",
        "The release and the mode.",
        [({"version": release(), "mode": desk.settings.mode}, 1)],
    )
    _services(out, desk)
    try:
        _ledger(out, desk, session.user_id)
        _machine(out, desk)
        up = True
    except DatabaseGone:
        up = False
    out.family("recio_database_up", "gauge", "Whether the database answers this page.", up)
    _upkeep(out)
    _requests(out, desk.meter)
    out.family("recio_stream_tabs", "gauge", "Open event streams.", desk.hub.tabs)
    return Response(out.text(), media_type=CONTENT_TYPE)


def _services(out: Exposition, desk: Desk) -> None:
    found = [({"service": s.name, "tier": s.tier}, s) for s in desk.status.get().services]
    for name, kind, about, read in _OF_SERVICES:
        out.family(name, kind, about, [(labels, read(service)) for labels, service in found])


def _ledger(out: Exposition, desk: Desk, user_id: str) -> None:
    mode, pool = desk.settings.mode, desk.pool
    feeds = queries.feed_ages(pool, mode)
    names = ("price", "strike_tables", "books", "exchange_stream", "exchange_signed_call", "balance", "reconciliation")
    out.family(
        "recio_feed_age_seconds",
        "gauge",
        "Since each feed brought something.",
        [({"feed": n}, feeds[n]) for n in names],
    )
    out.family(
        "recio_reconciled", "gauge", "1 when the ledger agreed with the exchange at the last look.", feeds["reconciled"]
    )
    out.family("recio_exchange_active", "gauge", "1 when the exchange says that it is open.", feeds["exchange_active"])
    out.family(
        "recio_exchange_trading_active", "gauge", "1 when the exchange says that it trades.", feeds["trading_active"]
    )
    latency_ms = feeds["latency_ms"]
    out.family(
        "recio_exchange_latency_seconds",
        "gauge",
        "The exchange's answer to the last call.",
        latency_ms and latency_ms / 1000,
    )
    out.family("recio_exchange_clock_skew_seconds", "gauge", "The exchange's clock minus ours.", feeds["clock_skew_s"])
    states = ("intent", "sending", "resting", "partially_filled", "unknown")
    found = queries.orders_unfinished(pool, user_id, mode)
    out.family(
        "recio_orders",
        "gauge",
        "Orders that are not finished, by state.",
        [({"state": s}, found.get(s, 0)) for s in states],
    )
    found = queries.orders_today(pool, user_id, mode)
    out.family("recio_orders_today", "gauge", "Orders sent since midnight in New York and finished, by state.",
               [({"state": s}, found.get(s, 0)) for s in ("filled", "cancelled", "refused")])  # fmt: skip
    found = queries.trades_live(pool, user_id, mode)
    out.family("recio_trades", "gauge", "Trades that are not finished, by state.",
               [({"state": s}, found.get(s, 0)) for s in ("pending", "open", "closing", "expired")])  # fmt: skip
    today = web_queries.today(pool, user_id, mode)
    out.family("recio_trades_today", "gauge", "Trades closed since midnight in New York.", today["trades"])
    out.family("recio_trades_won_today", "gauge", "Of these, with a gain.", today["wins"])
    out.family("recio_pnl_today_dollars", "gauge", "Their profit and loss after fees.", today["pnl_e6"] / _MICRO)
    out.family("recio_fees_today_dollars", "gauge", "Their fees.", today["fees_e6"] / _MICRO)
    found = queries.incidents_open(pool)
    out.family("recio_incidents_open", "gauge", "Open incidents by severity.",
               [({"severity": s}, found.get(s, 0)) for s in ("warning", "critical")])  # fmt: skip
    switch = desk.user_settings(user_id)["kill_switch"]["value"]["on"]
    out.family("recio_kill_switch", "gauge", "1 when entries are stopped by hand, by switch or file.",
               bool(switch or kill_file_reason()))  # fmt: skip


def _machine(out: Exposition, desk: Desk) -> None:
    found = web_queries.machine(desk.pool, desk.settings.mode)
    host, database, balance = found["host"], found["database"], found["balance"]
    allowed = found["dependencies"] and found["dependencies"]["entries_allowed"]
    out.family("recio_entries_allowed", "gauge", "1 when no dependency stops entries.", allowed)
    if balance:
        out.family("recio_balance_dollars", "gauge", "Cash at the exchange.", balance["balance_e6"] / _MICRO)
    if host:
        detail = host["detail"]
        out.family(
            "recio_host_cpu_ratio", "gauge", "Share of the host's CPU in use, 0 to 1.", host["cpu_percent"] / 100
        )
        out.family(
            "recio_host_memory_ratio",
            "gauge",
            "Share of the host's memory in use, 0 to 1.",
            host["memory_percent"] / 100,
        )
        out.family(
            "recio_host_disk_ratio", "gauge", "Share of the root disk in use, 0 to 1.", host["disk_percent"] / 100
        )
        out.family("recio_host_load1", "gauge", "Load average of a minute.", detail.get("load_1m"))
        inodes = detail.get("inodes_percent")
        out.family("recio_host_inodes_ratio", "gauge", "Share of the root file system's inodes in use, 0 to 1.",
                   None if inodes is None else inodes / 100)  # fmt: skip
        waited = [({"resource": r}, detail.get(f"pressure_{r}_percent")) for r in ("cpu", "memory", "disk")]
        out.family("recio_host_pressure_ratio", "gauge", "Share of the last minute in which something waited for it, 0 to 1.",
                   [(labels, None if share is None else share / 100) for labels, share in waited])  # fmt: skip
        out.family("recio_certificate_expires_seconds", "gauge", "Until the certificate that the page serves expires.",
                   detail.get("certificate_left_s"))  # fmt: skip
        out.family("recio_certificate_lifetime_seconds", "gauge", "From its first to its last second.",
                   detail.get("certificate_lifetime_s"))  # fmt: skip
        for way in ("sent", "received"):
            mb = detail.get(f"{way}_mb")
            out.family(f"recio_host_network_{way}_bytes_total", "counter", f"Bytes {way} since the host's start.",
                       None if mb is None else round(mb * 1048576))  # fmt: skip
    if database:
        growth = database_growth(size_history(desk.pool), desk.contract)
        out.family("recio_database_growth_bytes_per_day", "gauge", "Pace of the last seven days.",
                   None if growth.mb_per_day is None else round(growth.mb_per_day * 1048576))  # fmt: skip
        out.family("recio_database_budget_reached_seconds", "gauge", "Until its folder holds its budget at that pace; absent: never.",
                   None if growth.days_left is None else round(growth.days_left * 86400))  # fmt: skip
        out.family("recio_database_connections", "gauge", "Connections to the database.", database["connections"])
        out.family(
            "recio_database_cache_hit_ratio", "gauge", "Share of reads from memory, 0 to 1.", database["cache_hit"]
        )
        out.family("recio_database_size_bytes", "gauge", "Size of the database.", round(database["size_mb"] * 1048576))
        out.family(
            "recio_database_longest_transaction_seconds",
            "gauge",
            "Age of the oldest transaction.",
            database["longest_tx_s"],
        )


def _upkeep(out: Exposition) -> None:
    status, now_s = read_status(), time.time()
    if (since_s := configured_since_s()) is not None:
        out.family(
            "recio_off_host_behind_seconds",
            "gauge",
            "What the copy on another machine may lack.",
            behind_s(read_off_host(), since_s, now_s),
        )
    if (updates := read_updates()) is not None:
        out.family("recio_security_updates_pending", "gauge", "Security updates that wait, by the package lists.",
                   len(updates.pending))  # fmt: skip
        out.family("recio_security_updates_oldest_seconds", "gauge", "Since the oldest of them is known here; 0 when none waits.",
                   now_s - min(updates.pending.values(), default=now_s))  # fmt: skip
        out.family("recio_package_lists_age_seconds", "gauge", "Age of the lists that would name them.",
                   now_s - updates.lists_s if updates.lists_s else None)  # fmt: skip
    if (files := read_outcome()) is not None:
        out.family("recio_privileged_files_changed", "gauge", "Privileged files that are not as recorded.", files.count)
        out.family(
            "recio_privileged_files_look_age_seconds", "gauge", "Since the last look at them.", now_s - files.at_s
        )
    if status is None:
        return
    ages = [({"kind": kind}, now_s - one.verified_s if one.verified_s else None) for kind, one in status.kinds.items()]
    out.family("recio_backup_age_seconds", "gauge", "Since the newest verified backup.", ages)
    if status.restore_test is not None:
        out.family("recio_restore_test_ok", "gauge", "1 when the last restore test held.", status.restore_test.ok)
        out.family(
            "recio_restore_test_age_seconds", "gauge", "Since the last restore test.", now_s - status.restore_test.at_s
        )


def _requests(out: Exposition, meter: Meter) -> None:
    counts = sorted(meter.requests.copy().items())
    out.family("recio_http_requests_total", "counter", "Requests answered, by route.",
               [({"method": m, "route": r, "status": s}, n) for (m, r, s), n in counts])  # fmt: skip
    timings = sorted(meter.timings.copy().items())
    out.histogram("recio_http_request_duration_seconds", "Seconds to the first byte of the answer, by route.", BOUNDS_S,
                  [({"method": m, "route": r}, t.counts.copy(), t.sum_s) for (m, r), t in timings])  # fmt: skip
    out.family("recio_http_rate_limited_total", "counter", "Requests refused by a rate limit.",
               [({"limit": name}, n) for name, n in sorted(meter.refused.copy().items())])  # fmt: skip
