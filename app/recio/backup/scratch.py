"""A PostgreSQL cluster to throw away: socket only, little memory, no durability; it is gone when the block ends."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2

from recio.backup.database import binaries
from recio.backup.errors import BackupError
from recio.store.db import connect

__all__ = ["as_postgres", "recovered", "scratch_cluster"]

_RECOVERY_S = 1800.0

_SETTINGS = {
    "listen_addresses": "''", "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "wal_level": "replica",
    "max_wal_senders": "0", "archive_mode": "off", "shared_buffers": "32MB", "maintenance_work_mem": "64MB",
    "max_connections": "5", "autovacuum": "off", "max_wal_size": "512MB", "log_min_messages": "fatal",
    "hot_standby": "off",
    "unix_socket_permissions": "0700",
}  # fmt: skip


def as_postgres(command: list[str]) -> list[str]:
    """The command as the OS user postgres when we are root: the server refuses to run as root."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


def _initdb(data: Path, programs: Path) -> None:
    _run([str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "peer" if os.geteuid() == 0 else "trust",
          "--locale=C", "--encoding=UTF8", "--no-sync"])  # fmt: skip


@contextlib.contextmanager
def scratch_cluster(
    base: Path, version: str = "", fill: Callable[[Path, Path], None] = _initdb
) -> Iterator[tuple[str, Path]]:
    """A running cluster of the major ``version`` below ``base``; gives (dsn of its superuser, folder of its programs).

    ``fill`` makes its data folder (empty and its owner's before): a fresh cluster by default, a base backup to recover from otherwise.
    """
    programs = binaries(version)
    folder = Path(tempfile.mkdtemp(prefix="recio-restore-test-", dir=base))
    started = False
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data = folder / "data"
        data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(data, owner.pw_uid, owner.pw_gid)
        fill(data, programs)
        # Debian keeps these outside the data folder: a base backup has none. Nobody but postgres reaches the socket's folder
        # (0700); root is mapped so that the census can be taken from here.
        if not (data / "postgresql.conf").exists():
            (data / "postgresql.conf").write_text("")
        (data / "pg_ident.conf").write_text("scratch root postgres\nscratch postgres postgres\n")
        if os.geteuid() == 0:
            (data / "pg_hba.conf").write_text("local all all peer map=scratch\n")
            for name in ("postgresql.conf", "pg_ident.conf", "pg_hba.conf"):
                os.chown(data / name, owner.pw_uid, owner.pw_gid)
        options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        started = True
        _start([str(programs / "pg_ctl"), "-D", str(data), "-w", "-s", "-l", str(folder / "log"), "-t", "900", "-o",
              f"{options} -c unix_socket_directories={folder}", "start"], folder / "log")  # fmt: skip
        dsn = f"dbname=postgres host={folder} user=postgres"
        if not recovered(dsn, data):
            raise BackupError(f"the throw-away cluster ended while it recovered: {_said(folder / 'log')}")
        yield dsn, programs
    finally:
        if started:
            stop = [str(programs / "pg_ctl"), "-D", str(folder / "data"), "-m", "immediate", "-s", "-w", "stop"]
            subprocess.run(as_postgres(stop), capture_output=True, cwd="/", check=False)  # noqa: S603
        shutil.rmtree(folder, ignore_errors=True)


def _said(log: Path) -> str:
    return " ".join(log.read_text(errors="replace").split())[-900:] if log.exists() else ""


def _start(command: list[str], log: Path) -> None:
    try:
        _run(command)
    except BackupError as failure:
        raise BackupError(f"{failure} {_said(log)}") from failure


def recovered(dsn: str, data: Path) -> bool:
    """Wait until the server over ``data`` has ended its recovery; False when it ended itself instead."""
    until_s = time.monotonic() + _RECOVERY_S
    while time.monotonic() < until_s:
        with contextlib.suppress(psycopg2.OperationalError):  # it does not let anybody in yet
            connection = connect("recio recovery", dsn)
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_is_in_recovery() AS still")
                    if not cursor.fetchone()["still"]:
                        return True
            finally:
                connection.close()
        if not _alive(data):
            return False
        time.sleep(0.1)
    raise BackupError(f"the recovery over {data} did not end within {_RECOVERY_S:.0f} s")


def _alive(data: Path) -> bool:
    try:
        return Path(f"/proc/{int((data / 'postmaster.pid').read_text().split()[0])}").exists()
    except (OSError, ValueError, IndexError):
        return False


def _run(command: list[str]) -> None:
    done = subprocess.run(  # noqa: S603
        as_postgres(command), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/", check=False
    )
    if done.returncode:
        raise BackupError(f"the throw-away cluster could not be made: {' '.join(done.stderr.split())[-400:]}")
