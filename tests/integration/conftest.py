"""The database fixtures: one real cluster a run, emptied between tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from pg import Cluster, make_cluster, remove_cluster

from recio.store.db import Database

_KEPT = {"schema_version"}


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
    tables = owner.all(
        "SELECT schemaname || '.' || tablename AS name FROM pg_tables"
        " WHERE schemaname IN ('users', 'live_data', 'historical_data', 'analytics', 'system')"
    )
    owner.run("TRUNCATE " + ", ".join(row["name"] for row in tables) + " RESTART IDENTITY CASCADE")
    owner.run("INSERT INTO users.users (user_id, login, password_hash) VALUES ('0001', 'admin', 'unset')")
    owner.close()
    yield cluster
