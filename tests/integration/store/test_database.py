"""The database as deployed: schema, partition, rights that hold, migrations that repeat, tickets that do not."""

from __future__ import annotations

import time

import psycopg2
import psycopg2.errors
import pytest
from pg import Cluster

from recio.store.admin import bootstrap, migrate
from recio.store.db import Database
from recio.store.rights import OPERATOR, OWNER, SERVICE_ROLES
from recio.store.schema import SchemaMismatch, expected_revision, require_schema
from recio.store.tickets import KeyReused, submit_open, wait_decided


def test_a_second_bootstrap_and_migration_change_nothing(database: Cluster) -> None:
    assert not bootstrap(database.dsn("postgres", "postgres"), "rec_io_db")
    assert not migrate(database.dsn(OWNER))


def test_rights_that_drifted_are_put_right(database: Cluster) -> None:
    owner = Database("tests", database.dsn(OWNER))
    owner.run("GRANT DELETE ON users.trades TO main_app")
    owner.run("COMMENT ON SCHEMA system IS 'rights of another release'")
    assert migrate(database.dsn(OWNER))
    found = owner.one("SELECT has_table_privilege('main_app', 'users.trades', 'DELETE') AS may")
    assert found == {"may": False}


def test_the_documented_table_is_a_partition(database: Cluster) -> None:
    db = Database("tests", database.dsn("postgres"))
    row = db.one(
        "SELECT inhparent::regclass::text AS parent FROM pg_inherits WHERE inhrelid = 'users.trades_0001'::regclass"
    )
    assert row == {"parent": "users.trades"}


def test_no_role_is_more_than_it_needs(database: Cluster) -> None:
    db = Database("tests", database.dsn("postgres"))
    for role in (*SERVICE_ROLES, OPERATOR, OWNER):
        row = db.one("SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = %s", (role,))
        assert row == {"rolsuper": False, "rolcreatedb": False, "rolcreaterole": False}, role


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("main_app", "UPDATE users.trades SET pnl_e6 = 1"),
        ("main_app", "INSERT INTO users.orders (user_id) VALUES ('0001')"),
        ("main_app", "UPDATE users.tickets SET state = 'accepted'"),
        ("main_app", "UPDATE users.users SET login = 'x'"),
        ("trade_manager", "DELETE FROM users.trades"),
        ("trade_manager", "UPDATE users.orders SET state = 'filled'"),
        ("trade_manager", "UPDATE users.trade_events SET kind = 'x'"),
        ("trade_executor", "UPDATE users.orders SET limit_price_e4 = 9999"),
        ("trade_executor", "UPDATE users.trades SET state = 'closed'"),
        ("kalshi_account_sync", "UPDATE users.fills SET fee_e6 = 0"),
        ("btc_price_watchdog", "SELECT * FROM users.trades"),
        ("db_poller", "SELECT * FROM users.users"),
        ("system_monitor", "CREATE TABLE public.mine (i int)"),
        (OPERATOR, "UPDATE users.trades SET pnl_e6 = 1"),
    ],
)
def test_deny_first(database: Cluster, role: str, statement: str) -> None:
    db = Database("tests", database.dsn(role))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        db.run(statement)
    db.close()


def test_services_refuse_another_schema(database: Cluster) -> None:
    owner = Database("tests", database.dsn(OWNER))
    owner.run("UPDATE public.schema_version SET version_num = '9999'")
    try:
        with pytest.raises(SchemaMismatch, match=r"9999.*needs"):
            require_schema(Database("tests", database.dsn("db_poller")))
    finally:
        owner.run("UPDATE public.schema_version SET version_num = %s", (expected_revision(),))


def test_a_ticket_key_is_used_once(database: Cluster) -> None:
    db = Database("tests", database.dsn("main_app"))
    wanted = {
        "user_id": "0001", "mode": "simulated", "key": "key-of-a-test", "source": "web", "market_ticker": "T",
        "side": "yes", "count_e2": 100, "limit_price_e4": 5000,
    }  # fmt: skip
    first, second = submit_open(db, **wanted), submit_open(db, **wanted)  # type: ignore[arg-type]
    assert (first.replayed, second.replayed) == (False, True)
    assert first.ticket_id == second.ticket_id
    with pytest.raises(KeyReused, match="another request"):
        submit_open(db, **(wanted | {"side": "no"}))  # type: ignore[arg-type]
    assert wait_decided(db, first.ticket_id, 0.2)["state"] == "new"  # nobody decides: it says so


def test_a_transaction_that_fails_leaves_nothing(database: Cluster) -> None:
    db = Database("tests", database.dsn("main_app"))
    with pytest.raises(RuntimeError, match="midway"), db.transaction():
        db.run("INSERT INTO users.audit_log (actor, action) VALUES ('a', 'b')")
        raise RuntimeError("midway")
    assert db.all("SELECT * FROM users.audit_log") == []


def test_notifications_arrive_and_are_never_missed_in_a_query(database: Cluster) -> None:
    db = Database("tests", database.dsn("db_poller"))
    db.listen(["trade"])
    db.notify("trade", 7)
    db.one("SELECT 1")
    assert db.pending
    assert [(n.channel, n.payload) for n in db.notifications()] == [("trade", "7")]
    assert not db.pending


# ------------------------------------------------------------------ fewer round trips, the same promises
def test_statements_that_travel_together_are_one_transaction(database: Cluster) -> None:
    db = Database("tests", database.dsn("postgres"))
    db.run("CREATE TEMP TABLE seen (n int PRIMARY KEY)")
    with db.transaction():
        db.later("INSERT INTO seen VALUES (%s)", (1,))
        assert db.run("INSERT INTO seen VALUES (2), (3)") == 2  # of this statement, not of those that came with it
        db.later("INSERT INTO seen VALUES (4)")
    assert [row["n"] for row in db.all("SELECT n FROM seen ORDER BY n")] == [1, 2, 3, 4]
    with pytest.raises(psycopg2.errors.UniqueViolation), db.transaction():
        db.run("INSERT INTO seen VALUES (5)")
        db.later("INSERT INTO seen VALUES (1)")  # fails with COMMIT: nothing of the transaction stays
    with pytest.raises(KeyError), db.transaction():
        db.later("INSERT INTO seen VALUES (6)")
        raise KeyError
    with pytest.raises(psycopg2.errors.UniqueViolation):
        db.batch([("INSERT INTO seen VALUES (7)", ()), ("INSERT INTO seen VALUES (7)", ())])
    with db.transaction():
        pass  # nothing asked for: nothing sent
    assert db.one("SELECT count(*) AS n FROM seen") == {"n": 4}
    db.batch([("INSERT INTO seen VALUES (%s)", (8,))], durable=False)
    assert db.one("SELECT count(*) AS n, current_setting('synchronous_commit') AS how FROM seen") == {
        "n": 5,
        "how": "on",
    }
    db.close()


def test_a_durable_transaction_waits_for_the_disk_and_the_other_does_not(database: Cluster) -> None:
    db = Database("tests", database.dsn("postgres"))
    for durable, how in ((True, "on"), (False, "off")):
        with db.transaction(durable):
            assert db.one("SELECT current_setting('synchronous_commit') AS how") == {"how": how}
    db.close()


def test_a_prepared_query_gives_the_same_rows(database: Cluster) -> None:
    db = Database("tests", database.dsn("postgres"))
    sql = "SELECT %(a)s::int + %(b)s::int AS sum, %(a)s::int AS a, 10 %% 3 AS rest, '{\"k\": [1]}'::jsonb AS doc"
    for a in range(8):
        assert db.hot(sql, {"a": a, "b": 1}) == [{"sum": a + 1, "a": a, "rest": 1, "doc": {"k": [1]}}]
    assert db.hot("SELECT %s::text AS one, %s::text AS two", ("x", "y")) == [{"one": "x", "two": "y"}]
    with db.transaction():
        assert db.hot("SELECT now() = statement_timestamp() AS first") != []
    db.close()


def test_notifications_of_a_transaction_come_with_its_commit_only(database: Cluster) -> None:
    db, other = (Database("tests", database.dsn("postgres")) for _ in range(2))
    other.listen(["bench"])
    with pytest.raises(KeyError), db.transaction():
        db.notify("bench", "lost")
        raise KeyError
    with db.transaction():
        db.notify("bench", "kept")
    until = time.monotonic() + 20
    found: list[str] = []
    while not found and time.monotonic() < until:
        found = [note.payload for note in other.notifications()]
    assert found == ["kept"]
    db.close()
    other.close()
