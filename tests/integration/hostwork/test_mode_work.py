"""Going to another mode with a real exchange, a real database and real links; only systemd is stood in for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from pg import Cluster

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "exchange"))
from simulator_process import Process

from recio.contract import parse
from recio.contract.settings import load_settings
from recio.hostwork import exchange_key, mode
from recio.hostwork.job import WorkFailed
from recio.hostwork.worker import run_requests
from recio.monitoring import modes
from recio.store import requests
from recio.store.db import Database
from recio.store.pool import Pool

ROOT = Path(__file__).resolve().parents[3]
KEY_ID = "sim-0123456789abcdef"
CONTRACT = parse(
    json.dumps(yaml.safe_load((ROOT / "roles" / "contract" / "defaults" / "main.yml").read_text())["contract"])
)


@dataclass
class Host:
    """A host's folders, what systemd was told and in which mode, and what is to go wrong."""

    etc: Path
    page: Pool
    root: Database
    owner: Database
    said: list[tuple[str, str]] = field(default_factory=list)
    fails: set[tuple[str, str]] = field(default_factory=set)  # (verb, mode in force) that do not succeed
    dies_at: tuple[str, str] | None = None
    simulator: bool = True

    def systemd(self, words: list[str], _timeout_s: float) -> str:
        """systemctl, and `recio verify`."""
        at = (words[1], modes.in_force())
        self.said.append(at)
        if at == self.dies_at:
            self.dies_at = None
            raise SystemExit(9)
        if at in self.fails:
            raise WorkFailed(f"{words[1]} failed in mode {at[1]}")
        if words[1] == "stop" and "recio-simulator.service" in words:
            self.simulator = False
        if words[1] == "start":
            assert ("recio-simulator.service" in words) is (at[1] == "simulated")
            assert sum(word.startswith("recio-") for word in words) == len(CONTRACT.services) + (at[1] == "simulated")
            self.simulator = at[1] == "simulated"
        return ("active" if self.simulator else "inactive") + "\n"

    def ask(self, wanted: str = "demo") -> tuple[str, str]:
        """State and result of a request that the worker did."""
        assert requests.ask(self.page, "mode", {"mode": wanted}, "admin") is not None
        run_requests(self.root, CONTRACT)
        row = requests.newest(self.page)[0]
        return row["state"], row["result"]

    def deployed(self) -> str:
        return (self.etc / "deploy/deployed").read_text().split()[-1]


@pytest.fixture
def host(database: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    exchange = Process(tmp_path)
    assert "ready" in exchange.start("--key-id", KEY_ID)
    etc = tmp_path / "etc"
    monkeypatch.setenv("RECIO_SETTINGS", str(etc / "settings.yml"))
    monkeypatch.setenv("RECIO_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("RECIO_DEPLOY_DIR", str(etc / "deploy"))
    (tmp_path / "run" / "main_app").mkdir(parents=True)
    (etc / "deploy").mkdir(parents=True)
    (etc / "deploy/deployed").write_text("0.1.0 a b mode=simulated\n")
    # the demo exchange's name, spoken by this machine's simulator
    for name, rest in (("simulated", exchange.rest), ("demo", exchange.rest.replace("127.0.0.1", "x.demo.kalshi.co"))):
        (etc / "modes" / name).mkdir(parents=True)
        (etc / "keys" / name).mkdir(parents=True)
        (etc / "keys" / name / "private_key").write_bytes(exchange.pem)
        (etc / "modes" / name / "settings.yml").write_text(
            f"mode: {name}\nuser_id: '0001'\nkalshi:\n  rest_url: {rest}\n  ws_url: {rest}\n  key_id: '{KEY_ID}'\n"
            "coinbase:\n  ws_url: ws://127.0.0.1:1\n  rest_url: http://127.0.0.1:1\nseries: [KXBTCD]\nurl: https://desk\n"
        )
    (etc / "settings.yml").symlink_to("mode/settings.yml")
    modes.point("simulated")
    found = Host(
        etc, Pool("main_app", database.dsn("main_app")), Database("recio requests", database.dsn("recio_operator")),
        Database("tests", database.dsn("postgres")),
    )  # fmt: skip

    def checked(place: Path) -> None:
        """What recio-key_check.service does; the demo exchange's name leads to this machine."""
        question = place / "candidate" / "question"
        question.write_text(question.read_text().replace("x.demo.kalshi.co", "127.0.0.1"))
        credentials = place / "credentials"
        credentials.mkdir()
        for path in (place / "candidate").iterdir():
            (credentials / f"candidate_{path.name}").write_bytes(path.read_bytes())
        environment = os.environ | {"CREDENTIALS_DIRECTORY": str(credentials), "PYTHONPATH": str(ROOT / "app")}
        with (place / "answer").open("wb") as answer:
            command = [sys.executable, "-m", "recio.exchange.kalshi.key_check"]
            subprocess.run(command, env=environment, stdout=answer, check=True)

    monkeypatch.setattr(exchange_key, "run_check", checked)
    monkeypatch.setattr(mode, "run_command", found.systemd)
    yield found
    exchange.end()
    for connection in (found.page, found.root, found.owner):
        connection.close()


def open_trade(owner: Database, state: str = "open") -> None:
    owner.run(
        "INSERT INTO users.trades (user_id, mode, ticket_id, source, market_ticker, event_ticker, series_ticker, strike_e2, side,"
        " state, count_e2, limit_price_e4, close_time) VALUES ('0001', 'simulated', 1, 'web', 'M-1', 'M', 'KXBTCSIM', 1, 'yes',"
        " %s, 100, 5000, now())",
        (state,),
    )


def is_simulated(host: Host) -> bool:
    """Nothing of a switch is left, and the old mode runs."""
    assert modes.switch_under_way() is None
    assert (host.deployed(), host.simulator) == ("mode=simulated", True)
    assert modes.choice() is None
    return modes.in_force() == "simulated" and load_settings().mode == "simulated"


def test_there_and_back_with_everything_proven(host: Host) -> None:
    state, result = host.ask()
    assert (state, "in mode demo, no longer in simulated" in result) == ("done", True), result
    assert (modes.in_force(), load_settings().mode, host.deployed()) == ("demo", "demo", "mode=demo")
    assert not host.simulator, "an exchange of the other mode does not run"
    assert host.said == [
        ("stop", "simulated"), ("stop", "simulated"), ("daemon-reload", "demo"), ("start", "demo"), ("verify", "demo"),
        ("show", "demo"),
    ]  # fmt: skip
    chosen = modes.choice()
    assert chosen is not None
    assert (chosen.mode, chosen.by) == ("demo", "admin")
    assert modes.switch_under_way() is None
    actions = [row["action"] for row in host.owner.all("SELECT action FROM users.audit_log ORDER BY 1")]
    assert actions == ["ask mode", "done mode"]
    assert host.ask("simulated")[0] == "done", "its exchange does not run before and is not asked"
    assert (modes.in_force(), host.simulator) == ("simulated", True)


@pytest.mark.parametrize("wanted", ["live", "paper", "simulated"])
def test_a_mode_that_is_not_there_or_is_in_force_changes_nothing(host: Host, wanted: str) -> None:
    state, result = host.ask(wanted)
    assert (state, "nothing was changed" in result, host.said) == ("failed", True, []), result
    assert is_simulated(host)


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (lambda host: (host.etc / "keys/demo/private_key").unlink(), "there is no key for mode demo"),
        (lambda host: open_trade(host.owner), "trade 1 (open) of mode simulated is not over"),
        (lambda host: (host.etc / "deploy/under_way").touch(), "a deploy is under way"),
        (lambda host: (host.etc / "modes/demo/settings.yml").unlink(), "has no settings for mode demo"),
    ],
)
def test_what_is_missing_is_said_and_nothing_changes(host: Host, prepare: object, why: str) -> None:
    prepare(host)  # type: ignore[operator]
    state, result = host.ask()
    assert (state, why in result, "nothing was changed" in result, host.said) == ("failed", True, True, []), result
    assert is_simulated(host)


def test_a_key_the_exchange_does_not_take_changes_nothing(host: Host) -> None:
    place = host.etc / "modes/demo/settings.yml"
    place.write_text(place.read_text().replace(KEY_ID, "sim-of-nobody-1234"))
    state, result = host.ask()
    assert (state, "NOT_FOUND" in result, host.said) == ("failed", True, []), result
    assert is_simulated(host)


def test_a_trade_that_opened_while_everything_stopped_is_seen_and_keeps_the_mode(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd = mode.run_command

    def opening(words: list[str], timeout_s: float) -> str:
        if words[1] == "stop" and "recio-simulator.service" in words:
            open_trade(host.owner, "pending")
        return systemd(words, timeout_s)

    monkeypatch.setattr(mode, "run_command", opening)
    state, result = host.ask()
    assert (state, "trade 1 (pending) of mode simulated is not over" in result) == ("failed", True), result
    assert "mode simulated is in force again and every service has proven itself" in result
    assert is_simulated(host)


@pytest.mark.parametrize(
    "step", [("start", "demo"), ("verify", "demo"), ("daemon-reload", "demo"), ("stop", "simulated")]
)
def test_whatever_fails_on_the_way_the_desk_is_back_where_it_was(host: Host, step: tuple[str, str]) -> None:
    host.fails.add(step)
    state, result = host.ask()
    assert state == "failed"
    assert f"{step[0]} failed in mode {step[1]}" in result and "mode simulated is in force again" in result
    assert host.said[-2:] == [("verify", "simulated"), ("show", "simulated")], "proven again"
    assert is_simulated(host)


def test_a_way_back_that_is_not_proven_either_is_said(host: Host) -> None:
    host.fails |= {("verify", "demo"), ("verify", "simulated")}
    state, result = host.ask()
    assert (state, "has not proven itself either" in result) == ("failed", True), result
    assert is_simulated(host)


@pytest.mark.parametrize(
    "step", [("stop", "simulated"), ("daemon-reload", "demo"), ("start", "demo"), ("verify", "demo"), ("show", "demo")]
)
def test_a_worker_killed_at_any_step_is_followed_by_one_that_goes_back(host: Host, step: tuple[str, str]) -> None:
    host.dies_at = step
    with pytest.raises(SystemExit):
        host.ask()
    assert modes.switch_under_way() is not None, "what systemd starts the next worker by"
    assert run_requests(host.root, CONTRACT) == 0
    assert is_simulated(host)
    row = requests.newest(host.page)[0]
    assert row["state"] == "failed"
    assert row["result"] == "the switch to mode demo broke off; mode simulated is in force again and has proven itself"


def test_a_worker_killed_after_the_proof_takes_its_choice_back_too(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed() -> None:
        raise SystemExit(9)

    with monkeypatch.context() as dying:
        dying.setattr(modes, "end_switch", killed)
        with pytest.raises(SystemExit):
            host.ask()
    assert modes.choice() is not None
    run_requests(host.root, CONTRACT)
    assert is_simulated(host)
