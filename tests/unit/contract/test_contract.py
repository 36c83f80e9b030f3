"""The contract loads, holds every figure that was asked for, and refuses nonsense with the path and the cure."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from recio.contract import Contract, ContractError, load, parse, unknown_figures

HOME = Path(__file__).parents[3] / "roles" / "contract" / "defaults" / "main.yml"


@pytest.fixture(scope="session")
def raw() -> dict[str, Any]:
    contract: dict[str, Any] = yaml.safe_load(HOME.read_text())["contract"]
    return contract


@pytest.fixture(scope="session")
def contract(raw: dict[str, Any]) -> Contract:
    return parse(yaml.safe_dump(raw))


def test_loads_from_the_path_in_the_environment(
    raw: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "contract.yml"
    place.write_text(yaml.safe_dump(raw))
    monkeypatch.setenv("RECIO_CONTRACT", str(place))
    assert load().services["main_app"].port == 3000


SERVICES = {  # cpu percent, nice, memory MB as the request lists them (watchdogs and system services share a row)
    "main_app": (15, -10, 64),
    "trade_manager": (20, -10, 128),
    "trade_executor": (15, -10, 32),
    "active_trade_supervisor": (10, -10, 32),
    "auto_entry_supervisor": (10, -10, 32),
    "btc_price_watchdog": (5, 0, None),
    "kalshi_account_sync": (5, 0, None),
    "kalshi_api_watchdog": (5, 0, None),
    "unified_production_coordinator": (5, 0, None),
    "system_monitor": (2, 10, None),
    "cascading_failure_detector": (2, 10, None),
    "db_poller": (3, 10, None),
}


def test_the_twelve_are_as_asked(contract: Contract) -> None:
    assert set(contract.services) == set(SERVICES)
    for name, (cpu, nice, memory_mb) in SERVICES.items():
        service = contract.services[name]
        assert (service.cpu_percent, service.nice) == (cpu, nice), name
        assert memory_mb is None or service.memory_mb == memory_mb, name
    assert [contract.services[n].core for n in ("main_app", "trade_manager", "trade_executor")] == [0, 1, 2]
    assert sum(s.memory_mb for s in contract.tier("watchdog").values()) == 64
    assert sum(s.memory_mb for s in contract.tier("system").values()) == 32


# Every other figure of the request, by its path in the contract.
FIGURES: dict[str, object] = {
    "memory.postgresql_mb": 512, "memory.python_total_mb": 256, "memory.web_mb": 64, "memory.supervisor_mb": 16,
    "memory.cache_mb": 128, "memory.total_mb": 1024, "memory.available_mb": 2048, "memory.services_mb": 384,
    "cpu.total_percent": 100,
    "directories.postgresql_data.size_mb": 2048, "directories.historical_data.size_mb": 5120,
    "directories.live_data.size_mb": 1024, "directories.logs.size_mb": 500, "directories.user_data.size_mb": 100,
    "directories.user_0001.size_mb": 50, "directories.credentials.size_mb": 10, "directories.archives.size_mb": 2048,
    "directories.backup.size_mb": 1024, "disk.total_mb": 10240, "disk.available_mb": 51200,
    "tiers.core.ports": {"first": 3000, "last": 4000}, "tiers.watchdog.ports": {"first": 8000, "last": 8100},
    "tiers.core.priority": "high", "tiers.watchdog.priority": "medium", "tiers.system.priority": "low",
    "ports.postgresql": 5432, "ports.http": 80, "ports.https": 443,
    "bandwidth.kalshi_kb_per_s": 1000, "bandwidth.coinbase_kb_per_s": 100, "bandwidth.websocket_kb_per_s": 50,
    "bandwidth.database_kb_per_s": 10, "bandwidth.peak_kb_per_s": 2000,
    "python_gc": [700, 10, 10], "lru_cache_size": 128, "pool": {"min": 5, "max": 20},
    "limits.nofile": 4096, "limits.address_space_mb": 1048576 // 1024,
    "postgresql.settings.shared_buffers": "256MB", "postgresql.settings.effective_cache_size": "1GB",
    "postgresql.settings.work_mem": "4MB", "postgresql.settings.maintenance_work_mem": "64MB",
    "postgresql.settings.random_page_cost": 1.1, "postgresql.settings.effective_io_concurrency": 200,
    "postgresql.settings.max_worker_processes": 8, "postgresql.settings.max_parallel_workers_per_gather": 4,
    "hardware.cores": {"minimum": 2, "recommended": 4, "current": 4},
    "hardware.memory_gb": {"minimum": 4, "recommended": 8, "current": 8},
    "hardware.disk_gb": {"minimum": 20, "recommended": 100, "current": 100},
    "hardware.network_mbps": {"minimum": 10, "recommended": 100, "current": 100},
    "hardware.cloud_minimum": {"cores": 1, "memory_gb": 2},
    "hardware.cloud_examples": ["t3.medium", "e2-medium", "Standard_B2s"],
    "thresholds.cpu.warning": 80, "thresholds.cpu.critical": 95, "thresholds.cpu.action": "Scale up",
    "thresholds.memory.warning": 85, "thresholds.memory.critical": 95, "thresholds.memory.action": "Add RAM",
    "thresholds.disk.warning": 80, "thresholds.disk.critical": 90, "thresholds.disk.action": "Clean up",
    "thresholds.latency.warning": 100, "thresholds.latency.critical": 500,
    "thresholds.latency.action": "Check connection",
    "database.name": "rec_io_db", "database.trades_table": "users.trades_0001",
    "database.schemas": ["users", "live_data", "historical_data", "analytics", "system"],
    "backup.database.name": "backup_%Y%m%d", "backup.files.name": "data_backup_%Y%m%d",
    "backup.configuration.name": "config_backup_%Y%m%d",
    "future_v3.redis_mb": 512, "future_v3.load_balancer_mb": 256, "future_v3.additional_services_mb": 1024,
    "future_v3.monitoring_mb": 512,
}  # fmt: skip


@pytest.mark.parametrize("path", FIGURES)
def test_a_figure_of_the_request_is_there(raw: dict[str, Any], path: str) -> None:
    value: Any = raw
    for key in path.split("."):
        value = value[key]
    assert value == FIGURES[path]


def test_the_stricter_figure_is_enforced_where_the_request_contradicts_itself(contract: Contract) -> None:
    assert contract.python_budget_mb == 256
    assert contract.hardware.memory_gb.minimum > contract.hardware.cloud_minimum.memory_gb


def test_what_others_depend_on_starts_first(contract: Contract) -> None:
    sequence = contract.start_sequence()
    assert sequence[-1] == "main_app"
    for name, service in contract.services.items():
        for other in set(service.depends_on) & set(contract.services):
            assert sequence.index(other) < sequence.index(name)


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(raw: dict[str, Any]) -> None:
        *folders, last = path.split(".")
        for key in folders:
            raw = raw[key]
        raw[last] = value

    return change


WRONG: list[tuple[Callable[[dict[str, Any]], None], list[str]]] = [
    (_set("services.main_app.cpu", 3), ["`cpu`", "services.main_app", "deploy again"]),
    (_set("services.db_poller.health.max_work_age_s", "soon"), ["services.db_poller.health.max_work_age_s", "str"]),
    (_set("memory.web_mb", "64MB"), ["memory.web_mb", "int", "roles/contract/defaults/main.yml"]),
    (_set("memroy", {}), ["`memroy`"]),
    (_set("services.main_app.cpu_percent", 16), ["add up to 98", "cpu.headroom_percent"]),
    (_set("services.main_app.port", 8001), ["services.main_app.port 8001", "3000-4000"]),
    (_set("services.db_poller.port", 3005), ["services.db_poller.port 3005", "no ports"]),
    (_set("services.trade_manager.port", 3000), ["services.trade_manager.port 3000", "taken by services.main_app"]),
    (_set("services.main_app.memory_mb", 65), ["tiers.core.memory_mb", "memory.services_mb"]),
    (_set("services.main_app.memory_mb", 0), ["services.main_app.memory_mb", ">= 1"]),
    (_set("services.main_app.tier", "top"), ["services.main_app.tier", "top"]),
    (_set("services.main_app.depends_on", ["redis"]), ["services.main_app.depends_on", "redis"]),
    (_set("services.trade_manager.depends_on", ["main_app"]), ["does not start earlier"]),
    (_set("thresholds.cpu.warning", 96), ["thresholds.cpu"]),
    (_set("pool.min", 21), ["pool.min 21", "pool.max 20"]),
    (_set("version", 2), ["version"]),
]


@pytest.mark.parametrize("change, said", WRONG, ids=lambda item: item[0] if isinstance(item, list) else "")
def test_a_wrong_contract_is_refused_by_name(
    raw: dict[str, Any], change: Callable[[dict[str, Any]], None], said: list[str]
) -> None:
    wrong = copy.deepcopy(raw)
    change(wrong)
    with pytest.raises(ContractError) as refused:
        parse(yaml.safe_dump(wrong), "/etc/recio/contract.yml")
    for words in ["/etc/recio/contract.yml", *said]:
        assert words in str(refused.value)


@pytest.mark.parametrize("text, said", [("a: [", "cannot be read"), ("", "object"), ("- 1", "object")])
def test_a_file_that_is_no_contract(text: str, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        parse(text)


def test_a_missing_file_names_itself_and_the_cure(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"cannot read .*nowhere\.yml: No such file.*deploy writes it"):
        load(str(tmp_path / "nowhere.yml"))


def test_a_release_that_is_gone_back_to_reads_the_contract_of_the_one_that_failed(
    raw: dict[str, Any], tmp_path: Path
) -> None:
    """Figures it has never heard of, at any depth, must not keep it from trading; what it knows is held to as ever."""
    newer = copy.deepcopy(raw)
    newer["moonshot"] = {"fuel_mb": 1}
    newer["limits"]["wings"] = 2
    newer["services"]["main_app"]["halo"] = True
    path = tmp_path / "contract.yml"
    path.write_text(yaml.safe_dump(newer))
    assert load(str(path)) == parse(yaml.safe_dump(raw))
    assert sorted(unknown_figures(str(path))) == ["limits.wings", "moonshot", "services.main_app.halo"]
    with pytest.raises(ContractError, match="unknown field"):
        parse(path.read_text())  # what a deploy would write is held to the letter
    newer["pool"]["min"] = newer["pool"]["max"] + 1
    path.write_text(yaml.safe_dump(newer))
    with pytest.raises(ContractError, match=r"pool\.min"):
        load(str(path))
