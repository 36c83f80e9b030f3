"""Units against the contract: declared (systemctl show) and, where the kernel can be asked, effective (/proc)."""

from __future__ import annotations

import json
import math

import pytest
import yaml
from desk import Desk
from fixtures import PROJECT
from remote import Remote, seconds

from recio.contract import Contract

CONTRACT = yaml.safe_load((PROJECT / "roles/contract/defaults/main.yml").read_text())["contract"]
SERVICES = sorted(CONTRACT["services"])
EXPOSURE_MAX = {"services": 1.5, "caddy": 1.6, "postgresql": 3.0}


@pytest.fixture(scope="module")
def shown(remote: Remote) -> dict[str, dict[str, str]]:
    properties = (
        "ActiveState SubState Type User Group Slice Nice CPUAffinity LimitNOFILE LimitAS WatchdogUSec CPUWeight "
        "CPUQuotaPerSecUSec TasksMax MemoryHigh MemoryMax MainPID NotifyAccess Restart NoNewPrivileges UnitFileState After"
    )
    return remote.show([f"recio-{name}.service" for name in SERVICES], *properties.split())


@pytest.fixture(scope="module")
def cores(remote: Remote) -> int:
    return int(remote.out("nproc --all"))


def test_host_holds_the_contract_of_the_project(remote: Remote) -> None:
    assert yaml.safe_load(remote.out("cat /etc/recio/contract.yml")) == CONTRACT


def test_contract_is_the_twelve(contract: Contract) -> None:
    assert sorted(contract.services) == SERVICES
    assert len(SERVICES) == 12


@pytest.mark.parametrize("name", SERVICES)
def test_unit_runs_as_its_own_user(name: str, shown: dict[str, dict[str, str]]) -> None:
    unit = shown[f"recio-{name}.service"]
    tier = CONTRACT["services"][name]["tier"]
    assert (unit["ActiveState"], unit["SubState"], unit["Type"]) == ("active", "running", "notify")
    assert (unit["User"], unit["Group"], unit["Slice"]) == (name, "recio", f"recio-{tier}.slice")
    assert unit["NoNewPrivileges"] == "yes"
    assert unit["Restart"] == "always"


@pytest.mark.parametrize("name", SERVICES)
def test_unit_waits_for_what_it_depends_on_and_for_no_other_service(
    name: str, shown: dict[str, dict[str, str]]
) -> None:
    """Orders wait for the last of them at a restart."""
    wanted = {f"recio-{other}.service" for other in CONTRACT["services"][name]["depends_on"] if other in SERVICES}
    ours = {f"recio-{other}.service" for other in SERVICES}
    assert set(shown[f"recio-{name}.service"]["After"].split()) & ours == wanted


def test_no_worker_carries_the_yaml_library(remote: Remote, shown: dict[str, dict[str, str]]) -> None:
    """The deploy's files are JSON; a service that had to read YAML would hold 1.3 MB more for as long as it lives."""
    for name in SERVICES:
        maps = remote.out(f"cat /proc/{shown[f'recio-{name}.service']['MainPID']}/maps")
        assert "psycopg" in maps, f"{name}: its memory map could not be read"
        assert "_yaml" not in maps, f"{name} has read a file that is not JSON"


@pytest.mark.parametrize("name", SERVICES)
def test_unit_declares_the_contract(
    name: str, shown: dict[str, dict[str, str]], cores: int, facts: dict[str, str]
) -> None:
    unit, row = shown[f"recio-{name}.service"], CONTRACT["services"][name]
    cpu, memory, limits = CONTRACT["cpu"], CONTRACT["memory"], CONTRACT["limits"]
    mb = 1024 * 1024
    assert int(unit["Nice"]) == row["nice"]
    core = row.get("core")
    assert unit["CPUAffinity"] == (str(core) if core is not None and core < cores else "")
    assert int(unit["LimitNOFILE"]) == limits["nofile"]
    assert int(unit["TasksMax"]) == limits["threads"]
    assert int(unit["LimitAS"]) == limits["address_space_mb"] * mb
    # user-mode Linux is given time by a drop-in of its disk (scripts/trialhost/vm.py)
    assert seconds(unit["WatchdogUSec"]) == (120 if facts["kernel"] == "uml" else 25)
    quota = max(row["cpu_percent"] * cores * cpu["quota_factor"], cpu["quota_floor_percent"])
    assert seconds(unit["CPUQuotaPerSecUSec"]) == pytest.approx(min(math.ceil(quota), 100 * cores) / 100)
    assert int(unit["CPUWeight"]) == row["cpu_percent"] * 10
    high = max(row["memory_mb"] * memory["high_percent"] // 100, memory["high_floor_mb"])
    assert int(unit["MemoryHigh"]) == high * mb
    assert int(unit["MemoryMax"]) == max(row["memory_mb"] * memory["max_percent"] // 100, memory["max_floor_mb"]) * mb


@pytest.fixture(scope="module")
def processes(remote: Remote, shown: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """What the kernel says of each main process, read in one command."""
    pids = {name: shown[f"recio-{name}.service"]["MainPID"] for name in SERVICES}
    script = (
        f"for p in {' '.join(pids.values())}; do "
        'echo "@ $p"; awk \'{print "nice", $19}\' /proc/$p/stat; '
        "grep -E '^(Uid|Cpus_allowed_list|NoNewPrivs|CapEff|Seccomp):' /proc/$p/status; "
        "grep -E '^Max (open files|address space)' /proc/$p/limits; done"
    )
    found: dict[str, dict[str, str]] = {}
    by_pid = {pid: name for name, pid in pids.items()}
    for line in remote.out(script).splitlines():
        words = line.split()
        if words[0] == "@":
            current = found.setdefault(by_pid[words[1]], {})
        elif words[0] == "Max":
            current[" ".join(words[1:3])] = words[3]
        else:
            current[words[0].rstrip(":")] = words[1]
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_process_has_what_its_unit_declares(
    name: str, processes: dict[str, dict[str, str]], remote: Remote, cores: int
) -> None:
    process, row = processes[name], CONTRACT["services"][name]
    assert int(process["nice"]) == row["nice"]
    assert int(process["open files"]) == CONTRACT["limits"]["nofile"]
    assert int(process["address space"]) == CONTRACT["limits"]["address_space_mb"] * 1024 * 1024
    assert process["Uid"] != "0", "a service runs as root"
    assert int(process["CapEff"], 16) == 0
    assert (process["NoNewPrivs"], process["Seccomp"]) == ("1", "2")
    core = row.get("core")
    if core is not None and core < cores:
        assert process["Cpus_allowed_list"] == str(core)


def exposure(remote: Remote, unit: str) -> float:
    """The overall exposure systemd-analyze gives a unit; lower is safer, 10 is the most."""
    report = remote.out(f"systemd-analyze security --no-pager {unit} | tail -1")
    return float(report.split(":")[1].split()[0])


@pytest.mark.parametrize("name", [*SERVICES, "simulator", "research"])
def test_service_is_sandboxed(name: str, remote: Remote) -> None:
    assert exposure(remote, f"recio-{name}.service") <= EXPOSURE_MAX["services"]


def test_proxy_and_database_are_sandboxed(remote: Remote) -> None:
    assert exposure(remote, "caddy.service") <= EXPOSURE_MAX["caddy"]
    cluster = remote.out("pg_lsclusters --no-header").split()
    assert exposure(remote, f"postgresql@{cluster[0]}-{cluster[1]}.service") <= EXPOSURE_MAX["postgresql"]


def test_target_starts_everything_at_boot(remote: Remote) -> None:
    wants = remote.show(["recio.target"], "Wants", "UnitFileState", "ActiveState")["recio.target"]
    assert (wants["UnitFileState"], wants["ActiveState"]) == ("enabled", "active")
    assert {f"recio-{name}.service" for name in SERVICES} <= set(wants["Wants"].split())


def test_nothing_failed_at_boot_or_since(remote: Remote) -> None:
    failed = json.loads(remote.out("systemctl list-units --failed --output=json"))
    assert [unit["unit"] for unit in failed] == []


def test_twelve_are_healthy_and_within_memory(remote: Remote) -> None:
    remote.wait_healthy(60)
    status = remote.status()
    assert status["mode"] == "simulated"
    assert sorted(entry["name"] for entry in status["services"]) == SERVICES
    expected = {
        "name",
        "tier",
        "state",
        "healthy",
        "reason",
        "age_s",
        "pss_mb",
        "cpu_percent",
        "restarts",
        "open_files",
        "threads",
    }
    for entry in status["services"]:
        assert expected <= set(entry)
        assert entry["tier"] == CONTRACT["services"][entry["name"]]["tier"]
        assert entry["state"] == "running"
        assert entry["pss_mb"] > 0
        assert 3 < entry["open_files"] < CONTRACT["limits"]["nofile"] * CONTRACT["thresholds"]["files"]["warning"] / 100
        assert (
            1 <= entry["threads"] < CONTRACT["limits"]["threads"] * CONTRACT["thresholds"]["threads"]["warning"] / 100
        )


def test_the_page_tells_what_each_service_holds_open_though_its_user_may_not_look(desk: Desk) -> None:
    found = {s["name"]: (s["open_files"], s["threads"]) for s in desk.get("/api/status")["services"]}
    assert sorted(found) == SERVICES
    assert all(files is not None and threads is not None for files, threads in found.values()), found
