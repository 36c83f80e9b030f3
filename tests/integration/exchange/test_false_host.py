"""The exchange's name leads nowhere, or to somebody else: nothing is sent to a host that cannot prove it is the exchange."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tls_server import Authority, TlsServer

from recio.exchange.errors import NotSent
from recio.exchange.http import HttpConnection
from recio.exchange.stream import Feed

Start = Callable[[Path], TlsServer]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a server with a certificate; all end with the test."""
    made: list[TlsServer] = []

    def server(certificate: Path) -> TlsServer:
        made.append(TlsServer(certificate))
        return made[-1]

    yield server
    for one in made:
        one.close()


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The one authority this process believes, as the system's are on a host."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


def feed_error(port: int) -> str:
    """What a stream to this port says after its first try."""
    feed = Feed(f"wss://localhost:{port}/trade-api/ws/v2", lambda: {"SECRET": "signature"}, [b"{}"], "test")
    try:
        deadline = time.monotonic() + 20
        while not feed.last_error and time.monotonic() < deadline:
            time.sleep(0.05)
        return feed.last_error
    finally:
        feed.close()


def test_a_certificate_that_is_right_is_believed(trusted: Authority, start: Start) -> None:
    """Else the refusals below would prove nothing."""
    server = start(trusted.issue("localhost"))
    assert HttpConnection(f"https://localhost:{server.port}/v2").request("GET", "/x").body == b"{}"
    assert server.got[0].startswith(b"GET /v2/x ")
    assert "certificate" not in feed_error(server.port).lower()
    assert b"SECRET: signature" in server.got[-1]


@pytest.mark.parametrize("wrong", ["of an authority nobody knows", "of another name", "that has expired"])
def test_a_false_certificate_is_refused_before_a_byte_is_sent(
    trusted: Authority, start: Start, tmp_path: Path, wrong: str
) -> None:
    certificate = {
        "of an authority nobody knows": lambda: Authority(tmp_path, "stranger").issue("localhost"),
        "of another name": lambda: trusted.issue("elsewhere.example"),
        "that has expired": lambda: trusted.issue("localhost", days=-1),
    }[wrong]()
    server = start(certificate)
    with pytest.raises(NotSent, match=r"localhost:[0-9]+: .*certificate"):
        HttpConnection(f"https://localhost:{server.port}").request("POST", "/orders", body=b'{"count": 1}')
    assert "certificate" in feed_error(server.port).lower()
    assert server.handshakes >= 2 and server.got == []


INSIDE = """
import pathlib, sys
from recio.exchange.errors import NotSent
from recio.exchange.http import HttpConnection
port, hosts = sys.argv[1], pathlib.Path("/etc/hosts")
def ask():
    try:
        return str(one.request("POST", "/orders", body=b"1").status)
    except NotSent as failure:
        return str(failure)
def leads(line):
    hosts.write_text(line)
leads("127.0.0.1 exchange.test\\n")
one = HttpConnection(f"https://exchange.test:{port}")
print("there:", ask())
leads("")
print("gone, connection open:", ask())
one.close()
print("gone:", ask())
leads("127.0.0.2 exchange.test\\n")
print("another host:", ask())
leads("127.0.0.1 exchange.test\\n")
print("back:", ask())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a mount namespace of its own, for its own /etc/hosts")
def test_the_name_goes_away_and_comes_back_and_leads_to_somebody_else(tmp_path: Path) -> None:
    """The system's own resolver with files of its own: an open connection lives on, nothing goes to the wrong host."""
    authority = Authority(tmp_path)
    real = TlsServer(authority.issue("exchange.test"))
    impostor = TlsServer(Authority(tmp_path, "stranger").issue("exchange.test"), "127.0.0.2", real.port)
    hosts, resolv, program = tmp_path / "hosts", tmp_path / "resolv.conf", tmp_path / "inside.py"
    hosts.write_text("")
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")  # nobody answers there
    program.write_text(INSIDE)
    mounts = f"mount --bind {hosts} /etc/hosts && mount --bind {resolv} /etc/resolv.conf"
    words = ["unshare", "--mount", "sh", "-c", f"{mounts} && exec {sys.executable} {program} {real.port}"]
    done = subprocess.run(
        words, env={**os.environ, "SSL_CERT_FILE": str(authority.file)}, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert done.returncode == 0, done.stderr
    assert (said["there"], said["gone, connection open"], said["back"]) == ("200", "200", "200")
    assert "cannot connect to exchange.test" in said["gone"] and "certificate" not in said["gone"]
    assert "certificate" in said["another host"]
    assert impostor.handshakes == 1 and impostor.got == []
    assert len(real.got) == 3
