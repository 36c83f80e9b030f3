"""What the playbooks decide by, as plain functions: faults of variables and hosts with their cures, and limits of units."""

from __future__ import annotations

import difflib
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SUPPORTED = {"debian": ("12", "13"), "ubuntu": ("24.04",)}
POSTGRESQL = {"debian12": "15", "debian13": "17", "ubuntu24.04": "16"}
OWN_LISTENERS = ("recio-", "caddy.service", "postgresql@")


def argument_options(roles: str = "") -> dict[str, Any]:
    """Every option of every role's argument_specs.yml, by name."""
    options: dict[str, Any] = {}
    for path in sorted(Path(roles or ROOT / "roles").glob("*/meta/argument_specs.yml")):
        spec = yaml.safe_load(path.read_text())["argument_specs"]
        for entry in spec.values():
            options.update(entry.get("options", {}))
    return options


def variable_faults(names: Iterable[str], roles: str = "") -> list[str]:
    """One sentence for each variable that carries a role's prefix but that no role knows: misspelt or renamed."""
    known, folder = argument_options(roles), Path(roles or ROOT / "roles")
    prefixes = tuple(path.name for path in folder.iterdir() if path.is_dir())
    internal = {name for path in folder.glob("*/vars/main.yml") for name in yaml.safe_load(path.read_text())}
    faults = []
    for name in sorted(names):
        if name in known or name in internal or not name.startswith(tuple(f"{prefix}_" for prefix in prefixes)):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        cure = f"did you mean {near[0]}?" if near else "remove it; roles/*/meta/argument_specs.yml lists all"
        faults.append(f"{name} is not a variable of this product: {cure}")
    return faults


def text_faults(values: dict[str, Any], roles: str = "") -> list[str]:
    """Values that are text where a number, a truth value or a list belongs: `-e x=false` gives the text, which counts as true."""
    options = argument_options(roles)
    return [
        f"{name} is the text '{value}', but a {options[name]['type']} is needed: write it as YAML in the inventory, or "
        f"-e '{{\"{name}\": {'VALUE' if options[name]['type'] in ('list', 'dict') else value}}}'"
        for name, value in sorted(values.items())
        if name in options and options[name].get("type") not in ("str", "path") and isinstance(value, str)
    ]


def contract_fault(contract: dict[str, Any]) -> str:
    """What is wrong with the contract, in the product's own words; empty when nothing is."""
    if str(ROOT / "app") not in sys.path:
        sys.path.insert(0, str(ROOT / "app"))
    from recio.contract import ContractError, parse

    try:
        parse(contract_text(contract), "contract")
    except ContractError as error:
        return str(error)
    return ""


def _plain(value: Any) -> Any:
    """Without Ansible's tagged types: plain values, as they are written."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def contract_text(contract: dict[str, Any]) -> str:
    """The contract as the host's file: the same keys in the same order, as the services read it fastest."""
    return json.dumps(_plain(contract), indent=2) + "\n"


def host_faults(host: dict[str, Any], contract: dict[str, Any], now_s: float, adopt_cluster: bool = False) -> list[str]:
    """Why this host cannot become the appliance, each with its cure. ``now_s`` is the controller's clock."""
    return [
        *_machine_faults(host, contract["hardware"]), *_disk_faults(host), *_listener_faults(host),
        *_file_faults(host), *_clock_faults(host, now_s), *([] if adopt_cluster else _cluster_faults(host)),
    ]  # fmt: skip


def _machine_faults(host: dict[str, Any], hardware: dict[str, Any]) -> Iterator[str]:
    system = host["os"]
    if system["version"] not in SUPPORTED.get(system["id"], ()):
        yield f"this host runs {system['name']}; use Debian 12, Debian 13 or Ubuntu 24.04"
    if not host["root"]:
        yield "the playbook is not root on the host; connect as root or set ansible_become: true in the inventory"
    if not host["systemd"]:
        yield "systemd does not run on this host (no /run/systemd/system); boot it with systemd as its first process"
    for what, found, unit in (
        ("cores", host["cores"], "cores"),
        ("memory_gb", _gb(host), "GB of memory"),
        ("disk_gb", host["disk_gb"], "GB of disk at /"),
    ):
        minimum = hardware[what]["minimum"]
        if found < minimum * (0.9 if what != "cores" else 1):  # firmware and file systems keep a part of what is sold
            yield f"the host has {found:g} {unit}, the minimum is {minimum}; take a larger machine"


def _disk_faults(host: dict[str, Any]) -> Iterator[str]:
    free_gb = host["disk_free_gb"]
    if free_gb < 3 and not host["releases"]["current"]:
        yield f"only {free_gb:g} GB are free at /, an installation needs 3; free some or enlarge the disk"
    elif free_gb < 1:
        yield (
            f"the disk is full: {free_gb:g} GB free at /, a release needs 1; look with `du -xh / | sort -h | tail`, "
            "then free some"
        )
    if host["inodes_free_percent"] < 2:
        yield "the file system at / has no free inodes; remove small files (`df -i /`)"


def _file_faults(host: dict[str, Any]) -> Iterator[str]:
    if host["read_only"]:
        yield (
            f"{', '.join(host['read_only'])} cannot be written: mounted read-only, as a kernel does after a disk error "
            "(`dmesg | grep -i remount`); check the disk, then `mount -o remount,rw /`"
        )
    if host["fstab_fault"]:
        yield (
            f"/etc/fstab is not one the host can boot with: {host['fstab_fault']}; correct it until `findmnt --verify` "
            "finds nothing, it is edited only then"
        )
    if host["authority_fault"]:
        yield (
            f"{host['authority_fault']}, so that no browser would trust the page: bring both back from a backup "
            "(playbooks/restore.yml), or remove that folder for a new authority, which every browser must be told of again"
        )


def _listener_faults(host: dict[str, Any]) -> Iterator[str]:
    for found in host["listeners"]:
        if not found["unit"].startswith(OWN_LISTENERS):
            yield (
                f"port {found['port']} is held by {found['process']} (pid {found['pid']}, {found['unit'] or 'no unit'}); "
                "stop or move it: the appliance needs that port"
            )


def _clock_faults(host: dict[str, Any], now_s: float) -> Iterator[str]:
    # The host read its clock between the question and now; how long either way took says nothing of the clock.
    off_s = max(host["asked_s"] - host["clock_s"], host["clock_s"] - now_s)
    if off_s > 30:
        yield (
            f"the host's clock is {off_s:.0f} s off this machine's; orders are signed with the time: run "
            "`timedatectl set-ntp true` there and wait until `timedatectl` says synchronized"
        )


def _cluster_faults(host: dict[str, Any]) -> Iterator[str]:
    foreign = [cluster for cluster in host["clusters"] if cluster != host["cluster_ours"]]
    if foreign:
        yield (
            f"the host already holds the PostgreSQL cluster {', '.join(foreign)}, which this product did not make and will "
            "not touch; use a fresh host, or move it away (`pg_dumpall`, then `pg_dropcluster --stop VERSION NAME`)"
        )


def _gb(host: dict[str, Any]) -> float:
    return round(float(host["memory_mb"]) / 1024, 1)


def host_warnings(host: dict[str, Any], contract: dict[str, Any]) -> list[str]:
    """What works, but not as recommended."""
    warnings, hardware = [], contract["hardware"]
    for what, found in (("cores", host["cores"]), ("memory_gb", _gb(host)), ("disk_gb", host["disk_gb"])):
        recommended = hardware[what]["recommended"]
        if found < recommended * (0.9 if what != "cores" else 1):
            warnings.append(f"{what}: the host has {found:g}, recommended are {recommended}")
    if host["time_synchronized"] is False and not host["container"]:
        warnings.append(
            "the clock is not synchronized yet; the play sets up systemd-timesyncd, check `timedatectl` later"
        )
    if host["container"]:
        warnings.append(
            f"this host is a container ({host['container']}): its kernel, clock and mounts belong to the machine around "
            "it, so that limits, sysctl and time sync are declared here but not proven"
        )
    return warnings


def postgresql_version(system: dict[str, str]) -> str:
    """The distribution's PostgreSQL."""
    return POSTGRESQL.get(system["id"] + system["version"], "15")


def rollback_target(releases: dict[str, Any], automatic: bool = False) -> str:
    """The release to go back to: of those that passed the gate here and were not rolled back the one that served last; empty: none.

    ``automatic``: only away from a release that never passed the gate; one that did fails for another reason.
    """
    current = releases["current"]
    if automatic and any(release["name"] == current and release["proven"] for release in releases["all"]):
        return ""
    good = [
        release["name"]
        for release in releases["all"]
        if release["proven"] and not release["rolled_back"] and release["name"] != current
    ]
    return good[-1] if good else ""


def unit_limits(service: dict[str, Any], contract: dict[str, Any], host: dict[str, Any]) -> dict[str, Any]:
    """A unit's figures from its row: weight in proportion to its share, quota and memory rails above its budget.

    CPUQuota is in percent of one core, the contract's shares in percent of all cores.
    """
    cores, cpu, memory = int(host["cores"]), contract["cpu"], contract["memory"]
    quota = max(service["cpu_percent"] * cores * cpu["quota_factor"], cpu["quota_floor_percent"])
    core = service.get("core")
    return {
        "cpu_weight": round(service["cpu_percent"] * 10),
        "cpu_quota_percent": min(math.ceil(quota), 100 * cores),
        "memory_high_mb": max(service["memory_mb"] * memory["high_percent"] // 100, memory["high_floor_mb"]),
        "memory_max_mb": max(service["memory_mb"] * memory["max_percent"] // 100, memory["max_floor_mb"]),
        "core": core if core is not None and core in host["core_ids"] else None,
    }


def slice_limits(tier: str, contract: dict[str, Any], host: dict[str, Any]) -> dict[str, Any]:
    """A slice's figures: the sums of its services'."""
    rows = [service for service in contract["services"].values() if service["tier"] == tier]
    limits = [unit_limits(row, contract, host) for row in rows]
    return {
        "cpu_weight": sum(entry["cpu_weight"] for entry in limits),
        "memory_high_mb": sum(entry["memory_high_mb"] for entry in limits),
        "memory_max_mb": sum(entry["memory_max_mb"] for entry in limits),
    }


def fstab_noatime(line: str) -> str:
    """A line of /etc/fstab with noatime instead of relatime and friends; spacing and everything else as they were."""
    fields = re.match(r"(\s*\S+\s+\S+\s+\S+\s+)(\S+)(.*)", line)
    if fields is None:
        return line
    kept = [option for option in fields[2].split(",") if option not in ("atime", "relatime", "strictatime", "noatime")]
    return f"{fields[1]}{','.join([*kept, 'noatime'])}{fields[3]}"


def pg_value(value: Any) -> str:
    """A value as postgresql.conf wants it."""
    text = str(value)
    return text if re.fullmatch(r"-?[0-9.]+", text) else "'" + text.replace("'", "''") + "'"


class FilterModule:
    """Registers the functions above."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {
            f"recio_{function.__name__}": function
            for function in (
                argument_options, variable_faults, text_faults, contract_fault, contract_text, host_faults, host_warnings,
                postgresql_version, rollback_target, unit_limits, slice_limits, fstab_noatime, pg_value,
            )
        }  # fmt: skip
