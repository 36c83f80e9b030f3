"""What a machine with a kernel of its own enforces: control groups, mounts, kernel settings, read where the kernel keeps them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from fixtures import PROJECT
from remote import Remote, wait_for

CGROUPS = "/sys/fs/cgroup"
MB = 1024 * 1024


@pytest.fixture(scope="module")
def groups(remote: Remote, declared: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The control files of every service's group, one command for all: service -> file -> text."""
    units = [f"recio-{name}.service" for name in declared["services"]]
    paths = {unit: values["ControlGroup"] for unit, values in remote.show(units, "ControlGroup").items()}
    files = "memory.high memory.max cpu.weight cpu.max pids.max"
    script = "; ".join(
        f"cd {CGROUPS}{path}; for f in {files}; do echo {unit} $f $(cat $f); done" for unit, path in paths.items()
    )
    found: dict[str, dict[str, str]] = {}
    for line in remote.out(script).splitlines():
        unit, file, text = line.split(maxsplit=2)
        found.setdefault(unit.removeprefix("recio-").removesuffix(".service"), {})[file] = text
    return found


def test_the_kernel_holds_every_services_share(
    groups: dict[str, dict[str, str]], declared: dict[str, Any], remote: Remote
) -> None:
    cpu, memory, cores = declared["cpu"], declared["memory"], int(remote.out("nproc --all"))
    for name, row in declared["services"].items():
        quota = min(
            math.ceil(max(row["cpu_percent"] * cores * cpu["quota_factor"], cpu["quota_floor_percent"])), 100 * cores
        )
        high = max(row["memory_mb"] * memory["high_percent"] // 100, memory["high_floor_mb"])
        most = max(row["memory_mb"] * memory["max_percent"] // 100, memory["max_floor_mb"])
        wanted = {
            "memory.high": str(high * MB),
            "memory.max": str(most * MB),
            "cpu.weight": str(int(row["cpu_percent"] * 10)),
            "cpu.max": f"{quota * 1000} 100000",
            "pids.max": str(declared["limits"]["threads"]),
        }
        assert groups[name] == wanted, name


def test_the_kernel_holds_every_tiers_share(remote: Remote, declared: dict[str, Any]) -> None:
    for tier in declared["tiers"]:
        unit = f"recio-{tier}.slice"
        shown = remote.show([unit], "ControlGroup", "MemoryMax", "MemoryHigh", "CPUWeight")[unit]
        held = remote.out(f"cd {CGROUPS}{shown['ControlGroup']}; cat memory.max memory.high cpu.weight").split()
        assert held == [shown["MemoryMax"], shown["MemoryHigh"], shown["CPUWeight"]], tier


def test_the_kernel_counts_every_services_traffic(remote: Remote) -> None:
    counters = ("IPIngressBytes", "IPEgressBytes")
    unit = "recio-kalshi_api_watchdog.service"

    def counted() -> tuple[int, ...]:
        shown = remote.show([unit], *counters)[unit]
        return tuple(int(shown[name]) for name in counters)  # "[no data]" where nothing counts

    first = counted()
    wait_for("more traffic both ways", lambda: all(now > was for now, was in zip(counted(), first, strict=True)), 60)


def test_the_root_is_mounted_without_access_times(remote: Remote) -> None:
    assert "noatime" in remote.out("findmnt --noheadings --output OPTIONS /").strip().split(",")
    line = next(line for line in remote.out("cat /etc/fstab").splitlines() if line.split()[1:2] == ["/"])
    assert "noatime" in line.split()[3].split(","), "and stays so at the next boot"
    assert remote.out("findmnt --verify --tab-file /etc/fstab")
    before = remote.out(
        "stat -c %X /etc/hostname; sleep 1.1; cat /etc/hostname >/dev/null; stat -c %X /etc/hostname"
    ).split()
    assert before[0] == before[1], "a read wrote to the disk"


def test_freed_blocks_reach_the_disk(remote: Remote) -> None:
    assert "fstrim.timer" in remote.out("systemctl list-timers --no-pager fstrim.timer")
    assert "trimmed" in remote.out("fstrim --verbose /")


def test_every_kernel_setting_is_in_force(remote: Remote) -> None:
    written = (PROJECT / "roles/host/templates/sysctl.conf.j2").read_text()
    wanted = dict(
        (part.strip() for part in line.split("=", 1)) for line in written.splitlines() if "=" in line and line[0] != "#"
    )
    assert len(wanted) > 10
    held = dict(line.split(" = ", 1) for line in remote.out(f"sysctl {' '.join(wanted)}").splitlines())
    assert held == wanted


def test_it_has_a_kernel_of_its_own_and_all_controllers(remote: Remote) -> None:
    assert remote.out("systemd-detect-virt --container || true").strip() == "none"
    assert {"cpu", "memory", "io", "pids"} <= set(remote.out(f"cat {CGROUPS}/cgroup.controllers").split())
