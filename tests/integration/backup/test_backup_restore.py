"""Dump, verify, restore against a real PostgreSQL; every kind of damage is named, and a failure costs no good backup."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from pg import Cluster

from recio.backup.crypt import Key, ensure_key, key_for, read_key
from recio.backup.errors import BackupError, Damaged
from recio.backup.manifest import MANIFEST, PAYLOAD, Kind, read_manifest, signed
from recio.backup.operations import Place, make, retain, verify_folder
from recio.backup.repository import Entry, Repository
from recio.backup.restore import plan, restore_database, restore_files
from recio.backup.restore_test import restore_test
from recio.contract import Contract
from recio.monitoring.backup import read_status
from recio.store.admin import migrate
from recio.store.db import Database
from recio.store.schema import expected_revision

PROJECT = Path(__file__).resolve().parents[3]
LEDGER = """
INSERT INTO users.trades (user_id, trade_id, mode, ticket_id, source, market_ticker, event_ticker, series_ticker, side, state,
 count_e2, limit_price_e4, entry_count_e2, entry_cost_e6, fees_e6, close_time)
SELECT '0001', n, 'simulated', n, 'cli', 'M' || n, 'E', 'S', 'yes', 'open', 100, 5000, 100, 480000, 20000, now()
FROM generate_series(1, 50) n;
INSERT INTO users.orders (user_id, mode, trade_id, client_order_id, purpose, market_ticker, side, count_e2, limit_price_e4, state,
 exchange_order_id)
SELECT '0001', 'simulated', n, 'c' || n, 'entry', 'M' || n, 'yes', 100, 5000, 'filled', 'x' || n FROM generate_series(1, 50) n;
INSERT INTO users.fills (mode, fill_id, exchange_order_id, market_ticker, book_side, count_e2, yes_price_e4, fee_e6, is_taker, filled_at)
SELECT 'simulated', 'f' || n, 'x' || n, 'M' || n, 'bid', 100, 4800, 20000, true, now() FROM generate_series(1, 50) n;
INSERT INTO users.trade_events (user_id, trade_id, kind) SELECT '0001', n, 'opened' FROM generate_series(1, 50) n;
"""


@pytest.fixture
def place(database: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A host's folders, a ledger of fifty trades, and a role that may only read."""
    monkeypatch.setenv("RECIO_BACKUP_STATUS", str(tmp_path / "status.json"))
    owner = Database("tests", database.dsn("postgres"))
    owner.run(LEDGER)
    owner.close()
    configuration, data = tmp_path / "etc", tmp_path / "data"
    (configuration / "keys").mkdir(parents=True)
    (data / "simulator").mkdir(parents=True)
    (data / "deploy").mkdir()
    (data / "deploy/deployed").write_text("this host's own")
    (data / "simulator/journal.jsonl").write_text("line\n" * 1000)
    (configuration / "settings.yml").write_text("mode: simulated\n")
    (configuration / "keys/kalshi_private.pem").write_text("SECRET PEM")
    (configuration / "keys/kalshi_private.pem").chmod(0o600)
    key = configuration / "keys/backup_key"
    ensure_key(key)
    yield Place(
        Repository(tmp_path / "backups"), key, database.dsn("recio_backup"), data, configuration, tmp_path / "none"
    )


@pytest.fixture
def made(place: Place, contract: Contract) -> dict[Kind, Entry]:
    place.repository.folder.mkdir()
    return {kind: make(place, contract, kind, datetime.now(UTC)) for kind in Kind}


def test_three_backups_hold_what_they_say(place: Place, made: dict[Kind, Entry], contract: Contract) -> None:
    manifest = verify_folder(made[Kind.DATABASE].folder, read_key(place.key_file))
    assert manifest.census is not None
    assert {table: count.rows for table, count in manifest.census.tables.items()}["users.trades"] == 50
    assert (manifest.census.trades_with_fills, manifest.census.unfolded) == (50, 0)
    assert manifest.schema == expected_revision()
    for entry in made.values():
        assert b"SECRET PEM" not in (entry.folder / PAYLOAD).read_bytes()
    status = read_status()
    assert status is not None
    assert {kind: attempt.name for kind, attempt in status.kinds.items()} == {k.value: e.name for k, e in made.items()}
    assert retain(place, contract, datetime.now(UTC).timestamp() + 30 * 86400) == [], "the only good ones stay"


def test_the_backup_role_cannot_change_anything(place: Place) -> None:
    db = Database("tests", place.dsn)
    db.run("SET default_transaction_read_only = off")
    for statement in ("DELETE FROM users.trades", "INSERT INTO users.audit_log (actor, action) VALUES ('x', 'y')"):
        with pytest.raises(Exception, match="permission denied"):
            db.run(statement)
    db.close()


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder whose name is short enough for a socket in it, and into which the server's own user may go."""
    with tempfile.TemporaryDirectory(prefix="recio-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_the_restore_test_brings_the_ledger_back(place: Place, made: dict[Kind, Entry], scratch: Path) -> None:
    result = restore_test(place, scratch)
    assert (result.ok, result.name) == (True, made[Kind.DATABASE].name)
    assert list(scratch.glob("recio-restore-test-*")) == [], "the throw-away cluster stayed"


def test_a_restored_ledger_that_is_another_is_told(place: Place, made: dict[Kind, Entry], scratch: Path) -> None:
    """A manifest that recorded one more fill, rightly signed: what a dump that lost a row would look like."""
    key, folder = read_key(place.key_file), made[Kind.DATABASE].folder
    manifest = read_manifest(folder, key)
    assert manifest.census is not None
    tables = dict(manifest.census.tables)
    tables["users.fills"] = msgspec.structs.replace(tables["users.fills"], rows=51)
    census = msgspec.structs.replace(manifest.census, tables=tables, fold="other")
    (folder / MANIFEST).write_bytes(signed(msgspec.structs.replace(manifest, census=census), key))
    with pytest.raises(Damaged, match=r"users.fills has 50 rows, recorded were 51; the ledger folds to other figures"):
        restore_test(place, scratch)
    status = read_status()
    assert status is not None and status.restore_test is not None
    assert not status.restore_test.ok


def test_a_damaged_newest_backup_is_not_hidden_by_an_older_good_one(
    place: Place, made: dict[Kind, Entry], contract: Contract, tmp_path: Path
) -> None:
    newer = made[Kind.DATABASE].folder.with_name("backup_99991231T000000")
    shutil.copytree(made[Kind.DATABASE].folder, newer)
    (newer / PAYLOAD).write_bytes(b"")
    with pytest.raises(Damaged, match=r"backup_99991231T000000 is cut off.*then remove it"):
        restore_test(place, scratch)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_damage_is_named(place: Place, made: dict[Kind, Entry], kind: Kind, tmp_path: Path) -> None:
    key, source = read_key(place.key_file), made[kind].folder

    def damaged(change: str) -> Path:
        copy = tmp_path / change / source.name
        shutil.copytree(source, copy)
        return copy

    flipped = damaged("flipped")
    data = bytearray((flipped / PAYLOAD).read_bytes())
    data[len(data) // 2] ^= 1
    (flipped / PAYLOAD).write_bytes(data)
    with pytest.raises(Damaged, match="was altered: the checksum"):
        verify_folder(flipped, key)
    cut = damaged("cut")
    (cut / PAYLOAD).write_bytes((source / PAYLOAD).read_bytes()[:-100])
    with pytest.raises(Damaged, match="is cut off"):
        verify_folder(cut, key)
    bare = damaged("bare")
    (bare / MANIFEST).unlink()
    with pytest.raises(Damaged, match="has no manifest"):
        verify_folder(bare, key)
    forged = damaged("forged")
    (forged / MANIFEST).write_text((forged / MANIFEST).read_text().replace('"items": ', '"items": 1'))
    with pytest.raises(Damaged, match="signature does not fit"):
        verify_folder(forged, key)
    empty = damaged("empty")
    (empty / PAYLOAD).unlink()
    with pytest.raises(Damaged, match="has no payload"):
        verify_folder(empty, key)


def test_a_failed_dump_is_no_backup_and_costs_none(
    place: Place, made: dict[Kind, Entry], contract: Contract, database: Cluster
) -> None:
    lost = Place(place.repository, place.key_file, database.dsn("recio_backup", "no_such_database"), place.data)
    with pytest.raises(Exception, match="no_such_database"):
        make(lost, contract, Kind.DATABASE, datetime.now(UTC))
    assert [entry.name for entry in place.repository.entries()] == sorted(
        (entry.name for entry in made.values()), key=lambda n: next(e.made_s for e in made.values() if e.name == n)
    )
    assert not list(place.repository.folder.glob(".unfinished*"))
    status = read_status()
    assert status is not None
    assert "no_such_database" in status.kinds["database"].why
    assert status.kinds["database"].name == made[Kind.DATABASE].name


def test_a_host_comes_back(place: Place, made: dict[Kind, Entry], database: Cluster, tmp_path: Path) -> None:
    owner = Database("tests", database.dsn("postgres"))
    owner.run("DELETE FROM users.fills; DELETE FROM users.orders; DELETE FROM users.trades")
    owner.close()
    (place.data / "simulator/journal.jsonl").write_text("the fresh host's\n")
    (place.configuration / "settings.yml").write_text("mode: simulated # of the fresh host\n")
    (place.configuration / "keys/kalshi_private.pem").write_text("OTHER")
    kit = tmp_path / "kit"
    kit.write_text(place.key_file.read_text())
    place.key_file.write_text("11" * 32 + "\n")
    chosen = plan(place.repository.folder, kit)
    restore_database(chosen, "rec_io_db", database.dsn("postgres", "postgres"))
    assert migrate(database.dsn("recio")), "the release's rights are applied anew"
    restore_files(chosen, place)
    back = Database("tests", database.dsn("main_app"))
    assert back.one("SELECT count(*) AS n, sum(entry_cost_e6)::bigint AS cost FROM users.trades") == {
        "n": 50,
        "cost": 24_000_000,
    }
    back.close()
    assert (place.data / "simulator/journal.jsonl").read_text() == "line\n" * 1000
    pem = place.configuration / "keys/kalshi_private.pem"
    assert (pem.read_text(), pem.stat().st_mode & 0o777) == ("SECRET PEM", 0o600)
    assert "fresh host" in (place.configuration / "settings.yml").read_text()
    assert (place.configuration / "restored/settings.yml").read_text() == "mode: simulated\n"
    assert (place.key_file.read_text(), place.key_file.stat().st_mode & 0o777) == (kit.read_text(), 0o600)
    aside = Key(b"\x11" * 32).key_id
    assert key_for(place.key_file, aside).key_id == aside, "the fresh host's own backups stay readable"
    assert key_for(place.key_file, "unknown").key_id == read_key(kit).key_id


def test_a_restore_refuses_before_it_changes_anything(place: Place, made: dict[Kind, Entry], tmp_path: Path) -> None:
    folder = place.repository.folder
    with pytest.raises(BackupError, match="this release knows up to 0000"):
        plan(folder, place.key_file, "0000")
    ensure_key(tmp_path / "other")
    with pytest.raises(Damaged, match="give the right backup_key"):
        plan(folder, tmp_path / "other")
    with pytest.raises(BackupError, match="is no folder"):
        plan(tmp_path / "nowhere", place.key_file)
    payload = made[Kind.FILES].folder / PAYLOAD
    payload.write_bytes(payload.read_bytes()[:-1])
    with pytest.raises(BackupError, match="is cut off"):
        plan(folder, place.key_file)
    shutil.rmtree(made[Kind.FILES].folder)
    with pytest.raises(BackupError, match="holds no backup of the files"):
        plan(folder, place.key_file)
