"""The database as a dump: pg_dump and the ledger's census from one snapshot, read back with pg_restore."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from recio.backup import census
from recio.backup.crypt import Encryptor
from recio.backup.errors import BackupError, Damaged
from recio.store.db import connect

__all__ = ["Dumped", "binaries", "dump", "feed", "listed_tables"]

_READ = 256 * 1024


@dataclass(frozen=True)
class Dumped:
    """What a dump holds."""

    census: census.Census
    server: str


def binaries(version: str = "") -> Path:
    """The folder of the newest PostgreSQL server's programs, or of the major ``version``'s."""
    found = sorted(
        Path("/usr/lib/postgresql").glob(f"{version or '*'}/bin/pg_restore"), key=lambda p: int(p.parent.parent.name)
    )
    if not found:
        raise BackupError(f"no PostgreSQL {version} programs under /usr/lib/postgresql; apt-get install postgresql")
    return found[-1].parent


def dump(dsn: str, out: Encryptor) -> Dumped:
    """Dump the database at ``dsn`` into ``out``; the figures it gives are of the very same snapshot."""
    connection = connect("recio backup", dsn)
    try:
        connection.autocommit = False
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute("SELECT pg_export_snapshot() AS snapshot, current_setting('server_version') AS server")
            row = cursor.fetchone()
        counted = census.take(connection)
        major = str(row["server"]).split(".")[0]
        command = [str(binaries(major) / "pg_dump"), "--format=custom", "--compress=6", f"--snapshot={row['snapshot']}",
                   "--lock-wait-timeout=10s", f"--dbname={dsn}"]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603
            words: list[bytes] = []
            listener = threading.Thread(target=lambda: words.append(_all(process.stderr)))
            listener.start()
            assert process.stdout is not None  # noqa: S101 - it is piped
            while data := process.stdout.read(_READ):
                out.write(data)
            listener.join()
        if process.returncode:
            raise BackupError(
                f"pg_dump failed ({process.returncode}): {b''.join(words).decode(errors='replace').strip()[-600:]}"
            )
    finally:
        connection.close()
    if out.plain_bytes < 1024:
        raise BackupError(
            f"pg_dump left {out.plain_bytes} bytes: that is no database; look at `journalctl -t postgresql`"
        )
    return Dumped(counted, str(row["server"]))


def _all(stream: IO[bytes] | None) -> bytes:
    return stream.read() if stream is not None else b""


def feed(command: list[str], chunks: Iterable[bytes]) -> subprocess.CompletedProcess[str]:
    """Run a program with the chunks on its standard input; the chunks are read to their end even if the program is not interested."""
    with subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/"
    ) as process:
        outcome: dict[str, bytes] = {}
        readers = [
            threading.Thread(target=lambda: outcome.update(out=_all(process.stdout))),
            threading.Thread(target=lambda: outcome.update(err=_all(process.stderr))),
        ]
        for reader in readers:
            reader.start()
        assert process.stdin is not None  # noqa: S101 - it is piped
        listening = True
        try:
            for chunk in chunks:
                if listening:
                    try:
                        process.stdin.write(chunk)
                    except BrokenPipeError:
                        listening = False
        finally:
            try:
                process.stdin.close()
            except BrokenPipeError:
                listening = False
            for reader in readers:
                reader.join()
    return subprocess.CompletedProcess(
        command, process.returncode, outcome["out"].decode(errors="replace"), outcome["err"].decode(errors="replace")
    )


def listed_tables(chunks: Iterable[bytes], name: str) -> set[str]:
    """Read a dump to its end; gives the tables whose data its table of contents names. Damaged when pg_restore refuses it."""
    done = feed([str(binaries() / "pg_restore"), "--list"], chunks)
    if done.returncode:
        raise Damaged(f"{name} decrypts, but pg_restore cannot read it: {done.stderr.strip()[-300:]}")
    found = set()
    for line in done.stdout.splitlines():
        words = line.split()
        if words[3:5] == ["TABLE", "DATA"]:
            found.add(f"{words[5]}.{words[6]}")
    return found
