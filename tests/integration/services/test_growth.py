"""db_poller's growth forecast from the samples it keeps, under its own rights: an incident, its end, and what the pages tell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from pg import Cluster

from recio.contract import Contract, parse
from recio.contract.settings import Coinbase, Kalshi, Settings
from recio.monitoring.growth import database_growth
from recio.services.db_poller import DbPoller
from recio.services.runtime import Context
from recio.store.db import Database
from recio.store.growth import size_history
from recio.store.system import save_readings

HOME = Path(__file__).parents[3] / "roles/contract/defaults/main.yml"
CONTRACT: Contract = parse(yaml.safe_dump(yaml.safe_load(HOME.read_text())["contract"]), str(HOME))
BASE = {"rest_url": "http://127.0.0.1:1", "ws_url": "ws://127.0.0.1:1"}
SETTINGS = Settings("simulated", Kalshi(**BASE), Coinbase(**BASE), ("KXBTCD",), "https://desk")
BUDGET_MB = CONTRACT.directories["postgresql_data"].size_mb


def week(owner: Database, mb_per_day: float) -> None:
    """Seven days of samples, one every ten minutes, that end at ~100 MB."""
    owner.run("TRUNCATE system.database_samples")
    owner.run(
        "INSERT INTO system.database_samples (at, connections, size_mb, longest_tx_s, dead_rows)"
        " SELECT now() - n * interval '10 minutes', 1, 100 - %s * n / 144.0, 0, 0 FROM generate_series(1, 1007) n",
        (mb_per_day,),
    )


def folder(database: Cluster, text: str) -> None:
    figures = {"directories.postgresql_data.size_mb": {"figure": BUDGET_MB, "measured": text, "holds": True}}
    operator = Database("t", database.dsn("recio_operator"))
    save_readings(operator, figures, {}, {})
    operator.close()


def standing(owner: Database) -> list[str]:
    rows = owner.all("SELECT cause FROM system.incidents WHERE key = 'database growth' AND closed_at IS NULL")
    return [row["cause"] for row in rows]


def test_a_database_that_would_reach_its_budget_soon_is_an_incident_until_there_is_room(
    database: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Database("tests", database.dsn("postgres"))
    monkeypatch.setitem(os.environ, "RECIO_DSN", database.dsn("db_poller"))

    def look() -> None:
        db = Database("db_poller", database.dsn("db_poller"))
        DbPoller(Context(SETTINGS, CONTRACT, db)).work([], 1.0)
        db.close()

    week(owner, 12.0)
    folder(database, f"{BUDGET_MB - 12 * 13:,} MB")  # thirteen days
    look()
    (cause,) = standing(owner)
    assert "in 13 days" in cause and "12.0 MB a day" in cause
    folder(database, f"{BUDGET_MB - 12 * 16:,} MB")
    look()
    assert len(standing(owner)) == 1, "between the bounds it stands"
    folder(database, f"{BUDGET_MB - 12 * 40:,} MB")
    look()
    assert standing(owner) == []
    folder(database, f"{BUDGET_MB - 12 * 16:,} MB")
    look()
    assert standing(owner) == [], "and is not said anew"
    owner.close()


def test_the_folder_counts_and_without_it_the_database(database: Cluster) -> None:
    owner = Database("tests", database.dsn("postgres"))
    assert database_growth(size_history(owner), CONTRACT).why == "no sample yet"
    week(owner, 1.0)
    alone = database_growth(size_history(owner), CONTRACT)
    assert alone.used_mb == pytest.approx(100, abs=0.1)
    assert alone.mb_per_day == pytest.approx(1.0, abs=0.01)
    assert alone.days_left == pytest.approx(BUDGET_MB - 100, rel=0.01)
    folder(database, "1,200 MB")
    assert database_growth(size_history(owner), CONTRACT).used_mb == 1200.0
    folder(database, "/var/lib/postgresql is not there: nothing uses it yet")
    assert database_growth(size_history(owner), CONTRACT).used_mb == pytest.approx(100, abs=0.1)
    owner.close()


def test_a_week_of_samples_is_read_by_the_index(database: Cluster) -> None:
    owner = Database("tests", database.dsn("postgres"))
    owner.run(
        "INSERT INTO system.database_samples (at, connections, size_mb, longest_tx_s, dead_rows)"
        " SELECT now() - n * interval '10 seconds', 1, 100, 0, 0 FROM generate_series(1, 60000) n"
    )
    owner.run("ANALYZE system.database_samples")
    with owner.transaction():
        database_growth(size_history(owner), CONTRACT)
        seen = owner.one("SELECT seq_tup_read AS read FROM pg_stat_xact_user_tables WHERE relname = 'database_samples'")
    assert seen is not None and seen["read"] == 0, "sixty thousand rows were read one by one"
    owner.close()
