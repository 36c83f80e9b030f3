"""What every test of a deployed host stands on: the host by SSH, its contract, its desk by HTTPS. RECIO_TRIAL names its facts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml
from desk import Desk
from remote import Remote
from testinfra.host import Host

from recio.contract import Contract, parse

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "scripts"))
from tester import tester_password  # noqa: E402 - of scripts/

RECIO_TRIAL = Path(os.environ.get("RECIO_TRIAL", str(PROJECT / "build" / "trial.json")))


@pytest.fixture(scope="session")
def facts() -> dict[str, str]:
    """build/NAME.json of a deployed host."""
    if not RECIO_TRIAL.exists():
        pytest.exit(
            f"{RECIO_TRIAL} is missing: run `make up` first, or name another host's file in RECIO_TRIAL", returncode=3
        )
    loaded: dict[str, str] = json.loads(RECIO_TRIAL.read_text())
    return loaded


@pytest.fixture(scope="session")
def host(facts: dict[str, str]) -> Host:
    """The host through testinfra, over the shared SSH connection of its ssh_config."""
    return testinfra.get_host(f"ssh://{facts['host']}", ssh_config=facts["ssh_config"])


@pytest.fixture(scope="session")
def remote(host: Host) -> Remote:
    """The host in the product's own terms: units, status, SQL."""
    return Remote(host)


@pytest.fixture(scope="session")
def declared() -> dict[str, Any]:
    """The contract's one home, as data."""
    text = (PROJECT / "roles/contract/defaults/main.yml").read_text()
    mapping: dict[str, Any] = yaml.safe_load(text)["contract"]
    return mapping


@pytest.fixture(scope="session")
def contract(remote: Remote) -> Contract:
    """The contract as the host holds it."""
    return parse(remote.out("cat /etc/recio/contract.yml"), "/etc/recio/contract.yml")


@pytest.fixture(scope="session")
def desk(facts: dict[str, str]) -> Desk:
    """The desk, logged in."""
    desk = Desk(facts["url"], facts["ca_file"])
    desk.log_in(facts["admin_user"], tester_password(facts))
    return desk


@pytest.fixture
def healthy(remote: Remote) -> Iterator[None]:
    """A disturbing test begins and ends with twelve healthy services."""
    remote.wait_healthy(60)
    yield
    remote.wait_healthy(90)


def played(facts: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """One run of a playbook (its path in the project, and options) against a trial host, however it ends."""
    environment = {**os.environ, "RECIO_TRIAL_NAME": facts["host"], "PATH": f"{PROJECT}/.venv/bin:{os.environ['PATH']}"}
    command = ["ansible-playbook", "-i", "inventory/trial", *words]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


def play(facts: dict[str, str], *words: str) -> str:
    """A run that must succeed; what it said. Fails with its last words."""
    done = played(facts, *words)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout
