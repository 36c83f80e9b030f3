"""Giving and removing a key with a real exchange that checks signatures and a real database; only systemd is stood in for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pg import Cluster

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "exchange"))
from simulator_process import Process

from recio.contract import parse
from recio.hostwork import exchange_key
from recio.hostwork.job import WorkFailed
from recio.hostwork.worker import run_requests
from recio.monitoring import exchange_keys as keys
from recio.store import requests
from recio.store.db import Database
from recio.store.pool import Pool

ROOT = Path(__file__).resolve().parents[3]
KEY_ID = "sim-0123456789abcdef"


def another_key() -> str:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


@dataclass
class Host:
    """A host's folders, its exchange, and what systemd was told."""

    etc: Path
    exchange: Process
    page: Pool
    root: Database
    owner: Database
    said: list[str]
    broken: set[str]

    @property
    def key(self) -> str:
        return (self.etc / "keys/simulated/private_key").read_text()

    def settings(self, place: str = "settings.yml") -> str:
        return str(yaml.safe_load((self.etc / place).read_text())["kalshi"]["key_id"])

    def ask(self, kind: str, **args: str) -> tuple[str, str]:
        """State and result of a request that the worker did."""
        raw = yaml.safe_load((ROOT / "roles" / "contract" / "defaults" / "main.yml").read_text())["contract"]
        assert requests.ask(self.page, kind, args, "admin") is not None
        assert run_requests(self.root, parse(json.dumps(raw))) == 1
        row = requests.newest(self.page)[0]
        return row["state"], row["result"]

    def give(self, private_key: str, key_id: str = KEY_ID, mode: str = "simulated") -> tuple[str, str]:
        return self.ask("set_exchange_key", mode=mode, secret=keys.leave_secret(keys.Given(key_id, private_key)))

    def everything(self) -> str:
        """Every row of every table."""
        tables = self.owner.all(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        return "\n".join(
            str(row["line"])
            for table in tables
            for row in self.owner.all(f"SELECT t::text AS line FROM {table['name']} t")
        )


@pytest.fixture
def host(database: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    exchange = Process(tmp_path)
    assert "ready" in exchange.start("--key-id", KEY_ID)
    etc = tmp_path / "etc"
    for folder in ("modes", "keys/simulated"):
        (etc / folder).mkdir(parents=True)
    (tmp_path / "run" / "main_app").mkdir(parents=True)
    monkeypatch.setenv("RECIO_SETTINGS", str(etc / "settings.yml"))
    monkeypatch.setenv("RECIO_RUN_DIR", str(tmp_path / "run"))
    for mode, rest, key_id in (
        ("simulated", exchange.rest, KEY_ID), ("demo", "https://nowhere.demo.kalshi.co/trade-api/v2", ""),
    ):  # fmt: skip
        settings = {
            "mode": mode,
            "user_id": "0001",
            "kalshi": {"rest_url": rest, "ws_url": rest, "key_id": key_id},
            "coinbase": {"ws_url": "ws://127.0.0.1:1", "rest_url": "http://127.0.0.1:1"},
            "series": ["KXBTCSIM"],
            "url": "https://desk",
        }
        text = json.dumps(settings, indent=2)
        (etc / "modes" / mode).mkdir()
        (etc / "modes" / mode / "settings.yml").write_text(text)
        if mode == "simulated":
            (etc / "settings.yml").write_text(text)
    (etc / "keys/simulated/private_key").write_bytes(exchange.pem)

    found = Host(
        etc, exchange, Pool("main_app", database.dsn("main_app")), Database("recio requests", database.dsn("recio_operator")),
        Database("tests", database.dsn("postgres")), [], set(),
    )  # fmt: skip

    def checked(place: Path) -> None:
        """What recio-key_check.service does: the key by credential, the answer into a file."""
        credentials = place / "credentials"
        credentials.mkdir()
        for path in (place / "candidate").iterdir():
            (credentials / f"candidate_{path.name}").write_bytes(path.read_bytes())
        command = [sys.executable, "-m", "recio.exchange.kalshi.key_check"]
        environment = os.environ | {"CREDENTIALS_DIRECTORY": str(credentials), "PYTHONPATH": str(ROOT / "app")}
        with (place / "answer").open("wb") as answer:
            subprocess.run(command, env=environment, stdout=answer, check=True)

    def proven(_contract: object, name: str, _began_s: float) -> None:
        if name in found.broken:
            found.broken.clear()
            raise WorkFailed(f"{name} has not proven its function")

    monkeypatch.setattr(exchange_key, "run_check", checked)
    monkeypatch.setattr(exchange_key, "run_command", lambda words, _timeout_s: found.said.append(" ".join(words[1:])))
    monkeypatch.setattr(exchange_key, "restart", lambda name: found.said.append(f"restart {name}"))
    monkeypatch.setattr(exchange_key, "prove", proven)
    yield found
    exchange.end()
    for connection in (found.page, found.root, found.owner):
        connection.close()


def trade_with_order(owner: Database, trade: str, order: str | None) -> None:
    owner.run(
        "INSERT INTO users.trades (user_id, mode, ticket_id, source, market_ticker, event_ticker, series_ticker, strike_e2, side,"
        " state, count_e2, limit_price_e4, close_time) VALUES ('0001', 'simulated', 1, 'web', 'M-1', 'M', 'KXBTCSIM', 1, 'yes',"
        " %s, 100, 5000, now())",
        (trade,),
    )
    if order:
        owner.run(
            "INSERT INTO users.orders (user_id, mode, trade_id, purpose, market_ticker, side, count_e2, limit_price_e4, state,"
            " client_order_id) SELECT '0001', 'simulated', max(trade_id), 'entry', 'M-1', 'yes', 100, 5000, %s, gen_random_uuid()"
            " FROM users.trades",
            (order,),
        )


def test_the_same_key_again_is_checked_stored_and_told_without_itself(
    host: Host, capfd: pytest.CaptureFixture[str]
) -> None:
    state, result = host.give(host.exchange.pem.decode())
    assert state == "done", result
    assert "…cdef (RSA 2048, SHA256:" in result and "taken by the exchange" in result and "proved" in result
    assert host.key.encode() == host.exchange.pem
    assert (host.etc / "keys/simulated/private_key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (host.etc / "keys").iterdir()] == ["simulated"], "nothing is left beside it"
    assert host.said[0] == "stop recio-trade_executor.service"
    assert host.said[1:] == [f"restart {name}" for name in exchange_key.SIGNERS]
    told = keys.records()["simulated"]
    assert (told.key_id, told.by, told.kind) == (KEY_ID, "admin", "RSA 2048")
    everywhere = host.everything() + "".join(capfd.readouterr())
    for line in host.exchange.pem.decode().splitlines()[1:-1]:
        assert line not in everywhere
    assert not list((host.etc.parent / "run" / "main_app").iterdir())
    assert not (host.etc.parent / "run" / "key_check").exists()
    actions = [row["action"] for row in host.owner.all("SELECT action FROM users.audit_log ORDER BY 1")]
    assert actions == ["ask set_exchange_key", "done set_exchange_key"]


def test_another_account_of_the_exchange_takes_the_place_of_the_first(host: Host) -> None:
    (host.etc / "keys/simulated/private_key").write_text(
        another_key()
    )  # the exchange knows another one than the host has
    state, result = host.give(host.exchange.pem.decode())
    assert state == "done", result
    assert host.key.encode() == host.exchange.pem
    assert host.settings() == host.settings("modes/simulated/settings.yml") == KEY_ID


@pytest.mark.parametrize(
    ("make", "key_id", "said"),
    [
        (another_key, KEY_ID, "INCORRECT_API_KEY_SIGNATURE); the id and the private key do not belong together"),
        (None, "sim-of-another-exchange", "NOT_FOUND); it does not know this key id"),
        (lambda: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", KEY_ID, "not a PEM private key"),
        (lambda: "rubbish", KEY_ID, "no PEM private key"),
        (None, "no spaces please", "the key id is not one"),
    ],
)
def test_a_wrong_key_is_refused_in_the_exchanges_words_and_nothing_changes(
    host: Host, make: Any, key_id: str, said: str
) -> None:
    before = {path: path.read_bytes() for path in host.etc.rglob("*") if path.is_file()}
    state, result = host.give(make() if make else host.exchange.pem.decode(), key_id)
    assert state == "failed"
    assert said in result and "nothing was changed" in result
    assert {path: path.read_bytes() for path in host.etc.rglob("*") if path.is_file()} == before
    assert host.said == []
    assert not list((host.etc.parent / "run" / "main_app").iterdir())


def test_an_exchange_that_does_not_answer_leaves_the_key_as_it_is(host: Host) -> None:
    host.exchange.end()
    before = host.key
    state, result = host.give(before)
    assert state == "failed"
    assert "unavailable" in result and "try again when the exchange answers" in result
    assert host.key == before


@pytest.mark.parametrize("order", ["resting", "unknown", "sending"])
def test_an_order_under_way_keeps_the_key_it_was_sent_with(host: Host, order: str) -> None:
    trade_with_order(host.owner, "pending", order)
    state, result = host.give(host.exchange.pem.decode())
    assert state == "failed"
    assert f"orders are not finished (1 {order})" in result
    assert host.said == []


def test_an_open_trade_lets_the_same_account_through_and_no_other(host: Host) -> None:
    trade_with_order(host.owner, "open", "filled")
    assert host.give(host.exchange.pem.decode())[0] == "done"
    for place in ("settings.yml", "modes/simulated/settings.yml"):  # as if the host's key were of another account
        (host.etc / place).write_text((host.etc / place).read_text().replace(KEY_ID, "sim-somebody-else"))
    state, result = host.give(host.exchange.pem.decode())
    assert state == "failed"
    assert "trade 1 (open) is not finished" in result


def test_a_key_with_which_a_service_does_not_prove_itself_goes_and_the_former_comes_back(host: Host) -> None:
    former = another_key()
    (host.etc / "keys/simulated/private_key").write_text(former)
    for place in ("settings.yml", "modes/simulated/settings.yml"):
        (host.etc / place).write_text((host.etc / place).read_text().replace(KEY_ID, "sim-the-former"))
    host.broken.add("kalshi_account_sync")
    state, result = host.give(host.exchange.pem.decode())
    assert state == "failed"
    assert "did not serve, so that the former is in force again: kalshi_account_sync" in result
    assert host.key == former
    assert host.settings() == host.settings("modes/simulated/settings.yml") == "sim-the-former"
    assert keys.records() == {}
    assert host.said.count("restart trade_executor") == 2


def test_a_worker_that_died_before_the_proof_is_followed_by_one_that_puts_the_former_back(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = another_key()
    (host.etc / "keys/simulated/private_key").write_text(former)

    def killed(*_: object) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as dying:
        dying.setattr(exchange_key, "prove", killed)
        with pytest.raises(SystemExit):
            host.give(host.exchange.pem.decode())
    assert host.key.encode() == host.exchange.pem
    assert exchange_key.mend() == ["simulated"]
    assert host.key == former
    assert keys.records() == {}
    assert exchange_key.mend() == []


def test_a_worker_that_died_while_it_removed_the_former_leaves_the_proven_key(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    (host.etc / "keys/simulated/private_key").write_text(another_key())
    whole = exchange_key.shutil.rmtree

    def cut_short(place: Path) -> None:
        if place.name.startswith("simulated."):
            (place / "was.json").unlink()
            raise SystemExit(9)
        whole(place)

    with monkeypatch.context() as dying:
        dying.setattr(exchange_key.shutil, "rmtree", cut_short)
        with pytest.raises(SystemExit):
            host.give(host.exchange.pem.decode())
    assert exchange_key.mend() == []
    assert host.key.encode() == host.exchange.pem
    assert sorted(path.name for path in (host.etc / "keys").iterdir() if path.name.startswith("simulated")) == [
        "simulated"
    ]


def test_a_key_for_a_mode_that_is_not_in_use_is_asked_of_that_modes_exchange(host: Host) -> None:
    state, result = host.give(another_key(), "demo-key-1234", "demo")
    assert state == "failed"
    assert "nowhere.demo.kalshi.co" in result and "nothing was changed" in result
    assert not (host.etc / "keys/demo").exists()


def test_a_key_that_is_removed_is_gone_with_what_was_told_of_it(host: Host) -> None:
    assert host.ask("remove_exchange_key", mode="simulated")[1].startswith(
        "the simulated exchange's key is this host's own"
    )
    assert "there is no key for mode demo" in host.ask("remove_exchange_key", mode="demo")[1]
    (host.etc / "keys/demo").mkdir()
    (host.etc / "keys/demo/private_key").write_text(another_key())
    keys.write_records({"demo": keys.KeyRecord("demo-key-1234", "SHA256:x", "RSA 2048", 1.0, "admin")})
    state, result = host.ask("remove_exchange_key", mode="demo")
    assert state == "done", result
    assert "revoke it on the exchange's page too" in result
    assert not (host.etc / "keys/demo/private_key").exists()
    assert keys.records() == {}
    assert host.key.encode() == host.exchange.pem
    assert host.said == [], "nobody signs with it: nobody restarts"


def test_removing_the_key_in_use_waits_for_what_is_open_and_leaves_a_desk_that_reads(host: Host) -> None:
    (host.etc / "keys/demo").mkdir()
    (host.etc / "keys/demo/private_key").write_text(another_key())
    for place in ("settings.yml", "modes/demo/settings.yml"):
        text = (host.etc / "modes/demo/settings.yml").read_text().replace('"key_id": ""', '"key_id": "demo-key-1234"')
        (host.etc / place).write_text(text)
    trade_with_order(host.owner, "open", None)
    host.owner.run("UPDATE users.trades SET mode = 'demo'")
    state, result = host.ask("remove_exchange_key", mode="demo")
    assert (state, "trade 1 (open) is not finished" in result) == ("failed", True)
    assert host.settings() == "demo-key-1234"
    host.owner.run("UPDATE users.trades SET state = 'closed'")
    state, result = host.ask("remove_exchange_key", mode="demo")
    assert (state, "the desk only reads until" in result) == ("done", True), result
    assert list((host.etc / "keys/demo").iterdir()) == [], "the folder stays: systemd asks for it"
    assert host.settings() == host.settings("modes/demo/settings.yml") == ""
    assert host.said == ["stop recio-trade_executor.service", *(f"restart {name}" for name in exchange_key.SIGNERS)]


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_no_key_of_a_mode_that_is_not_there_yet_is_kept_and_its_file_is_gone(host: Host, mode: str) -> None:
    state, result = host.give(another_key(), "live-key-1234", mode)
    assert state == "failed"
    assert f"does not trade in mode {mode}" in result
    assert not list((host.etc.parent / "run" / "main_app").iterdir())
