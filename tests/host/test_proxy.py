"""What the proxy says in the log is worth reading: a page that somebody closes is no error."""

from __future__ import annotations

import json
import socket
import ssl
import time
from urllib.parse import urlsplit

from desk import Desk
from remote import Remote


def test_a_page_that_is_closed_is_no_error(desk: Desk, remote: Remote, facts: dict[str, str]) -> None:
    """Each tab keeps one stream open until it is closed; at night nobody should have to tell those lines from real ones."""
    address = urlsplit(desk.url)
    host, port = address.hostname or "", address.port or 443
    began = remote.out("date +%s.%N").strip()
    context = ssl.create_default_context(cafile=facts["ca_file"])
    with context.wrap_socket(socket.create_connection((host, port), 10), server_hostname=host) as stream:
        asked = f"GET /api/stream HTTP/1.1\r\nHost: {address.netloc}\r\nCookie: {desk.cookie_header()}\r\n\r\n"
        stream.sendall(asked.encode())
        stream.settimeout(15)
        answer = stream.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
        while b"data:" not in answer:
            answer += stream.recv(4096)
    time.sleep(7)  # the next beat, which nobody is there to read
    lines = remote.out(f"journalctl --unit caddy --since @{began} --output cat --no-pager").splitlines()
    said = [json.loads(line) for line in lines if line.startswith("{")]
    assert not [line for line in said if line["level"] == "error"], said
    remote.out("systemctl is-active caddy")
