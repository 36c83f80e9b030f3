"""The database fixtures: one real cluster a run, emptied between tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from pg import Cluster, make_cluster, remove_cluster

from recio.store.db import Database

# Only what holds rows is emptied and only what was counted begins anew: all of it would take three times as long, before every test.
EMPTY = """
DO $$
DECLARE
  one record;
  used boolean;
  filled text[] := '{}';
BEGIN
  FOR one IN SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
    WHERE schemaname IN ('users', 'live_data', 'historical_data', 'analytics', 'system') LOOP
    EXECUTE 'SELECT EXISTS (SELECT FROM ' || one.name || ')' INTO used;
    IF used THEN filled := filled || one.name; END IF;
  END LOOP;
  IF cardinality(filled) > 0 THEN EXECUTE 'TRUNCATE ' || array_to_string(filled, ', ') || ' CASCADE'; END IF;
  FOR one IN SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences WHERE last_value IS NOT NULL
    AND schemaname IN ('users', 'live_data', 'historical_data', 'analytics', 'system') LOOP
    EXECUTE 'ALTER SEQUENCE ' || one.name || ' RESTART';
  END LOOP;
END $$
"""


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A running, migrated PostgreSQL cluster."""
    made = make_cluster()
    yield made
    remove_cluster(made)


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with every table empty and user 0001 present; ``database.dsn(role)`` gives an address."""
    owner = Database("tests", cluster.dsn("postgres"))
    owner.run(EMPTY)
    owner.run("INSERT INTO users.users (user_id, login, password_hash) VALUES ('0001', 'admin', 'unset')")
    owner.close()
    yield cluster
