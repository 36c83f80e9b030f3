"""A real page on a real port over a real database."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from pg import Cluster
from webdesk import PASSWORD, ROOT, Desk, seed_market

from recio.contract import parse
from recio.contract.settings import Coinbase, Kalshi, Settings
from recio.store.db import Database
from recio.store.pool import Pool
from recio.web.app import create_app
from recio.web.passwords import hash_password
from recio.web.server import configured


@pytest.fixture(scope="session")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def desk(database: Cluster, password_hash: str, tmp_path: Path) -> Iterator[Desk]:
    """The page as main_app's role, on a free port."""
    owner = Database("tests", database.dsn("postgres"))
    owner.run("UPDATE users.users SET password_hash = %s", (password_hash,))
    seed_market(owner)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "web_key").write_text("0123456789abcdef" * 4)
    settings = Settings(
        mode="simulated", kalshi=Kalshi("http://127.0.0.1:1", "ws://127.0.0.1:1"),
        coinbase=Coinbase("ws://127.0.0.1:1", "http://127.0.0.1:1"), series=("KXBTCD", "KXBTCSIM"),
        url="https://desk.example", credentials_dir=str(tmp_path), web_listen=f"127.0.0.1:{port}",
    )  # fmt: skip
    raw = yaml.safe_load((ROOT / "roles" / "contract" / "defaults" / "main.yml").read_text())["contract"]
    dsn = database.dsn("main_app")
    app = create_app(settings, parse(json.dumps(raw)), Pool("main_app", dsn), dsn=dsn)
    server = uvicorn.Server(configured(app, settings.web_listen))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until_s = time.monotonic() + 10
    while not server.started and time.monotonic() < until_s:
        time.sleep(0.02)
    yield Desk(port, app, database, owner)
    app.state.desk.hub.stop()
    server.should_exit = True
    thread.join(timeout=10)
    owner.close()


class Hook(HTTPServer):
    """Somebody's server: it keeps what it got, and answers as it is told."""

    got: list[dict[str, Any]]
    status: int
    answer: str


@pytest.fixture
def hook() -> Iterator[Hook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server: Any = self.server
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            server.got.append(
                {"method": self.command, "path": self.path, "title": self.headers.get("Title"), "body": body}
            )
            self.send_response(server.status)
            self.end_headers()
            self.wfile.write(server.answer.format(path=self.path).encode())

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = Hook(("127.0.0.1", 0), Handler)
    server.got, server.status, server.answer = [], 200, "you said it to {path}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def notifier(desk: Desk) -> Iterator[Database]:
    """A connection as who sends messages."""
    db = Database("tests", desk.cluster.dsn("recio_notify"))
    yield db
    db.close()
