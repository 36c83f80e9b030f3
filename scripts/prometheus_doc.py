#!/usr/bin/env python3
"""Writes docs/prometheus/alerts.yml and dashboard.json for those who have Prometheus and Grafana; every bound is the contract's.

prometheus_doc.py             write both anew
prometheus_doc.py --check     exit status 1 when they are not what it would write
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "app"))

import yaml  # noqa: E402

from recio.contract import Contract, parse  # noqa: E402
from recio.trading.settings import RiskLimits  # noqa: E402

SOURCE = PROJECT / "roles/contract/defaults/main.yml"
FOLDER = PROJECT / "docs/prometheus"
HEAD = """# Written by scripts/prometheus_doc.py from the resource contract; do not edit.
# /metrics wants a token with the scope `metrics` (Settings, API tokens):
#   scrape_configs:
#     - job_name: recio
#       scheme: https
#       authorization: {credentials_file: /etc/prometheus/recio.token}
#       tls_config: {ca_file: /etc/prometheus/recio-root.crt}
#       static_configs: [{targets: ["DESK:443"]}]
"""

Rule = tuple[str, str, float, str, str]  # name, expression, seconds it must last, severity, what to do


class _Indented(yaml.SafeDumper):
    """Lists stand under their key by two spaces, as every other YAML file here."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Never without an indent."""
        super().increase_indent(flow, False)


def load() -> Contract:
    """The contract as the deploy would write it."""
    return parse(yaml.safe_dump(yaml.safe_load(SOURCE.read_text())["contract"]), str(SOURCE))


def rules(contract: Contract) -> list[Rule]:
    """Everything a person should be woken or told for. What is absent from /metrics is not known, and alerts by itself."""
    price_max_age_s = contract.services["btc_price_watchdog"].health.max_work_age_s
    found: list[Rule] = [
        ("RecioGone", 'up{job="recio"} == 0 or absent(up{job="recio"})', 120, "critical",
         "The page does not answer. Protection may be gone with it: look at the exchange's own page, then at the machine."),
        ("RecioServiceUnhealthy", "recio_service_healthy == 0", 60, "critical",
         "{{ $labels.service }} does not prove its function: recio status; recio logs {{ $labels.service }}."),
        ("RecioDatabaseGone", "recio_database_up == 0", 30, "critical", "journalctl -u 'postgresql@*'; recio doctor."),
        ("RecioEntriesStopped", "recio_entries_allowed == 0", 300, "warning", "Entries wait for a dependency: recio status."),
        ("RecioPriceOld", f'recio_feed_age_seconds{{feed="price"}} > {price_max_age_s:g}', 30, "critical",
         "The price feed is silent: recio logs btc_price_watchdog."),
        ("RecioNotReconciled", "recio_reconciled == 0", 300, "critical",
         "Ledger and exchange differ: the Account page names every difference with its cure."),
        ("RecioOrderUnknown", 'recio_orders{state="unknown"} > 0', 60, "critical",
         "An order's outcome is not known; entries wait until it was looked up."),
        ("RecioIncident", 'recio_incidents_open{severity="critical"} > 0', 60, "critical", "The System page names cause and cure."),
        ("RecioClockSkew", f"abs(recio_exchange_clock_skew_seconds) > {RiskLimits().max_clock_skew_s:g}", 60, "critical",
         "Signatures will be refused: timedatectl; chronyc tracking."),
        ("RecioMemory", f"sum(recio_service_pss_bytes) > {contract.memory.python_total_mb * 1048576}", 600, "warning",
         f"The twelve hold more than their {contract.memory.python_total_mb} MB: recio status."),
        ("RecioBackupOld", f"recio_backup_age_seconds > {contract.backup.max_age_h * 3600}", 0, "critical",
         "recio backup list; recio backup now."),
        ("RecioRestoreTestFailed", "recio_restore_test_ok == 0", 0, "critical", "The newest backup does not restore: recio backup list."),
        ("RecioOffHostLate", f"recio_off_host_behind_seconds > {contract.backup.off_host.max_age_s}", 0, "warning",
         "The copy on another machine is late: recio backup off-host."),
    ]  # fmt: skip
    expressions = {
        "cpu": "recio_host_cpu_ratio * 100",
        "memory": "recio_host_memory_ratio * 100",
        "disk": "recio_host_disk_ratio * 100",
        "latency": "recio_exchange_latency_seconds * 1000",
        "files": f"recio_service_open_files * 100 / {contract.limits.nofile}",
        "threads": f"recio_service_threads * 100 / {contract.limits.threads}",
    }
    disk = contract.thresholds["disk"]
    found.append(
        ("RecioInodes", f"recio_host_inodes_ratio * 100 >= {disk.warning:g}", disk.hold_s, "warning", f"{disk.action}.")
    )
    rule, left = contract.upkeep.certificate, "recio_certificate_expires_seconds"
    for severity, days, percent in (
        ("warning", rule.warning_days, rule.warning_left_percent),
        ("critical", rule.critical_days, rule.critical_left_percent),
    ):
        bound = f"clamp_max(recio_certificate_lifetime_seconds * {percent / 100:g}, {days * 86400})"
        action = "The page's certificate is not renewed: journalctl -u caddy; systemctl restart caddy."
        found.append((f"RecioCertificate{severity.capitalize()}", f"{left} < {bound}", 0, severity, action))
    full_s = contract.upkeep.growth.warning_days * 86400
    action = "The database's folder reaches its budget: the System page names the largest tables."
    found.append(("RecioDatabaseGrowth", f"recio_database_budget_reached_seconds < {full_s}", 600, "warning", action))
    waiting = contract.upkeep.updates
    found += [
        ("RecioSecurityUpdates", f"recio_security_updates_oldest_seconds > {waiting.pending_max_days * 86400}", 0, "warning",
         "Security updates wait that restart the database or the page: playbooks/upgrade.yml."),
        ("RecioPackageListsOld", f"recio_package_lists_age_seconds > {waiting.lists_max_days * 86400}", 0, "warning",
         "Which security updates there are is not known: apt-get update says why."),
        ("RecioPrivilegedFiles", "recio_privileged_files_changed > 0", 0, "warning",
         "Privileged files are not as recorded: `recio audit` on the host names them."),
    ]  # fmt: skip
    for metric, limit in contract.thresholds.items():
        for severity in ("warning", "critical"):
            bound = limit.warning if severity == "warning" else limit.critical
            name = f"Recio{metric.capitalize()}{severity.capitalize()}"
            found.append((name, f"{expressions[metric]} >= {bound:g}", limit.hold_s, severity, f"{limit.action}."))
    return found


def alerts(contract: Contract) -> str:
    """The rules as Prometheus reads them."""
    listed = [
        {
            "alert": name,
            "expr": expression,
            **({"for": f"{lasts_s:g}s"} if lasts_s else {}),
            "labels": {"severity": severity},
            "annotations": {"summary": action},
        }
        for name, expression, lasts_s, severity, action in rules(contract)
    ]
    return HEAD + yaml.dump(
        {"groups": [{"name": "recio", "rules": listed}]}, Dumper=_Indented, sort_keys=False, width=140
    )


_PANELS: tuple[tuple[str, str, str, str], ...] = (  # title, unit, expression, legend
    ("Healthy services", "short", "sum(recio_service_healthy)", "healthy"),
    ("Profit and loss today", "currencyUSD", "recio_pnl_today_dollars", "after fees"),
    ("Age of each feed", "s", "recio_feed_age_seconds", "{{feed}}"),
    ("Orders that are not finished", "short", "recio_orders", "{{state}}"),
    ("Open incidents", "short", "recio_incidents_open", "{{severity}}"),
    ("Exchange's answer", "s", "recio_exchange_latency_seconds", "last call"),
    ("Memory of each service (PSS)", "bytes", "recio_service_pss_bytes", "{{service}}"),
    ("Processor of each service", "percentunit", "recio_service_cpu_ratio", "{{service}}"),
    ("Open files of each service", "short", "recio_service_open_files", "{{service}}"),
    ("Threads of each service", "short", "recio_service_threads", "{{service}}"),
    ("Host", "percentunit",
     '{__name__=~"recio_host_cpu_ratio|recio_host_memory_ratio|recio_host_disk_ratio"}', "{{__name__}}"),
    ("Age of the newest verified backup", "s", "recio_backup_age_seconds", "{{kind}}"),
    ("Page's answers a second", "reqps", "sum by (status) (rate(recio_http_requests_total[5m]))", "{{status}}"),
    ("Database connections", "short", "recio_database_connections", "connections"),
)  # fmt: skip


def dashboard() -> str:
    """One page for Grafana; it asks for the data source when it is imported."""
    source = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    panels: list[dict[str, Any]] = [
        {
            "id": n + 1,
            "type": "timeseries",
            "title": title,
            "datasource": source,
            "gridPos": {"h": 8, "w": 12, "x": 12 * (n % 2), "y": 8 * (n // 2)},
            "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
            "targets": [{"refId": "A", "datasource": source, "expr": expression, "legendFormat": legend}],
        }
        for n, (title, unit, expression, legend) in enumerate(_PANELS)
    ]
    page = {
        "__inputs": [{"name": "DS_PROMETHEUS", "label": "Prometheus", "type": "datasource", "pluginId": "prometheus"}],
        "title": "recio",
        "uid": "recio",
        "schemaVersion": 39,
        "tags": ["recio"],
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "panels": panels,
    }
    return json.dumps(page, indent=1) + "\n"


def main() -> int:
    """Write or check."""
    wanted = {FOLDER / "alerts.yml": alerts(load()), FOLDER / "dashboard.json": dashboard()}
    if "--check" in sys.argv:
        stale = [path.name for path, text in wanted.items() if not path.exists() or path.read_text() != text]
        if stale:
            print(
                f"docs/prometheus: {', '.join(stale)} not what the contract says: run {Path(__file__).name}",
                file=sys.stderr,
            )
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for path, text in wanted.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
