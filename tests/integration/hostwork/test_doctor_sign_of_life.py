"""doctor on the dead-man's switch, with the operator's own rights: none wanted, one that is heard, one that is not."""

from __future__ import annotations

import psycopg2
import pytest
from pg import Cluster

from recio.cli.doctor import sign_of_life
from recio.contract.settings import Coinbase, Kalshi, Settings
from recio.store.db import Database
from recio.store.notify_queries import ALIVE, note_heartbeat
from recio.store.rights import OPERATOR

BASE = {"rest_url": "http://127.0.0.1:1", "ws_url": "ws://127.0.0.1:1"}
SETTINGS = Settings("simulated", Kalshi(**BASE), Coinbase(**BASE), ("KXBTCD",), "https://desk")


@pytest.fixture
def owner(database: Cluster, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("RECIO_DSN", database.dsn(OPERATOR))
    return Database("tests", database.dsn("postgres"))


def target(owner: Database, name: str, age: str = "1 hour") -> int:
    row = owner.one(
        "INSERT INTO users.notify_targets (user_id, name, kind, address, hint, events, created_at)"
        " VALUES ('0001', %s, 'webhook', 'heartbeat://h/secret', 'h', %s, now() - %s::interval) RETURNING target_id",
        (name, [ALIVE], age),
    )
    assert row is not None
    return int(row["target_id"])


def test_none_wanted_is_well_and_says_how_to_want_one(owner: Database) -> None:
    well, said, _ = sign_of_life(None, SETTINGS)  # type: ignore[arg-type]
    assert well and "none is wanted" in said and "heartbeat://" in said


def test_a_switch_that_is_heard_is_well_and_one_that_is_not_is_named_with_its_answer(owner: Database) -> None:
    heard, new = target(owner, "phone"), target(owner, "just made", "1 minute")
    note_heartbeat(owner, heard, "sent", "200 OK")
    assert sign_of_life(None, SETTINGS)[:2] == (True, "sign of life: 2 had it within 300 s")  # type: ignore[arg-type]
    owner.run("UPDATE users.notifications SET sent_at = now() - interval '10 minutes'")
    note_heartbeat(owner, heard, "failed", "held back, not healthy: db_poller")
    owner.run("UPDATE users.notify_targets SET created_at = now() - interval '1 day' WHERE target_id = %s", (new,))
    well, said, cure = sign_of_life(None, SETTINGS)  # type: ignore[arg-type]
    assert not well and "Notifications" in cure
    assert "phone had none for 10 min: held back, not healthy: db_poller" in said
    assert "just made never had one: nobody has tried" in said
    owner.run("UPDATE users.notify_targets SET enabled = false")
    assert sign_of_life(None, SETTINGS)[0]  # type: ignore[arg-type]


def test_the_operator_reads_no_address_and_no_message(owner: Database, database: Cluster) -> None:
    for secret in ("SELECT address FROM users.notify_targets", "SELECT body FROM users.notifications"):
        operator = Database("tests", database.dsn(OPERATOR))
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            operator.one(secret)
        operator.close()
