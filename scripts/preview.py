#!/usr/bin/env python3
"""The page for those who change it, without a host: a throw-away PostgreSQL, the simulated exchange and the services as processes.

    .venv/bin/python scripts/preview.py [--port 3456]     Ctrl-C ends and removes all of it

The page is the real one over real services; what only a host has (systemd, units, proxy, backups) is missing and says so.
Login `admin`, password `correct horse battery`. Templates and static files are read at start: restart main_app with SIGHUP.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "integration"), str(ROOT / "tests" / "integration" / "services")]

from pg import make_cluster, remove_cluster  # noqa: E402 - of tests/integration
from stack import WORKERS, Detector, Stack  # noqa: E402 - of tests/integration/services

from recio.web.passwords import hash_password  # noqa: E402

PASSWORD = "correct horse battery"  # noqa: S105 - a throw-away desk on loopback
MORE = ("auto_entry_supervisor", "system_monitor", "db_poller")


def _research(stack: Stack, worker: subprocess.Popen[bytes] | None) -> subprocess.Popen[bytes] | None:
    """What recio-research.path does on a host: the page's trigger starts the worker, one at a time."""
    trigger = stack.folder / "run" / "main_app" / "research.trigger"
    if (worker is None or worker.poll() is not None) and trigger.exists():
        trigger.unlink()
        command = [sys.executable, "-m", "recio.cli", "research", "work"]
        with (stack.folder / "research.log").open("ab") as log:
            worker = subprocess.Popen(
                command,
                env=stack.environment | {"RECIO_DSN": stack.cluster.dsn("recio_research")},
                stdout=log,
                stderr=log,
            )
    return worker


def main() -> int:
    """Start everything, say where it is, wait for Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=3456)
    given = parser.parse_args()
    cluster = make_cluster()
    stack = Stack(cluster)
    stack.db.run(
        "INSERT INTO users.users (user_id, login, password_hash) VALUES ('0001', 'admin', %s)"
        " ON CONFLICT (user_id) DO UPDATE SET login = 'admin', password_hash = excluded.password_hash",
        (hash_password(PASSWORD),),
    )
    os.environ["RECIO_RESEARCH"] = stack.environment["RECIO_RESEARCH"] = str(stack.folder / "research")
    place = stack.folder / "settings.yml"
    settings = yaml.safe_load(place.read_text())
    settings |= {"url": f"http://localhost:{given.port}", "web_listen": f"127.0.0.1:{given.port}"}
    place.write_text(yaml.safe_dump(settings))
    detector = Detector(cluster)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())

    def again(*_: object) -> None:
        stack.kill("main_app", signal.SIGTERM)
        stack.start("main_app")

    signal.signal(signal.SIGHUP, again)
    research: subprocess.Popen[bytes] | None = None
    try:
        stack.simulator()
        stack.start(*WORKERS, *MORE, "main_app")
        detector.start()
        stack.wait_healthy(*WORKERS, "main_app")
        said = {"url": settings["url"], "login": "admin", "password": PASSWORD, "pid": os.getpid()}
        said |= {"dsn": cluster.dsn("postgres"), "folder": str(stack.folder)}
        print(json.dumps(said, indent=1), flush=True)
        while not ended.is_set():
            time.sleep(0.5)
            research = _research(stack, research)
    finally:
        detector.ended.set()
        if research is not None:
            research.terminate()
        stack.stop()
        remove_cluster(cluster)
    return 0


if __name__ == "__main__":
    sys.exit(main())
