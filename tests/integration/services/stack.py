"""The appliance's own processes without systemd: a real simulator, real services, a real database, in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
import yaml
from pg import Cluster

from recio.monitoring.health import Report, read_report
from recio.store.db import Database
from recio.store.system import save_dependency_state

REPO = Path(__file__).parents[3]
WORKERS = (
    "btc_price_watchdog",
    "kalshi_api_watchdog",
    "kalshi_account_sync",
    "unified_production_coordinator",
    "trade_manager",
    "trade_executor",
    "active_trade_supervisor",
)


class Detector(threading.Thread):
    """Says what cascading_failure_detector would: it asks systemd, and there is none here."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(daemon=True)
        self.allowed, self.cause, self.ended = True, "", threading.Event()
        self._db = Database("tests", cluster.dsn("cascading_failure_detector"))

    def run(self) -> None:
        while not self.ended.wait(0.5):
            try:
                save_dependency_state(self._db, self.allowed, self.cause, [])
            except psycopg2.Error:  # a test has stopped the database
                self._db.close()
                return
        self._db.close()


def wait_for(what: str, probe: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """The first truthy answer of ``probe``; AssertionError naming ``what`` and the last answer when there is none."""
    until, last = time.monotonic() + timeout_s, None
    while time.monotonic() < until:
        last = probe()
        if last:
            return last
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {timeout_s} s, last answer {last!r}")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Stack:
    """Processes by name; logs in the folder; every one is killed at the end."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.folder = Path(tempfile.mkdtemp(prefix="recio-stack-"))
        self.port = _free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        contract = yaml.safe_load((REPO / "roles/contract/defaults/main.yml").read_text())["contract"]
        (self.folder / "contract.yml").write_text(yaml.safe_dump(contract))
        self.environment = os.environ | {
            "PYTHONPATH": str(REPO / "app"),
            "RECIO_CONTRACT": str(self.folder / "contract.yml"),
            "RECIO_SETTINGS": str(self.folder / "settings.yml"),
            "RECIO_RUN_DIR": str(self.folder / "run"),
            "RECIO_KILL_FILES": str(self.folder / "KILL"),
        }
        os.environ["RECIO_RUN_DIR"] = str(self.folder / "run")
        self._recio("keys", "ensure", "--dir", str(self.folder / "keys"))
        keys = self.folder / "keys"
        shutil.copy(keys / "simulated" / "private_key", keys / "kalshi_private_key")
        self.key_id = (keys / "key_id").read_text().strip()
        base = f"127.0.0.1:{self.port}"
        settings = {
            "mode": "simulated",
            "kalshi": {
                "rest_url": f"http://{base}/trade-api/v2",
                "ws_url": f"ws://{base}/trade-api/ws/v2",
                "key_id": self.key_id,
            },
            "coinbase": {"ws_url": f"ws://{base}/coinbase/ws", "rest_url": f"http://{base}/coinbase"},
            "series": ["KXBTCD", "KXBTC15M", "KXBTCSIM"],
            "url": "https://localhost",
            "credentials_dir": str(keys),
        }
        (self.folder / "settings.yml").write_text(yaml.safe_dump(settings))
        self.db = Database("tests", cluster.dsn("postgres"))

    def _recio(self, *words: str) -> None:
        command = [sys.executable, "-m", "recio.cli", *words]
        subprocess.run(command, check=True, env=self.environment, capture_output=True)

    def _spawn(self, name: str, command: list[str], **extra: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            command, env=self.environment | extra, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )

    def simulator(self) -> None:
        """Start the exchange with its journal, and wait until it answers."""
        keys = self.folder / "keys"
        command = [sys.executable, "-m", "recio.cli", "simulator", "--listen", f"127.0.0.1:{self.port}"]
        command += ["--key-id", self.key_id, "--public-key", str(keys / "kalshi_public.pem")]
        self._spawn("simulator", [*command, "--state", str(self.folder / "exchange")])

        def answers() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for("the simulator listens", answers)

    def start(self, *names: str) -> None:
        """Start services, each with its own database role."""
        for name in names:
            self._spawn(name, [sys.executable, "-m", "recio.services", name], RECIO_DSN=self.cluster.dsn(name))

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """End a process by a signal and wait until it is gone."""
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(20)

    def report(self, name: str) -> Report | None:
        """What the service says of itself, if the process that says it lives."""
        report = read_report(name)
        process = self.processes.get(name)
        return report if report and process and report.pid == process.pid and process.poll() is None else None

    def wait_healthy(self, *names: str, timeout_s: float = 45.0) -> None:
        """Until all report healthy; the failure names the reasons and shows the logs' ends."""

        def all_well() -> bool:
            return all((report := self.report(name)) is not None and report.healthy for name in names)

        try:
            wait_for("services healthy", all_well, timeout_s)
        except AssertionError as late:
            reports = {name: self.report(name) for name in names}
            reasons = {name: report.reason if report else "no report" for name, report in reports.items()}
            tails = "\n".join(f"--- {n}\n{self.log(n)[-1500:]}" for n in names if reasons[n])
            raise AssertionError(f"{late}: {reasons}\n{tails}") from None

    def log(self, name: str) -> str:
        """All the process printed."""
        path = self.folder / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def stop(self) -> None:
        """Kill everything and remove the folder."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait(20)
        self.db.close()
        shutil.rmtree(self.folder, ignore_errors=True)
