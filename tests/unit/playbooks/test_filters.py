"""What the playbooks decide by: faults of variables and hosts name the thing and the cure; limits follow the contract."""

from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from recio.contract import parse

ROOT = Path(__file__).parents[3]
_spec = importlib.util.spec_from_file_location("recio_filters", ROOT / "plugins" / "filter" / "recio.py")
assert _spec is not None and _spec.loader is not None
filters: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(filters)

CONTRACT: dict[str, Any] = yaml.safe_load((ROOT / "roles/contract/defaults/main.yml").read_text())["contract"]
HOST: dict[str, Any] = {
    "os": {"id": "debian", "version": "12", "name": "Debian GNU/Linux 12 (bookworm)"},
    "root": True, "systemd": True, "container": "", "cores": 4, "core_ids": [0, 1, 2, 3], "memory_mb": 7950,
    "disk_gb": 98.0, "disk_free_gb": 90.0, "inodes_free_percent": 98, "listeners": [], "asked_s": 999.0, "clock_s": 1000.0,
    "time_synchronized": True, "clusters": [], "cluster_ours": "", "read_only": [], "fstab_fault": "", "authority_fault": "",
    "releases": {"current": "", "complete": [], "deployed": "", "canary": "", "keys": False, "web_key": False},
}  # fmt: skip


def _host(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(HOST) | changes


def test_a_good_host_has_no_faults_and_no_warnings() -> None:
    assert filters.host_faults(_host(), CONTRACT, 1001.0) == []
    assert filters.host_warnings(_host(), CONTRACT) == []


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"os": {"id": "fedora", "version": "43", "name": "Fedora 43"}}, "runs Fedora 43; use Debian 12"),
        ({"os": {"id": "debian", "version": "11", "name": "Debian 11"}}, "runs Debian 11; use Debian 12"),
        ({"root": False}, "ansible_become"),
        ({"systemd": False}, "boot it with systemd"),
        ({"cores": 1}, "1 cores, the minimum is 2"),
        ({"memory_mb": 2000}, "GB of memory, the minimum is 4"),
        ({"disk_gb": 10.0}, "GB of disk at /, the minimum is 20"),
        ({"disk_free_gb": 0.4}, "only 0.4 GB are free"),
        ({"disk_free_gb": 0.4, "releases": {"current": "1"}}, "the disk is full"),
        ({"inodes_free_percent": 0}, "no free inodes"),
        ({"clock_s": 1100.0}, "clock is 99 s off"),
        ({"clock_s": 900.0}, "clock is 99 s off"),
        ({"read_only": ["/", "/etc"]}, "/, /etc cannot be written: mounted read-only"),
        (
            {"fstab_fault": "parse error at line 3 -- ignored"},
            "fstab is not one the host can boot with: parse error at line 3",
        ),
        ({"authority_fault": "/x/root.crt is no certificate"}, "/x/root.crt is no certificate, so that no browser"),
        ({"clusters": ["14/main"]}, "PostgreSQL cluster 14/main, which this product did not make"),
        ({"clusters": ["14/main", "15/main"], "cluster_ours": "15/main"}, "cluster 14/main"),
        (
            {"listeners": [{"port": 80, "process": "nginx", "pid": 7, "unit": "nginx.service"}]},
            "port 80 is held by nginx (pid 7, nginx.service)",
        ),
    ],
)
def test_a_host_that_cannot_be_it_is_refused_with_the_cure(changes: dict[str, Any], said: str) -> None:
    faults = filters.host_faults(_host(**changes), CONTRACT, 1001.0)
    assert len(faults) == 1
    assert said in faults[0]


def test_a_host_that_answers_slowly_has_no_wrong_clock() -> None:
    assert filters.host_faults(_host(asked_s=940.0, clock_s=950.0), CONTRACT, 1001.0) == []


def test_our_own_listeners_and_cluster_are_welcome() -> None:
    listeners = [
        {"port": 80, "process": "caddy", "pid": 7, "unit": "caddy.service"},
        {"port": 3000, "process": "python", "pid": 8, "unit": "recio-main_app.service"},
        {"port": 5432, "process": "postgres", "pid": 9, "unit": "postgresql@15-main.service"},
    ]
    host = _host(listeners=listeners, clusters=["15/main"], cluster_ours="15/main")
    assert filters.host_faults(host, CONTRACT, 1001.0) == []


def test_below_the_recommendation_is_said_not_refused() -> None:
    host = _host(cores=2, memory_mb=4000, disk_gb=25.0, time_synchronized=False)
    assert filters.host_faults(host, CONTRACT, 1001.0) == []
    assert len(filters.host_warnings(host, CONTRACT)) == 4
    assert any("container (lxc)" in text for text in filters.host_warnings(_host(container="lxc"), CONTRACT))


def test_a_misspelt_variable_is_named_with_the_nearest() -> None:
    assert filters.variable_faults(["app_mode", "contract", "ansible_user", "mine"]) == []
    assert filters.variable_faults(["app_mod"]) == ["app_mod is not a variable of this product: did you mean app_mode?"]
    assert "remove it" in filters.variable_faults(["host_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"])[0]


def test_text_that_looks_like_a_value_is_refused() -> None:
    assert filters.text_faults({"security_firewall": False, "app_mode": "demo", "app_keep_releases": 3}) == []
    fault = filters.text_faults({"security_firewall": "false"})[0]
    assert "security_firewall is the text 'false', but a bool is needed" in fault
    assert """-e '{"security_firewall": false}'""" in fault


def test_the_contract_survives_its_rendering() -> None:
    text = filters.contract_text(CONTRACT)
    assert json.loads(text) == CONTRACT, "JSON: a service that needs YAML's library to read it carries 1.3 MB more"
    rendered = parse(text)
    assert rendered == parse(yaml.safe_dump(CONTRACT))
    assert filters.contract_fault(CONTRACT) == ""
    assert "`hardware`" in filters.contract_fault({"version": 1})


def test_a_units_limits_follow_its_row() -> None:
    manager = filters.unit_limits(CONTRACT["services"]["trade_manager"], CONTRACT, _host())
    assert manager == {
        "cpu_weight": 200, "cpu_quota_percent": 320, "memory_high_mb": 192, "memory_max_mb": 320, "core": 1,
    }  # fmt: skip
    small = filters.unit_limits(CONTRACT["services"]["system_monitor"], CONTRACT, _host(cores=2))
    assert small["cpu_quota_percent"] == 50  # the floor: 2 % of 2 cores x 4 would be 16 % of one
    assert (small["memory_high_mb"], small["memory_max_mb"]) == (64, 128)


def test_a_core_the_host_lacks_is_not_bound() -> None:
    executor = CONTRACT["services"]["trade_executor"]
    assert filters.unit_limits(executor, CONTRACT, _host())["core"] == 2
    assert filters.unit_limits(executor, CONTRACT, _host(cores=2, core_ids=[0, 1]))["core"] is None


def test_a_slice_holds_the_sum_of_its_services() -> None:
    core = filters.slice_limits("core", CONTRACT, _host())
    assert core["cpu_weight"] == 700
    assert core["memory_max_mb"] > core["memory_high_mb"] > CONTRACT["tiers"]["core"]["memory_mb"]


@pytest.mark.parametrize(
    "line, wanted",
    [
        ("UUID=1 / ext4 defaults 0 1", "UUID=1 / ext4 defaults,noatime 0 1"),
        ("/dev/sda1\t/\text4\trw,relatime,errors=remount-ro\t0\t1", "/dev/sda1\t/\text4\trw,errors=remount-ro,noatime\t0\t1"),
        ("/dev/sda1 / ext4 noatime 0 1", "/dev/sda1 / ext4 noatime 0 1"),
        ("nonsense", "nonsense"),
    ],
)  # fmt: skip
def test_noatime_changes_nothing_else_of_the_line(line: str, wanted: str) -> None:
    assert filters.fstab_noatime(line) == wanted


@pytest.mark.parametrize(
    "value, wanted", [(8, "8"), (1.1, "1.1"), ("256MB", "'256MB'"), ("o'clock", "'o''clock'"), ("off", "'off'")]
)
def test_values_as_postgresql_wants_them(value: object, wanted: str) -> None:
    assert filters.pg_value(value) == wanted


def test_every_default_is_described_and_every_described_default_exists() -> None:
    for folder in sorted((ROOT / "roles").iterdir()):
        spec = yaml.safe_load((folder / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
        defaults = yaml.safe_load((folder / "defaults/main.yml").read_text())
        assert set(spec) == set(defaults), folder.name
        assert all(name == folder.name or name.startswith(f"{folder.name}_") for name in spec), folder.name


def _release(name: str, proven: bool = True, rolled_back: bool = False) -> dict[str, Any]:
    return {"name": name, "proven": proven, "rolled_back": rolled_back, "schema": "0001"}


@pytest.mark.parametrize(
    ("current", "releases", "automatic", "target"),
    [
        ("b", [_release("a"), _release("b")], False, "a"),
        ("b", [_release("a"), _release("b", proven=False)], True, "a"),
        ("b", [_release("a"), _release("b")], True, ""),  # proven once: something else is wrong
        ("a", [_release("a"), _release("b", rolled_back=True)], False, ""),  # twice in a row: not onto the bad one
        ("b", [_release("a"), _release("b"), _release("c", rolled_back=True)], False, "a"),
        ("c", [_release("a"), _release("b", proven=False), _release("c", proven=False)], True, "a"),
        ("a", [_release("a", proven=False)], True, ""),
        ("", [], True, ""),
    ],
)
def test_a_rollback_lands_on_a_good_release_or_nowhere(
    current: str, releases: list[dict[str, Any]], automatic: bool, target: str
) -> None:
    assert filters.rollback_target({"current": current, "all": releases}, automatic) == target
