"""An operator's work on the database, beside writers that must not wait for it."""

from __future__ import annotations

import threading
import time

import psycopg2
import pytest
from pg import Cluster

from recio.store import care
from recio.store.db import Database

TABLE = "system.care"


@pytest.fixture
def db(cluster: Cluster) -> Database:
    """The superuser, and a table with indexes worth building anew."""
    found = Database("care", cluster.dsn("postgres"))
    found.run(f"DROP TABLE IF EXISTS {TABLE}")
    found.run(f"CREATE TABLE {TABLE} (id bigint PRIMARY KEY, word text)")
    found.run(f"CREATE INDEX care_words ON {TABLE} (word)")
    found.run(f"INSERT INTO {TABLE} SELECT i, md5(i::text) FROM generate_series(1, 200000) i")
    found.run(f"DELETE FROM {TABLE} WHERE id % 10 > 0")
    yield found
    found.run(f"DROP TABLE {TABLE}")
    found.close()


class Writer(threading.Thread):
    """Writes as fast as it can, and keeps the longest a write took."""

    def __init__(self, dsn: str) -> None:
        super().__init__(daemon=True)
        self.dsn, self.longest_s, self.written = dsn, 0.0, 0
        self.over = threading.Event()

    def run(self) -> None:
        db = Database("writer", self.dsn)
        db.run("SET lock_timeout = '2s'")
        while not self.over.is_set():
            began_s = time.monotonic()
            db.run(f"INSERT INTO {TABLE} VALUES (%s, 'new')", (10**9 + self.written,))
            self.longest_s = max(self.longest_s, time.monotonic() - began_s)
            self.written += 1
        db.close()


def test_indexes_are_built_anew_beside_a_writer(db: Database, cluster: Cluster) -> None:
    writer = Writer(cluster.dsn("postgres"))
    writer.start()
    try:
        given_back_mb = care.reindex(db, TABLE)
    finally:
        writer.over.set()
        writer.join(10)
    assert given_back_mb > 1, "nine rows of ten were gone, and their index entries stayed"
    assert writer.written > 3, "it waited from the first to the last"
    assert not writer.is_alive()
    found = db.one(f"SELECT count(*) AS n FROM {TABLE} WHERE id >= 1000000000 AND word = 'new'")
    assert found and found["n"] == writer.written
    assert not db.all("SELECT 1 AS one FROM pg_index WHERE NOT indisvalid")


def test_what_an_interrupted_build_left_goes_with_the_next(db: Database, cluster: Cluster) -> None:
    other = Database("holds it up", cluster.dsn("postgres"))
    other.run("BEGIN")
    other.run(f"INSERT INTO {TABLE} VALUES (-1, 'held')")
    impatient = Database("impatient", cluster.dsn("postgres"))
    impatient.run("SET statement_timeout = '500ms'")
    with pytest.raises(psycopg2.Error):
        care.reindex(impatient, TABLE)  # waits for the other's transaction, and is broken off
    other.run("ROLLBACK")
    left = db.all("SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid")
    assert left, "it was to leave something behind"
    care.reindex(db, TABLE)
    assert not db.all("SELECT 1 AS one FROM pg_index WHERE NOT indisvalid")


def test_vacuum_gives_dead_rows_back(db: Database) -> None:
    care.vacuum(db, TABLE)
    found = db.one(
        "SELECT n_dead_tup, last_vacuum IS NOT NULL AS done FROM pg_stat_user_tables WHERE relid = %s::regclass",
        (TABLE,),
    )
    assert found and found["done"]
    care.vacuum(db)


@pytest.mark.parametrize("work", [care.vacuum, care.reindex])
@pytest.mark.parametrize("name", ["users.nothing", "care_words; DROP TABLE system.care", "system.care_words"])
def test_what_is_no_table_is_refused(db: Database, work: object, name: str) -> None:
    with pytest.raises(care.CareError, match="there is no table"):
        work(db, name)  # type: ignore[operator]
    assert db.one(f"SELECT count(*) AS n FROM {TABLE}")


@pytest.mark.parametrize(
    "recorded",
    [
        f"SELECT substr(word, $1 + $2) FROM {TABLE} WHERE id = $3",
        f"PREPARE hot_7 AS SELECT word, $2 FROM {TABLE} WHERE id = $1 AND now() > $3::timestamptz - interval $4 * ($5 - $6)",
        f"INSERT INTO {TABLE} VALUES ($1, $2) ON CONFLICT DO NOTHING",
    ],
)
def test_a_recorded_statement_has_a_plan_without_its_values(db: Database, recorded: str) -> None:
    """As pg_stat_statements keeps it, which no longer knows what its constants were; on the host the extension itself is asked."""
    db.run("CREATE TABLE IF NOT EXISTS public.pg_stat_statements (queryid bigint, query text)")
    try:
        db.run("INSERT INTO public.pg_stat_statements VALUES (-7, %s)", (recorded,))
        plan = "\n".join(care.explain(db, db, "-7"))
        assert "cost=" in plan and "care" in plan
    finally:
        db.run("DROP TABLE public.pg_stat_statements")


def test_what_has_no_plan_is_said(db: Database) -> None:
    db.run("CREATE TABLE public.pg_stat_statements (queryid bigint, query text)")
    try:
        db.run("INSERT INTO public.pg_stat_statements VALUES (1, 'SELECT $1 -> $2'), (2, 'VACUUM')")
        with pytest.raises(care.CareError, match=r"cannot plan statement 1 without its values.*put values for its \$1"):
            care.explain(db, db, "1")
        with pytest.raises(care.CareError, match="it is no query"):
            care.explain(db, db, "2")
    finally:
        db.run("DROP TABLE public.pg_stat_statements")
