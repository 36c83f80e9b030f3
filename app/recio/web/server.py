"""The HTTP server in this process: uvicorn with uvloop and httptools, and the checks by which it proves its function."""

from __future__ import annotations

import gc
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

import uvicorn
from fastapi import FastAPI
from jinja2 import Environment, TemplateError

from recio.contract import Contract
from recio.contract.settings import Settings
from recio.monitoring.health import Check
from recio.store.db import DatabaseGone
from recio.store.pool import Pool
from recio.web.app import create_app
from recio.web.memory import give_back

__all__ = ["Proof", "configured", "serve"]

_PROVE_EVERY_S = 2.0
# At the start orders wait for the first whole proof: for so long one that is not whole is tried again soon.
_SOON_FOR_S, _SOON_S = 30.0, 0.2
_STREAM_MAX_AGE_S = 15.0
_TIDY_EVERY_S = 60.0

Proof = Callable[[Sequence[Check], bool], None]
"""Told every two seconds, at the start more often: the checks, and whether the page answered over its own port."""


class _Journal(logging.Formatter):
    """Priorities journald understands."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, with its priority in front."""
        priority = 3 if record.levelno >= logging.ERROR else 4 if record.levelno >= logging.WARNING else 6
        return f"<{priority}>" + super().format(record).replace("\n", " | ")


class _Server(uvicorn.Server):
    """Ends the streams at the first signal: an open tab must not hold up a restart."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT."""
        self.config.app.state.desk.hub.stop()  # type: ignore[union-attr]
        super().handle_exit(sig, frame)


def _answers(host: str, port: int) -> str:
    """Ask our own port for /livez; '' when it answered, else why not."""
    try:
        with socket.create_connection((host, port), timeout=3) as link:
            link.sendall(f"GET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            said = link.recv(64).decode("latin-1")
    except OSError as error:
        return f"http://{host}:{port}/livez: {error}"
    return "" if said.split(" ")[1:2] == ["200"] else f"http://{host}:{port}/livez said {said.partition(chr(13))[0]!r}"


def _database(pool: Pool) -> str:
    try:
        pool.one("SELECT 1 AS alive")
    except DatabaseGone as gone:
        return " ".join(str(gone).split())[:200]
    return ""


def _prepare(templates: Environment) -> str:
    """Compile every page: nobody waits for it later, a broken one is told (its name and why), and what it took is given back."""
    for name in templates.list_templates(extensions=["html"]):
        try:
            templates.get_template(name)
        except TemplateError as broken:
            return f"{name}: {broken}"
    gc.collect()
    give_back()
    return ""


def configured(app: FastAPI, listen: str) -> uvicorn.Config:
    """The server's configuration; ``listen`` is HOST:PORT. Only a proxy on this machine is believed about addresses."""
    host, _, port = listen.rpartition(":")
    return uvicorn.Config(
        app, host=host, port=int(port), loop="uvloop", http="httptools", ws="none", lifespan="on", log_config=None,
        access_log=False, proxy_headers=True, forwarded_allow_ips="127.0.0.1", server_header=False,
        timeout_keep_alive=30, timeout_graceful_shutdown=3, limit_concurrency=300, backlog=256,
    )  # fmt: skip


def serve(settings: Settings, contract: Contract, told: Proof | None = None, dsn: str | None = None) -> None:
    """Serve until SIGTERM. ``told`` hears the proofs, from a thread of its own, until the server stops."""
    host, _, port = settings.web_listen.rpartition(":")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Journal("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    pool = Pool("main_app", dsn)
    app = create_app(settings, contract, pool, dsn=dsn)
    config = configured(app, settings.web_listen)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = _Server(config)
    done = threading.Event()

    def prove() -> None:
        tidied_s = started_s = time.monotonic()
        whole, pages = False, None
        while not done.wait(_PROVE_EVERY_S if whole or time.monotonic() - started_s > _SOON_FOR_S else _SOON_S):
            if time.monotonic() - tidied_s >= _TIDY_EVERY_S:
                tidied_s = time.monotonic()
                give_back()
            if not server.started or told is None:
                continue
            began_s = time.monotonic()
            http, database, hub = _answers(host, int(port)), _database(pool), app.state.desk.hub
            heard_s = None if hub.last_ok_s is None else time.monotonic() - hub.last_ok_s
            listens = hub.connected and heard_s is not None and heard_s <= _STREAM_MAX_AGE_S
            checks = [
                Check("http", not http, http, time.monotonic() - began_s),
                Check("database", not database, database),
                Check("stream", listens, "" if listens else hub.why or f"silent for {heard_s:.0f} s", heard_s),
            ]
            if pages is not None:
                checks.append(Check("pages", not pages, pages))
            told(checks, not http)
            whole = all(check.ok for check in checks)
            if whole and pages is None:  # not before: an order waits for this process, and needs no page
                pages = _prepare(app.state.desk.templates)

    watcher = threading.Thread(target=prove, name="proof", daemon=True)
    watcher.start()
    try:
        server.run()
    finally:
        done.set()
        watcher.join(timeout=5)
