"""Every figure of the contract: what holds the host to it and which test proves that. No figure may be without either.

The figures themselves stay in the contract; here are only their paths (shell patterns over dotted names). `recio contract`
measures each on the host, and docs/contract.md is written from the same table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from recio.contract.model import Contract

__all__ = ["CLAUSES", "Clause", "clause_of", "figures"]


class Clause(msgspec.Struct, frozen=True):
    """``proven_by`` is file::test under tests/. ``note`` says what a reader must know, for example what is not enforced."""

    pattern: str
    enforced_by: str
    proven_by: str
    note: str = ""


_ASKED = "unit/contract/test_contract.py::test_a_figure_of_the_request_is_there"
_REFUSED = "unit/playbooks/test_filters.py::test_a_host_that_cannot_be_it_is_refused_with_the_cure"
_SAID = "unit/playbooks/test_filters.py::test_below_the_recommendation_is_said_not_refused"
_DECLARED = "host/test_units.py::test_unit_declares_the_contract"
_PROCESS = "host/test_units.py::test_process_has_what_its_unit_declares"
_WAITS = "host/test_units.py::test_unit_waits_for_what_it_depends_on_and_for_no_other_service"
_QUOTAS = "host/machine/test_quotas.py::test_the_kernel_holds_every_directorys_budget"
_HOLDS = "host/test_contract.py::test_what_is_out_of_contract_is_known"
_HEALTH = "unit/monitoring/test_status.py::test_everything_but_a_fresh_proof_of_this_process_is_unhealthy"
_ALARM = "unit/monitoring/test_thresholds.py::test_rises_only_after_it_lasted"
_ENDS = "unit/monitoring/test_thresholds.py::test_does_not_flap_on_the_edge_and_ends_where_the_contract_says"
_LEAK = (
    "integration/services/test_watched_services.py::test_a_service_that_leaks_files_is_an_incident_that_ends_with_it"
)
_EXPIRES = "integration/services/test_upkeep.py::test_a_certificate_that_is_not_renewed_is_an_incident_until_it_is"
_UPDATES = "unit/monitoring/test_security_updates.py::test_a_person_is_called_when_it_waits_too_long_or_nobody_can_know"
_GROWS = "integration/services/test_growth.py::test_a_database_that_would_reach_its_budget_soon_is_an_incident_until_there_is_room"
_PACED = "integration/hosting/test_pace.py::test_a_service_that_never_stops_failing_is_not_given_up_and_stays_under_its_restarts_an_hour"
_LISTENS = "host/test_machine.py::test_main_app_database_and_simulator_listen_on_loopback"
_MISSING = "host/test_backup.py::test_a_missing_backup_is_an_incident_and_a_good_one_ends_it"
_OFF_HOST = "host/test_off_host.py::test_a_target_that_cannot_be_reached_is_an_incident_and_its_return_ends_it"
_WAL = "integration/backup/test_wal.py"
_PG = "host/test_postgresql.py"
_PG_MEMORY = f"{_PG}::test_its_memory_is_within_the_contract"

# The first pattern that fits holds.
CLAUSES: tuple[Clause, ...] = (
    Clause("hardware.network_mbps.*", "nothing", _ASKED, "No host can tell the speed of its line; said by the provider."),
    Clause("hardware.*.minimum", "preflight refuses less", _REFUSED),
    Clause("hardware.*.recommended", "preflight says when there is less", _SAID),
    Clause("hardware.*.current", "nothing", _ASKED, "The machine of the request, for comparison."),
    Clause("hardware.cloud_*", "nothing", _ASKED, "Weaker than the hardware table, which is what preflight enforces."),
    Clause("tiers.*.memory_mb", "slice MemoryHigh and MemoryMax above it; an incident when exceeded", _HOLDS),
    Clause("tiers.*.ports.*", "the services' own port, below", _LISTENS),
    Clause("tiers.*.priority", "nice and CPUWeight of its services", _DECLARED),
    Clause("cpu.quota_*", "CPUQuota of every unit", _DECLARED),
    Clause("cpu.*", "the shares add up to it", "unit/contract/test_contract.py::test_a_wrong_contract_is_refused_by_name"),
    Clause("memory.postgresql_mb", "shared_buffers, work_mem, max_connections; no cgroup cap", _PG_MEMORY),
    Clause("memory.python_total_mb", "slices; tier incidents; the release gate prints it", _HOLDS),
    Clause("memory.*_percent", "MemoryHigh and MemoryMax of every unit", _DECLARED),
    Clause("memory.*_floor_mb", "MemoryHigh and MemoryMax of every unit", _DECLARED),
    Clause("memory.*", "nothing", _HOLDS, "Measured and shown; the kernel divides what is left."),
    Clause("limits.nofile", "LimitNOFILE of every unit", _PROCESS),
    Clause("limits.address_space_mb", "LimitAS of every unit", _PROCESS),
    Clause("limits.threads", "TasksMax of every unit", _DECLARED),
    Clause("restarts.*", "ExecStartPre of every unit", _PACED),
    Clause("python_gc", "gc.set_threshold at every service's start", "host/test_contract.py::test_services_collect_garbage_as_asked"),
    Clause("lru_cache_size", "no cache of the code is larger", "unit/contract/test_clauses.py::test_no_cache_is_larger_than_asked"),
    Clause("pool.max", "an incident above it", _HOLDS),
    Clause("pool.min", "one connection or more per service", _HOLDS),
    Clause("services.*.nice", "Nice of its unit", _PROCESS),
    Clause("services.*.core", "CPUAffinity of its unit, on a host that has the core", _PROCESS),
    Clause("services.*.cpu_percent", "CPUWeight and CPUQuota of its unit", _DECLARED, "A share: more is allowed while others idle."),
    Clause("services.*.memory_mb", "MemoryHigh and MemoryMax of its unit, above it", _DECLARED),
    Clause("services.*.port", "listens on loopback only", _LISTENS),
    Clause("services.*.health.*", "`recio status`, the failure detector, the release gate", _HEALTH),
    Clause("services.*.tier", "Slice of its unit", "host/test_units.py::test_unit_runs_as_its_own_user"),
    Clause("services.*.start_order", "a dependency is lower", "unit/contract/test_contract.py::test_what_others_depend_on_starts_first"),
    Clause("services.*.depends_on", "After= of its unit; the failure detector's graph", _WAITS),
    Clause("services.*.description", "Description of its unit", "unit/contract/test_contract.py::test_the_twelve_are_as_asked"),
    Clause("ports.postgresql", "loopback; nftables", "host/test_machine.py::test_closed_ports_cannot_be_reached"),
    Clause("ports.simulator", "loopback; nftables", "host/test_machine.py::test_closed_ports_cannot_be_reached"),
    Clause("ports.*", "nftables lets it in", "host/test_machine.py::test_only_the_proxy_and_ssh_listen_to_the_world"),
    Clause("bandwidth.*", "shown beside its budget, by source, every ten minutes", _ASKED, "Not throttled."),
    Clause("directories.logs.*", "journald SystemMaxUse, logrotate", "host/test_machine.py::test_logs_stay_within_their_budget"),
    Clause("directories.backup.*", "retention of `recio backup`", "host/test_backup.py::test_three_backups_are_made_verified_and_listed"),
    Clause("directories.*.project", "ext4 project quota, where the file system has them", _QUOTAS, "Else measured and shown."),
    Clause("directories.*", "retention; see project", _HOLDS),
    Clause("disk.*", "thresholds.disk; preflight refuses a small disk", _HOLDS),
    Clause("database.name", "the deploy creates it", f"{_PG}::test_schema_has_one_version"),
    Clause("database.schemas", "the first migration creates them", f"{_PG}::test_schemas_are_the_contracts"),
    Clause("database.trades_table", "the first migration creates it", f"{_PG}::test_users_trades_0001_is_a_partition"),
    Clause("postgresql.settings.*", "postgresql.conf", f"{_PG}::test_settings_are_the_contracts"),
    Clause(
        "thresholds.disk.action", "the incident names it, and what is past its age is removed at once",
        "integration/services/test_threshold_incidents.py::test_a_full_disk_has_what_is_past_its_age_removed_at_once_and_logged",
    ),
    Clause("thresholds.*.action", "the incident names it", _ASKED),
    Clause("thresholds.*.clear_*", "where the incident ends", _ENDS),
    Clause("thresholds.latency.*", "kalshi_api_watchdog opens and closes an incident", _ALARM),
    Clause("thresholds.files.*", "system_monitor opens and closes an incident for each service", _LEAK),
    Clause("thresholds.threads.*", "system_monitor opens and closes an incident for each service", _LEAK),
    Clause("thresholds.*", "system_monitor opens and closes an incident", _ALARM),
    Clause("backup.base.keep_full", "pgBackRest's retention", f"{_WAL}::test_retention_is_the_contracts"),
    Clause("backup.base.share_mb", "the older base goes early above it", f"{_WAL}::test_above_its_share_the_older_base_goes"),
    Clause("backup.*.at", "cron", "host/test_backup.py::test_cron_runs_them_when_the_contract_says"),
    Clause("backup.*.keep_days", "retention of `recio backup`", "unit/backup/test_backup_retention.py::test_what_is_past_its_days_goes"),
    Clause("backup.*.name", "the backup's file name", "host/test_backup.py::test_three_backups_are_made_verified_and_listed"),
    Clause("backup.off_host.max_age_s", "an incident when the copy on another machine is older, where one is wanted", _OFF_HOST),
    Clause("backup.max_age_h", "an incident when older", _MISSING),
    Clause("upkeep.certificate.*", "system_monitor opens and closes an incident, by a handshake with the own port", _EXPIRES),
    Clause("upkeep.updates.*", "system_monitor opens and closes an incident; root looks every ten minutes", _UPDATES),
    Clause("upkeep.growth.*", "db_poller opens and closes an incident, the System page tells the forecast", _GROWS),
    Clause("future_v3.*", "nothing", _ASKED, "Promised for the next version; nothing of it is deployed."),
    Clause("version", "the loader refuses another", "unit/contract/test_contract.py::test_a_wrong_contract_is_refused_by_name"),
)  # fmt: skip


def figures(contract: Contract) -> dict[str, Any]:
    """Every figure by its dotted path, in the contract's order. A list is one figure; an absent one (null) is none."""
    return dict(_walk("", msgspec.to_builtins(contract)))


def _walk(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _walk(f"{path}.{key}" if path else str(key), below)
    elif value is not None:
        yield path, value


def clause_of(path: str) -> Clause:
    """The clause of a figure. KeyError when nobody has said what holds the host to it."""
    for clause in CLAUSES:
        if fnmatchcase(path, clause.pattern):
            return clause
    raise KeyError(
        f"{path}: no clause of recio.contract.clauses fits this figure: say what enforces it and which test proves it"
    )
