"""recio monitor: the same monitors as the page's, with the same checks, versions and audit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pg import Cluster

from recio.store.db import Database
from recio.store.rights import OPERATOR

REPO = Path(__file__).parents[3]


@pytest.fixture
def environment(database: Cluster, tmp_path: Path) -> dict[str, str]:
    settings = {
        "mode": "simulated", "series": ["KXBTCD", "KXBTCSIM"], "url": "https://desk.example",
        "kalshi": {"rest_url": "http://127.0.0.1:1", "ws_url": "ws://127.0.0.1:1"},
        "coinbase": {"ws_url": "ws://127.0.0.1:1", "rest_url": "http://127.0.0.1:1"},
    }  # fmt: skip
    (tmp_path / "settings.yml").write_text(yaml.safe_dump(settings))
    return os.environ | {
        "PYTHONPATH": str(REPO / "app"), "RECIO_DSN": database.dsn(OPERATOR), "RECIO_SETTINGS": str(tmp_path / "settings.yml"),
    }  # fmt: skip


def recio(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "recio.cli", "monitor", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_monitor_from_the_command_line(environment: dict[str, str], database: Cluster) -> None:
    made = recio(environment, "set", "mine", "strategy=hourly_hold", "series_ticker=KXBTCD", "base_count_e2=300")
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() == "made: mine runs hourly_hold on KXBTCD, off"
    assert recio(environment, "enable", "mine").stdout.strip() == "changed: mine runs hourly_hold on KXBTCD, on"
    assert recio(environment, "enable", "mine").stdout.strip() == "unchanged"
    assert recio(environment, "set", "mine", "stop.confirm_after_s=5", "sizing=kelly").returncode == 0
    found = json.loads(recio(environment, "list", "--json").stdout)
    assert [(m["monitor_id"], m["enabled"], m["version"]) for m in found] == [("mine", True, 3)]
    settings = found[0]["settings"]
    assert (settings["base_count_e2"], settings["stop"]["confirm_after_s"], settings["sizing"]) == (300, 5, "kelly")
    listed = recio(environment, "list").stdout
    assert "auto entry, the switch for all: off" in listed
    assert "auto entry is off for all monitors" in listed
    assert recio(environment, "disable", "mine").returncode == 0
    db = Database("tests", database.dsn("postgres"))
    versions = db.all("SELECT version, changed_by FROM users.settings_versions WHERE kind = 'monitor' ORDER BY version")
    audited = db.all("SELECT actor FROM users.audit_log")
    db.close()
    assert versions == [{"version": v, "changed_by": "operator"} for v in (1, 2, 3, 4)]
    assert audited == [{"actor": "operator"}] * 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("enable", "nobody"), "there is no monitor 'nobody'"),
        (("set", "mine", "strategy=martingale", "series_ticker=KXBTCD"), "there are hourly_hold, quarter_hour"),
        (("set", "mine", "strategy=hourly_hold", "series_ticker=KXETHD"), "not followed by this desk"),
        (("set", "mine", "strategy=hourly_hold", "series_ticker=KXBTCD", "multiplier=9"), "multiplier"),
        (("set", "mine", "cooldown_s"), "no KEY=VALUE"),
        (("set", "Mine!", "strategy=hourly_hold", "series_ticker=KXBTCD"), "monitor id 'Mine!'"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(environment: dict[str, str], words: tuple[str, ...], said: str) -> None:
    done = recio(environment, *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
