"""doctor's questions to the machine, each answered well and ill: names, rights of files, units."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recio.cli.doctor_host import misplaced, names, open_to_others, resolves, wrong_units
from recio.contract.settings import Coinbase, Kalshi, Settings


def settings(mode: str, rest: str) -> Settings:
    kalshi = Kalshi(rest_url=f"https://{rest}/v2", ws_url=f"wss://{rest}/ws")
    coinbase = Coinbase(ws_url="wss://9.9.9.9/ws", rest_url="https://9.9.9.9")
    return Settings(mode, kalshi, coinbase, ("KXBTCD",), "https://desk")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("8.8.8.8", ""),
        ("localhost", "leads to 127.0.0.1"),
        ("10.1.2.3", "not on the internet"),
        ("no-such-name.invalid", "does not resolve"),
        ("x" * 70 + ".invalid", "does not resolve"),
    ],
)
def test_a_name_resolves_to_somewhere_an_exchange_can_be(host: str, why: str) -> None:
    said = resolves(host)
    assert why in said and bool(said) == bool(why), said


def test_only_a_mode_whose_exchange_is_elsewhere_needs_names(monkeypatch: pytest.MonkeyPatch) -> None:
    contract: object = None
    assert names(contract, settings("simulated", "localhost"))[0]  # type: ignore[arg-type]
    assert names(contract, settings("demo", "8.8.8.8"))[:2] == (True, "names: 8.8.8.8, 9.9.9.9 resolve")  # type: ignore[arg-type]
    well, said, cure = names(contract, settings("demo", "no-such-name.invalid"))  # type: ignore[arg-type]
    assert (well, "no-such-name.invalid does not resolve" in said, "resolv.conf" in cure) == (False, True, True)
    monkeypatch.setenv("RECIO_OFFLINE", "1")  # as the unit that makes a diagnostics archive
    assert names(contract, settings("demo", "no-such-name.invalid"))[:2] == (  # type: ignore[arg-type]
        True, "names: not asked here, where no network is; `recio doctor` in a shell asks",
    )  # fmt: skip


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A configuration as the deploy leaves it."""
    root = tmp_path / "recio"
    (root / "keys/simulated").mkdir(parents=True)
    (root / "modes/simulated").mkdir(parents=True)
    for folder in (root / "keys", root / "keys/simulated"):
        folder.chmod(0o700)
    for name, mode in (
        ("keys/web_key", 0o600), ("keys/simulated/private_key", 0o600), ("keys/kalshi_public.pem", 0o644), ("keys/key_id", 0o644),
        ("keys/off_host_key.pub", 0o644), ("contract.yml", 0o644), ("modes/simulated/settings.yml", 0o644),
    ):  # fmt: skip
        (root / name).write_text("x")
        (root / name).chmod(mode)
    (root / "mode").symlink_to("modes/simulated")  # a link's own mode is 777
    return root


def test_what_the_deploy_leaves_is_well(etc: Path) -> None:
    keys = etc / "keys"
    assert [*open_to_others(keys, os.geteuid()), *misplaced(etc, keys, os.geteuid())] == []


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("keys", 0o750, "is open to others (mode 750)"),
        ("keys/web_key", 0o640, "is open to others (mode 640)"),
        ("keys/simulated/private_key", 0o604, "is open to others (mode 604)"),
        ("keys/key_id", 0o666, "is open to others (mode 666)"),
        ("contract.yml", 0o664, "can be changed by others"),
        ("modes/simulated", 0o777, "can be changed by others"),
    ],
)
def test_what_others_can_read_or_change_is_named(etc: Path, name: str, mode: int, said: str) -> None:
    (etc / name).chmod(mode)
    keys = etc / "keys"
    (found,) = [*open_to_others(keys, os.geteuid()), *misplaced(etc, keys, os.geteuid())]
    assert found.startswith(f"{etc / name} ") and said in found


def test_what_belongs_to_somebody_else_is_named(etc: Path) -> None:
    keys, somebody = etc / "keys", os.geteuid() + 1
    assert f"{keys / 'web_key'} belongs to user {os.geteuid()}" in list(open_to_others(keys, somebody))
    assert any(str(etc / "contract.yml") in said for said in misplaced(etc, keys, somebody))
    assert list(open_to_others(etc / "nowhere")) == [f"{etc / 'nowhere'} is not there"]


WELL = """Id=recio.target
LoadState=loaded
UnitFileState=enabled
NeedDaemonReload=no
DropInPaths=

Id=recio-db_poller.service
LoadState=loaded
UnitFileState=disabled
NeedDaemonReload=no
DropInPaths=/usr/lib/systemd/system/service.d/10-all.conf /etc/systemd/system/recio-db_poller.service.d/mode.conf

Id=caddy.service
LoadState=loaded
UnitFileState=enabled
NeedDaemonReload=no
DropInPaths=/etc/systemd/system/caddy.service.d/recio.conf
"""


@pytest.mark.parametrize(
    ("was", "is_now", "said"),
    [
        ("", "", []),
        ("UnitFileState=enabled\nNeedDaemonReload=no\nDropInPaths=\n", "UnitFileState=disabled\nNeedDaemonReload=no\nDropInPaths=\n",
         ["recio.target does not start at boot (disabled)"]),
        ("Id=caddy.service\nLoadState=loaded", "Id=caddy.service\nLoadState=not-found", ["caddy.service is not-found"]),
        ("Id=caddy.service\nLoadState=loaded", "Id=caddy.service\nLoadState=masked", ["caddy.service is masked"]),
        ("NeedDaemonReload=no\nDropInPaths=/usr", "NeedDaemonReload=yes\nDropInPaths=/usr",
         ["recio-db_poller.service was changed on disk and not loaded"]),
        ("service.d/mode.conf", "service.d/mode.conf /etc/systemd/system/recio-db_poller.service.d/override.conf",
         ["recio-db_poller.service is changed by /etc/systemd/system/recio-db_poller.service.d/override.conf"]),
    ],
)  # fmt: skip
def test_units_that_differ_from_the_deploy_are_named(was: str, is_now: str, said: list[str]) -> None:
    assert list(wrong_units(WELL.replace(was, is_now) if was else WELL)) == said
