"""The continuous archive on a real cluster with a real pgBackRest: a lost disk costs seconds, and damage is found before it is needed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg2
import pytest
from pg import Cluster, _binaries, make_cluster, remove_cluster
from test_backup_restore import LEDGER

from recio.backup.crypt import ensure_key
from recio.backup.errors import BackupError
from recio.backup.operations import Place, make_base
from recio.backup.recover import Server, last_archived, parse_moment, recover
from recio.backup.repository import Repository
from recio.backup.wal import Wal, base, info, pgbackrest, repository_bytes, setup
from recio.backup.wal_test import prove
from recio.contract import Contract
from recio.monitoring.backup import read_status
from recio.store.db import Database

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("pgbackrest") is None, reason="there is no pgbackrest: scripts/bootstrap.sh test"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as on the host: files of root and of postgres"),
]
ARCHIVE_TIMEOUT_S = 2


@pytest.fixture
def wal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wal]:
    """A cluster of its own that archives, with a ledger of fifty trades."""
    cluster = make_cluster()
    folder = cluster.folder
    (folder / "backups").mkdir(mode=0o755)
    key = folder / "backup_key"
    ensure_key(key)
    made = Wal(
        config=folder / "pgbackrest.conf", repository=folder / "backups" / "wal", data=folder / "data", socket=folder,
        lock=folder / "lock", key_file=key, keep_full=2,
    )  # fmt: skip
    owner = Database("tests", cluster.dsn("postgres"))
    owner.run("INSERT INTO users.users (user_id, login, password_hash) VALUES ('0001', 'admin', 'unset')")
    owner.run(LEDGER)
    owner.close()
    assert setup(made)
    assert not setup(made), "a second run changes nothing"
    (folder / "data" / "postgresql.auto.conf").open("a").write(
        f"archive_mode = on\narchive_timeout = {ARCHIVE_TIMEOUT_S}\nfull_page_writes = on\n"
        f"archive_command = 'pgbackrest --config={made.config} --stanza=recio archive-push %p'\n"
    )
    cluster.stop()
    cluster.start()
    yield made
    remove_cluster(cluster)


def server(wal: Wal) -> Server:
    cluster = Cluster(wal.socket, _binaries())

    def stop() -> None:
        pid = wal.data / "postmaster.pid"
        if pid.exists() and Path(f"/proc/{pid.read_text().split()[0]}").exists():
            cluster.stop("immediate")

    def start() -> None:
        try:
            cluster.start()
        except RuntimeError as failure:
            raise BackupError(f"{failure} {(wal.socket / 'log').read_text()[-800:]}") from failure

    return Server(stop, start)


class Writer(threading.Thread):
    """Commits one second bar after another, and remembers what the server acknowledged."""

    def __init__(self, wal: Wal) -> None:
        super().__init__(daemon=True)
        self.wal, self.acknowledged, self.ended = wal, [], threading.Event()  # type: ignore[var-annotated]
        self.answered: list[datetime] = []  # when the server acknowledged each

    def run(self) -> None:
        connection = psycopg2.connect(self.wal.dsn("rec_io_db"))
        connection.autocommit = True
        try:
            while not self.ended.is_set():
                at = datetime.now(UTC)
                with connection.cursor() as cursor:
                    cursor.execute("INSERT INTO live_data.btc_bars_1s VALUES (%s, 1, 1, 1, 1, 1)", (at,))
                self.acknowledged.append(at)
                self.answered.append(datetime.now(UTC))
                time.sleep(0.01)
        except psycopg2.Error:
            return  # the server was killed
        finally:
            connection.close()


def bars(wal: Wal) -> list[datetime]:
    db = Database("tests", wal.dsn("rec_io_db"))
    rows = [row["at"] for row in db.all("SELECT at FROM live_data.btc_bars_1s ORDER BY at")]
    db.close()
    return rows


def until(what: str, true: object, within_s: float = 60) -> None:
    ends = time.monotonic() + within_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < ends, f"{what}: not within {within_s} s"
        time.sleep(0.1)


def switch(wal: Wal) -> str:
    """End the segment that is written to; its name once it is archived."""
    db = Database("tests", wal.dsn("rec_io_db"))
    segment = db.one("SELECT pg_walfile_name(pg_switch_wal()) AS name")["name"]  # type: ignore[index]
    db.close()
    until(f"{segment} archived", lambda: last_archived(wal) >= segment)
    return str(segment)


def test_killed_and_its_folder_lost_the_cluster_comes_back_within_the_archives_age(wal: Wal) -> None:
    made = base(wal)
    assert made.size > 100_000
    writer = Writer(wal)
    writer.start()
    time.sleep(3 * ARCHIVE_TIMEOUT_S)
    postmaster = int((wal.data / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    killed = datetime.now(UTC)
    writer.join(10)
    gone_s = time.monotonic() + 30
    while Path(f"/proc/{postmaster}").exists():  # its parent is this machine's first process, which may let it wait
        assert time.monotonic() < gone_s, f"nobody takes the dead postmaster {postmaster} away"
        time.sleep(0.05)
    shutil.rmtree(wal.data)
    back = recover(wal, server(wal), None, "rec_io_db")
    assert back.newest is not None
    assert back.label == made.label
    lost = [at for at in writer.acknowledged if at > back.newest]
    lost_s = (killed - back.newest).total_seconds()
    print(
        f"recovered in {back.seconds} s; lost {len(lost)} of {len(writer.acknowledged)} commits, the last {lost_s:.2f} s"
    )
    assert lost_s <= ARCHIVE_TIMEOUT_S + 5, "more is lost than the archive's age allows"
    assert [at for at in writer.acknowledged if at <= back.newest] == bars(wal), "what lies before is whole"
    assert back.ledger.tables["users.trades"].rows == 50
    assert (back.ledger.trades_with_fills, back.ledger.unfolded) == (50, 0)
    assert back.aside is None


def test_to_a_given_moment_and_later_to_another_one(wal: Wal) -> None:
    base(wal)
    writer = Writer(wal)
    writer.start()
    moments = []
    for _ in range(3):
        time.sleep(1.2)
        moments.append(datetime.now(UTC))
    time.sleep(0.5)
    writer.ended.set()
    writer.join(10)
    switch(wal)
    first = recover(wal, server(wal), moments[1], "rec_io_db")
    # A commit is of the moment between its sending and its answer: the one under way may be there or not.
    there = bars(wal)
    sure = [at for at, done in zip(writer.acknowledged, writer.answered, strict=True) if done < moments[1]]
    assert there[: len(sure)] == sure
    assert (
        there[len(sure) :]
        == [at for at in writer.acknowledged if sure[-1] < at <= moments[1]][: len(there) - len(sure)]
    )
    assert first.aside is not None
    assert first.aside.is_dir()
    base(wal)  # the new timeline's own start
    with pytest.raises(BackupError, match="yet to come"):
        parse_moment("2099-01-01T00:00:00+00:00")
    with pytest.raises(BackupError, match="nothing to start from"):
        recover(wal, server(wal), datetime(2020, 1, 1, tzinfo=UTC), "rec_io_db")
    again = recover(wal, server(wal), None, "rec_io_db")
    assert again.newest == first.newest, "what came after the first moment belongs to a past that was given up"


def test_the_nightly_proof_compares_the_very_point(wal: Wal, tmp_path: Path) -> None:
    base(wal)
    writer = Writer(wal)
    writer.start()
    scratch = wal.socket / "scratch"
    scratch.mkdir(mode=0o755)
    made, point = prove(wal, "rec_io_db", scratch)
    writer.ended.set()
    writer.join(10)
    assert made.label == info(wal)[-1].label
    assert point.ledger.tables["users.fills"].rows == 50
    assert list(scratch.iterdir()) == [], "the throw-away cluster is thrown away"


@pytest.mark.parametrize("damage", ["a byte", "the whole segment"])
def test_a_damaged_or_missing_segment_is_found_before_it_is_needed(wal: Wal, damage: str) -> None:
    base(wal)
    writer = Writer(wal)
    writer.start()
    time.sleep(0.5)
    segment = switch(wal)
    time.sleep(0.5)
    switch(wal)
    writer.ended.set()
    writer.join(10)
    (path,) = (wal.repository / "archive" / "recio").rglob(f"{segment}-*")
    if damage == "a byte":
        content = bytearray(path.read_bytes())
        where = random.Random(7).randrange(len(content) // 4, len(content) // 2)
        content[where] ^= 0xFF
        path.write_bytes(bytes(content))
    else:
        path.unlink()
    scratch = wal.socket / "scratch"
    scratch.mkdir(mode=0o755)
    with pytest.raises(BackupError) as proof:
        prove(wal, "rec_io_db", scratch)
    assert "damaged or missing" in str(proof.value) or segment in str(proof.value), proof.value
    before = bars(wal)
    with pytest.raises(BackupError) as refused:
        recover(wal, server(wal), None, "rec_io_db")
    print(refused.value)
    assert bars(wal) == before, "the data that was there is there again"


def test_without_a_ledger_at_rest_no_point_is_named(wal: Wal) -> None:
    base(wal)
    busy = psycopg2.connect(wal.dsn("rec_io_db"))
    busy.cursor().execute("UPDATE users.trades SET reason = 'held' WHERE trade_id = 1")
    scratch = wal.socket / "scratch"
    scratch.mkdir(mode=0o755)
    with pytest.raises(BackupError, match="without a pause"):
        prove(wal, "rec_io_db", scratch)
    busy.close()


def test_another_key_begins_another_repository_and_keeps_the_old(wal: Wal) -> None:
    base(wal)
    wal.key_file.unlink()
    ensure_key(wal.key_file)
    assert setup(wal)
    assert info(wal) == []
    assert len(list(wal.repository.parent.glob("wal.key-*"))) == 1
    assert base(wal).size > 100_000


def test_the_pass_is_in_no_process_list_and_the_configuration_not_for_everybody(wal: Wal) -> None:
    assert oct(wal.config.stat().st_mode & 0o777) == "0o640"
    secret = next(line for line in wal.config.read_text().splitlines() if "cipher-pass" in line).partition("=")[2]
    assert len(secret) == 64
    assert secret not in wal.key_file.read_text()
    with pytest.raises(BackupError, match="pgbackrest backup failed") as refused:
        pgbackrest(wal, "--pg1-path=/nonexistent", "backup")
    assert secret not in str(refused.value)


@pytest.fixture
def place(wal: Wal, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("RECIO_BACKUP_STATUS", str(wal.socket / "status.json"))
    return Place(Repository(wal.repository.parent), wal.key_file, wal.dsn("rec_io_db"), wal=wal)


def test_retention_is_the_contracts(place: Place, contract: Contract) -> None:
    assert place.wal is not None
    made = [make_base(place, contract).label for _ in range(contract.backup.base.keep_full + 1)]
    assert [kept.label for kept in info(place.wal)] == made[1:]
    status = read_status()
    assert status is not None
    assert status.kinds["base"].name == made[-1]
    assert status.total >= repository_bytes(place.wal.repository) > 0
    assert Repository(place.wal.repository.parent).entries() == [], "the archive is no damaged dump"


def test_above_its_share_the_older_base_goes(place: Place, contract: Contract) -> None:
    assert place.wal is not None
    make_base(place, contract)
    tiny = msgspec.structs.replace(contract.backup, base=msgspec.structs.replace(contract.backup.base, share_mb=1))
    kept = make_base(place, msgspec.structs.replace(contract, backup=tiny))
    assert [made.label for made in info(place.wal)] == [kept.label]


def test_a_failed_base_is_noted_and_the_newest_good_one_stays_known(place: Place, contract: Contract) -> None:
    assert place.wal is not None
    good = make_base(place, contract)
    place.wal.repository.rename(place.wal.repository.with_name("elsewhere"))
    with pytest.raises(BackupError):
        make_base(place, contract)
    status = read_status()
    assert status is not None
    assert (status.kinds["base"].name, bool(status.kinds["base"].why)) == (good.label, True)
