"""A real simulator process on a free port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from recio.exchange.kalshi.client import KalshiClient

APP = Path(__file__).parents[3] / "app"


class Process:
    """One simulator: start, stop, kill, start again on the same port."""

    def __init__(self, folder: Path) -> None:
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        self.pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.public = folder / "public.pem"
        self.public.write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        self.state = folder / "state"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.rest = f"http://127.0.0.1:{self.port}/trade-api/v2"
        self.ws = f"ws://127.0.0.1:{self.port}/trade-api/ws/v2"
        self.coinbase = f"127.0.0.1:{self.port}/coinbase"
        self.child: subprocess.Popen[str] | None = None

    def start(self, *more: str) -> str:
        """Start it and wait for its one line."""
        self.child = subprocess.Popen(
            [
                sys.executable, "-m", "recio.cli", "simulator", "--listen", f"127.0.0.1:{self.port}", "--key-id", "k",
                "--public-key", str(self.public), "--state", str(self.state), *more,
            ],
            env=os.environ | {"PYTHONPATH": str(APP)},
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert self.child.stdout is not None
        return self.child.stdout.readline().strip()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it and wait; the exit code."""
        if self.child is None:
            return 0
        self.child.send_signal(number)
        code = self.child.wait(10)
        if self.child.stdout is not None:
            self.child.stdout.close()
        self.child = None
        return code

    def client(self, **more: float) -> KalshiClient:
        """A client that signs with the right key."""
        return KalshiClient(self.rest, "k", self.pem, **more)
