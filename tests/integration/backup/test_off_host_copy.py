"""The copy on another machine, with real pgBackRest, rsync and its other end: what is new goes, a desk comes back, the rest is refused."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from test_wal import Writer, bars, server, switch, wal  # noqa: F401 - the fixture

from recio.backup.copy import choose, desk_name
from recio.backup.crypt import Key, ensure_key, read_key
from recio.backup.errors import BackupError, Damaged
from recio.backup.from_copy import check_archive, recover_from, take_over
from recio.backup.off_host import Target, Way, check, fetch, push, read_target
from recio.backup.wal import Wal, base, info, write_config
from recio.monitoring.off_host import off_host_complaint, read_off_host

PROJECT = Path(__file__).resolve().parents[3]
KEEP = PROJECT / "scripts/offhost/recio-keep"
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("pgbackrest") is None, reason="there is no pgbackrest: scripts/bootstrap.sh test"),
    pytest.mark.skipif(shutil.which("rrsync") is None, reason="there is no rsync: scripts/bootstrap.sh test"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as on the host: files of root and of postgres"),
]


@pytest.fixture
def way(wal: Wal, monkeypatch: pytest.MonkeyPatch) -> Way:  # noqa: F811
    """The other end with its forced command; a shell of one line stands in for ssh."""
    there = wal.socket / "there"
    there.mkdir()
    ssh = wal.socket / "ssh"
    ssh.write_text(f'#!/bin/sh\nshift 3\nSSH_ORIGINAL_COMMAND="$*"\nexport SSH_ORIGINAL_COMMAND\nexec {KEEP} {there}\n')
    ssh.chmod(0o755)
    settings = wal.socket / "off_host.yml"
    settings.write_text("target: 'keeper@there:'\nhost_key: ssh-ed25519 AAAA\n")
    monkeypatch.setenv("RECIO_OFF_HOST", str(settings))
    monkeypatch.setenv("RECIO_OFF_HOST_STATUS", str(wal.socket / "off_host.json"))
    return Way(read_target(settings), wal.socket / "unused", str(ssh))


def there(wal: Wal) -> Path:  # noqa: F811
    return wal.socket / "there" / desk_name(read_key(wal.key_file), wal.data)


def filled(wal: Wal, way: Way) -> Path:  # noqa: F811
    """A base and some segments, pushed and fetched; gives the copy."""
    base(wal)
    writer = Writer(wal)
    writer.start()
    for _ in range(3):
        time.sleep(0.4)
        switch(wal)
    writer.ended.set()
    writer.join(10)
    switch(wal)
    push(wal, way)
    return fetch(way, read_key(wal.key_file), wal.socket / "staged" / "backups")


def test_another_host_comes_back_from_the_copy_alone_and_goes_on(wal: Wal, way: Way) -> None:  # noqa: F811
    copy = filled(wal, way)
    before, key = bars(wal), wal.key_file.with_name("backup_key.kept")
    shutil.copy(wal.key_file, key)
    # This host is gone; the next has a key and an archive of its own, as a deploy leaves it.
    archive = check_archive(copy, key, wal, None)
    server(wal).stop()
    shutil.rmtree(wal.data)
    write_config(wal, Key(b"k" * 32))  # the archive that is here is of another key
    back = recover_from(archive, server(wal), None, "rec_io_db")
    take_over(archive, wal)
    assert info(wal)[-1].label == back.label, "the copy is this host's archive now"
    assert len(list(wal.repository.parent.glob("wal.key-*"))) == 1
    assert bars(wal) == before
    assert back.ledger.tables["users.trades"].rows == 50
    segment = switch(wal)  # the archive takes the new timeline
    assert segment[:8] == "00000002"
    assert base(wal).label
    assert push(wal, way, everything=True).segment >= segment
    assert check(wal, way) > 10
    assert there(wal).name == copy.name, "the desk goes on in its own folder"


def test_to_a_moment_between(wal: Wal, way: Way) -> None:  # noqa: F811
    base(wal)
    writer = Writer(wal)
    writer.start()
    time.sleep(1)
    moment = datetime.now(UTC)
    time.sleep(1)
    writer.ended.set()
    writer.join(10)
    switch(wal)
    push(wal, way)
    copy = fetch(way, read_key(wal.key_file), wal.socket / "staged" / "backups")
    recover_from(check_archive(copy, wal.key_file, wal, moment), server(wal), moment, "rec_io_db")
    assert max(bars(wal)) <= moment < writer.acknowledged[-1]
    with pytest.raises(BackupError, match="reaches back to"):
        check_archive(copy, wal.key_file, wal, datetime(2020, 1, 1, tzinfo=UTC))


def test_only_what_is_new_goes_and_nothing_there_is_changed_or_removed(wal: Wal, way: Way) -> None:  # noqa: F811
    base(wal)
    switch(wal)
    push(wal, way)
    (kept,) = [path for path in (there(wal) / "wal/archive").rglob("000000010000000000000001-*")] or [None]
    assert kept is not None
    content = kept.read_bytes()
    # A desk in the wrong hands: it removes and overwrites what it has, and asks the other end for worse.
    (mine,) = (wal.repository / "archive").rglob("000000010000000000000001-*")
    mine.write_bytes(b"garbage")
    push(wal, way, everything=True)
    assert kept.read_bytes() == content
    with pytest.raises(Damaged, match=r"1 differ, the first .*000000010000000000000001-"):
        check(wal, way)
    assert "is damaged" in off_host_complaint(time.time(), 180)
    (wal.socket / "empty").mkdir()
    for words in (
        ["--recursive", "--delete", f"{wal.socket}/empty/"],
        ["--recursive", "--inplace", f"{wal.repository.parent}/"],
        ["--partial-dir=wal", f"{mine}"],
        ["-b", "--suffix=x", f"{mine}"],
    ):
        subprocess.run(["rsync", "-e", way.shell, *words, way.place(there(wal).name)], capture_output=True, check=False)
        assert kept.read_bytes() == content, words
    for command in ("cat /etc/passwd", "rsync --daemon .", "rsync --server --log-file=x -e.L . y", "scp -t /"):
        done = subprocess.run(
            [str(KEEP), str(wal.socket / "there")],
            env={**os.environ, "SSH_ORIGINAL_COMMAND": command},
            capture_output=True,
            check=False,
        )
        assert done.returncode != 0, command


def test_a_target_that_fails_is_known_and_the_next_push_brings_all(wal: Wal, way: Way) -> None:  # noqa: F811
    base(wal)
    push(wal, way)
    assert off_host_complaint(time.time(), 180) == ""
    (wal.socket / "there").rename(wal.socket / "away")
    segment = switch(wal)
    with pytest.raises(BackupError, match="keeper@there"):
        push(wal, way)
    late = off_host_complaint(time.time() + 181, 180)
    assert "the last attempt failed" in late
    (wal.socket / "away").rename(wal.socket / "there")
    assert push(wal, way).segment >= segment
    assert off_host_complaint(time.time(), 180) == ""
    state = read_off_host()
    assert state is not None
    assert state.why == ""


def test_an_interrupted_push_leaves_no_half_of_a_file(wal: Wal, way: Way) -> None:  # noqa: F811
    base(wal)
    segment = switch(wal)
    seed = 11
    killer = random.Random(seed)
    print(f"seed {seed}")
    for _ in range(4):
        pusher = subprocess.Popen(
            ["rsync", "-r", "--bwlimit=2000", "-e", way.shell, f"{wal.repository.parent}/", way.place("desk-x")]
        )
        time.sleep(killer.uniform(0.05, 0.4))
        pusher.kill()
        pusher.wait()
    for path in (wal.socket / "there" / "desk-x").rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            assert (
                path.read_bytes()
                == (wal.repository.parent / path.relative_to(wal.socket / "there" / "desk-x")).read_bytes()
            )
    assert push(wal, way).segment >= segment


def test_a_copy_that_is_not_whole_is_refused_before_anything_is_changed(wal: Wal, way: Way) -> None:  # noqa: F811
    """One whole copy, damaged in one way after another; undamaged it is taken."""
    whole, other_key = filled(wal, way), wal.socket / "other_key"
    ensure_key(other_key)
    before, config = bars(wal), wal.config.read_text()
    with pytest.raises(BackupError, match="give the right backup_key"):
        choose(whole.parent, read_key(other_key))

    def refused(copy: Path, key: Path = wal.key_file, known: str = "") -> str:
        with pytest.raises(BackupError) as refusal:
            check_archive(copy, key, wal, None, known)
        shutil.rmtree(copy)
        assert bars(wal) == before
        assert wal.config.read_text() == config
        return str(refusal.value)

    def fresh() -> tuple[Path, list[Path], list[Path]]:
        copy = shutil.copytree(whole, wal.socket / "staged" / "backups" / "damaged")
        segments = sorted(path for path in (copy / "wal/archive").rglob("0000000100*-*") if path.is_file())
        bundles = [path for path in (copy / "wal/backup").rglob("*") if path.is_file() and path.stat().st_size > 20_000]
        return copy, segments, sorted(bundles, key=lambda path: path.stat().st_size)

    copy, segments, _ = fresh()
    flip(segments[-2])
    assert "is damaged" in refused(copy)
    copy, _, bundles = fresh()
    flip(bundles[-1])
    assert "is damaged" in refused(copy)
    copy, segments, _ = fresh()
    segments[-2].unlink()
    assert f"segment {segments[-2].name[8:24]} is missing" in refused(copy)
    assert "give the right backup_key" in refused(fresh()[0], key=other_key)
    assert "this release knows up to 0001" in refused(fresh()[0], known="0001")
    copy, _, _ = fresh()
    (lists,) = (copy / "wal/info").iterdir()
    desk = msgspec.json.decode((lists / "desk.json").read_bytes())
    (lists / "desk.json").write_bytes(msgspec.json.encode({**desk, "schema": "0001"}))
    assert "was altered" in refused(copy)
    assert check_archive(fresh()[0], wal.key_file, wal, None).segments > 3


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def test_a_copy_of_a_newer_schema_than_it_says_is_refused_and_the_old_data_stays(
    wal: Wal,  # noqa: F811
    way: Way,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = filled(wal, way)
    before = bars(wal)
    archive = check_archive(copy, wal.key_file, wal, None)
    monkeypatch.setattr("recio.backup.recover.expected_revision", lambda: "0001")
    with pytest.raises(BackupError, match="this release knows up to 0001"):
        recover_from(archive, server(wal), None, "rec_io_db")
    assert bars(wal) == before


@pytest.mark.parametrize(
    "text", ["target: nowhere\nhost_key: ssh-ed25519 AAAA\n", "target: 'a@b:'\nhost_key: x\n", "target: 3\n", "{"]
)
def test_settings_that_cannot_be_used_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "off_host.yml"
    path.write_text(text)
    with pytest.raises(BackupError, match=str(path)):
        read_target(path)
    assert Target("a@b:", "ssh-ed25519 AAAA").port == 22
