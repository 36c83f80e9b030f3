"""A real PostgreSQL cluster in a temporary folder, made once a run: initdb, start, roles, database, migrations."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from recio.store.admin import bootstrap, migrate
from recio.store.rights import OWNER


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parent.parent.name))
    if not found:
        raise RuntimeError("no PostgreSQL server under /usr/lib/postgresql: apt-get install postgresql")
    return found[-1].parent


@dataclass(frozen=True)
class Cluster:
    """A running cluster: where its socket is and how to reach it as a role."""

    folder: Path
    binaries: Path

    def dsn(self, role: str, database: str = "rec_io_db") -> str:
        """The address as one role, over the cluster's own socket."""
        return f"dbname={database} host={self.folder} user={role}"

    def ctl(self, *words: str) -> None:
        """pg_ctl, as a user that is not root; raises with its output when it fails."""
        command = [str(self.binaries / "pg_ctl"), "-D", str(self.folder / "data"), "-w", "-s", *words]
        _as_postgres(command)

    def start(self) -> None:
        """Start on the socket only, no TCP."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off -c max_connections=60"
        self.ctl("-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self, how: str = "fast") -> None:
        """Stop it: fast, or immediate for a crash."""
        self.ctl("-m", how, "stop")


def _as_postgres(command: list[str]) -> None:
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")


def make_cluster() -> Cluster:
    """initdb, start, bootstrap the roles and migrate."""
    folder = Path(tempfile.mkdtemp(prefix="recio-pg-"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    cluster = Cluster(folder, _binaries())
    _as_postgres(
        [str(cluster.binaries / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-A", "trust",
         "--locale=C", "--encoding=UTF8", "--no-sync"]
    )  # fmt: skip
    cluster.start()
    bootstrap(cluster.dsn("postgres", "postgres"), "rec_io_db")
    migrate(cluster.dsn(OWNER))
    return cluster


def remove_cluster(cluster: Cluster) -> None:
    """Stop it and remove its folder."""
    cluster.stop("immediate")
    shutil.rmtree(cluster.folder, ignore_errors=True)
