"""A PostgreSQL cluster to throw away: socket only, little memory, no durability; it is gone when the block ends."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from recio.backup.database import binaries
from recio.backup.errors import BackupError

__all__ = ["as_postgres", "scratch_cluster"]

_SETTINGS = {
    "listen_addresses": "''", "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "wal_level": "minimal",
    "max_wal_senders": "0", "archive_mode": "off", "shared_buffers": "32MB", "maintenance_work_mem": "64MB",
    "max_connections": "5", "autovacuum": "off", "max_wal_size": "512MB", "log_min_messages": "fatal",
    "unix_socket_permissions": "0700",
}  # fmt: skip


def as_postgres(command: list[str]) -> list[str]:
    """The command as the OS user postgres when we are root: the server refuses to run as root."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


@contextlib.contextmanager
def scratch_cluster(base: Path, version: str = "") -> Iterator[tuple[str, Path]]:
    """A running cluster of the major ``version`` below ``base``; gives (dsn of its superuser, folder of its programs)."""
    programs = binaries(version)
    folder = Path(tempfile.mkdtemp(prefix="recio-restore-test-", dir=base))
    started = False
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data = folder / "data"
        _run([str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "peer" if os.geteuid() == 0 else "trust",
              "--locale=C", "--encoding=UTF8", "--no-sync"])  # fmt: skip
        # Nobody but postgres reaches the socket's folder (0700); root is mapped so that the census can be taken from here.
        (data / "pg_ident.conf").write_text("scratch root postgres\nscratch postgres postgres\n")
        if os.geteuid() == 0:
            (data / "pg_hba.conf").write_text("local all all peer map=scratch\n")
        options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        started = True
        _run([str(programs / "pg_ctl"), "-D", str(data), "-w", "-s", "-l", str(folder / "log"), "-o",
              f"{options} -c unix_socket_directories={folder}", "start"])  # fmt: skip
        yield f"dbname=postgres host={folder} user=postgres", programs
    finally:
        if started:
            stop = [str(programs / "pg_ctl"), "-D", str(folder / "data"), "-m", "immediate", "-s", "-w", "stop"]
            subprocess.run(as_postgres(stop), capture_output=True, cwd="/", check=False)  # noqa: S603
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str]) -> None:
    done = subprocess.run(  # noqa: S603
        as_postgres(command), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/", check=False
    )
    if done.returncode:
        raise BackupError(f"the throw-away cluster could not be made: {' '.join(done.stderr.split())[-400:]}")
