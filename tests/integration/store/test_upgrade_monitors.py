"""From one auto entry for all to monitors: what the user had set is kept, and nothing is switched on that was off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from pg import Cluster
from psycopg2.extras import Json

import recio.store
from recio.store.admin import migrate
from recio.store.db import Database
from recio.store.rights import OWNER
from recio.trading.monitor import Monitor, read_monitor
from recio.trading.settings import AutoEntrySettings, read

OLD_ENTRY = {
    "enabled": True, "series": ["KXBTCD"], "base_count_e2": 2000, "multiplier": 1, "min_probability_percent": 96.5,
    "min_differential_e4": 50, "max_ask_e4": 9700, "cooldown_s": 30.0, "spike_pause_bp": 40, "spike_resume_bp": 30,
    "spike_resume_after_s": 900.0, "allow_reentry": False,
}  # fmt: skip
NAME = "upgrade_db"


@pytest.fixture
def old(cluster: Cluster) -> Iterator[Database]:
    """A database of the release before monitors, and a connection to it."""
    admin = Database("tests", cluster.dsn("postgres", "postgres"))
    admin.run(f"CREATE DATABASE {NAME} OWNER {OWNER} TEMPLATE template0 LOCALE 'C' ENCODING 'UTF8'")
    config = Config()
    config.set_main_option("script_location", str(Path(recio.store.__file__).parent / "migrations"))
    address = f"postgresql+psycopg2:///{NAME}?host={cluster.folder}&user={OWNER}"
    config.set_main_option("sqlalchemy.url", address.replace("%", "%%"))
    command.upgrade(config, "0002")
    db = Database("tests", cluster.dsn("postgres", NAME))
    db.run("INSERT INTO users.users (user_id, login, password_hash) VALUES ('0001', 'admin', 'unset')")
    yield db
    db.close()
    admin.run(f"DROP DATABASE {NAME} WITH (FORCE)")
    admin.close()


def put(db: Database, name: str, value: object) -> None:
    db.run(
        "INSERT INTO users.settings (user_id, name, value, version, changed_by) VALUES ('0001', %s, %s, 7, 'admin')",
        (name, Json(value)),
    )


def monitors(db: Database) -> dict[str, Monitor]:
    return {row["monitor_id"]: read_monitor(row) for row in db.all("SELECT * FROM users.monitors")}


def test_what_was_set_is_kept(cluster: Cluster, old: Database) -> None:
    put(old, "auto_entry", OLD_ENTRY)
    put(old, "auto_stop", {"enabled": True, "confirm_after_s": 7.0})
    assert migrate(cluster.dsn(OWNER, NAME))
    found = monitors(old)
    assert {name: (m.series_ticker, m.enabled) for name, m in found.items()} == {
        "hourly": ("KXBTCD", True), "quarter": ("KXBTC15M", False), "practice": ("KXBTCSIM", False),
    }  # fmt: skip
    hourly = found["hourly"].settings
    assert (hourly.base_count_e2, hourly.min_probability_percent, hourly.cooldown_s) == (2000, 96.5, 30.0)
    assert hourly.stop.confirm_after_s == 7.0
    row = old.one("SELECT value, version FROM users.settings WHERE name = 'auto_entry'")
    assert row and row["version"] == 8
    kept = read(AutoEntrySettings, row["value"])
    assert (kept.enabled, kept.spike_pause_bp) == (True, 40)
    versions = old.all("SELECT version, value FROM users.settings_versions WHERE name = 'auto_entry' ORDER BY version")
    assert [v["version"] for v in versions] == [7, 8]
    assert versions[0]["value"] == OLD_ENTRY


@pytest.mark.parametrize("value", [None, {"enabled": False}, OLD_ENTRY | {"enabled": False}])
def test_a_desk_that_entered_nothing_enters_nothing_afterwards(cluster: Cluster, old: Database, value: object) -> None:
    if value is not None:
        put(old, "auto_entry", value)
    assert migrate(cluster.dsn(OWNER, NAME))
    found = monitors(old)
    assert len(found) == 3
    assert not any(m.enabled for m in found.values())


def test_the_series_that_were_on_stay_on(cluster: Cluster, old: Database) -> None:
    put(old, "auto_entry", {"enabled": True, "series": ["KXBTC15M", "KXBTCSIM"]})
    migrate(cluster.dsn(OWNER, NAME))
    assert {name for name, m in monitors(old).items() if m.enabled} == {"quarter", "practice"}
