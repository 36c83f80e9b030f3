"""What each failure on the wire means for an order: a scripted server on a real socket."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from recio.exchange.errors import ClockSkewed, NotSent, OutcomeUnknown, Refused, Unavailable
from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import NewOrder

PEM = ed25519.Ed25519PrivateKey.generate().private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
ORDER = NewOrder("T", "bid", 100, 5_000, "c1")
ACK = {"order_id": "o1", "client_order_id": "c1", "fill_count": "1.00", "remaining_count": "0.00"}
Script = Callable[[bytes], bytes | None]  # a request -> the answer; None hangs up


class Server:
    """Answers each request of each connection with the script's next word."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self.answers: list[bytes | float | None] = []  # a float: wait so long, then hang up
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionResetError):
            while True:
                request = b""
                while b"\r\n\r\n" not in request:
                    piece = connection.recv(65_536)
                    if not piece:
                        return
                    request += piece
                self.requests.append(request)
                answer = self.answers.pop(0) if self.answers else None
                if isinstance(answer, float):
                    time.sleep(answer)
                    return
                if answer is None:
                    return
                connection.sendall(answer)


def answer(status: int, body: object, **headers: str) -> bytes:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(payload)}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + payload


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.listener.close()


def client(server: Server, timeout_s: float = 0.4) -> KalshiClient:
    return KalshiClient(
        f"http://127.0.0.1:{server.port}/trade-api/v2", "key", PEM, timeout_s, sleep=lambda seconds: None
    )


def test_an_order_is_sent_once_signed_and_acknowledged(server: Server) -> None:
    server.answers = [answer(201, ACK)]
    c = client(server)
    ack = c.create_order(ORDER)
    assert (ack.order_id, ack.fill_count_e2, ack.remaining_count_e2) == ("o1", 100, 0)
    head = server.requests[0]
    assert (
        head.startswith(b"POST /trade-api/v2/portfolio/events/orders HTTP/1.1\r\n")
        and b"KALSHI-ACCESS-SIGNATURE" in head
    )
    assert c.last_signed_ok_s is not None and c.last_latency_ms is not None


def test_nobody_listens_not_sent(server: Server) -> None:
    c = client(server)
    server.listener.close()
    server.thread.join(0.1)
    with socket.socket() as unused:  # a port that is bound and does not listen refuses
        unused.bind(("127.0.0.1", 0))
        c = KalshiClient(f"http://127.0.0.1:{unused.getsockname()[1]}/trade-api/v2", "key", PEM, sleep=lambda s: None)
        with pytest.raises(NotSent, match=r"cannot connect to 127\.0\.0\.1"):
            c.create_order(ORDER)
        with pytest.raises(Unavailable, match="3 attempts"):
            c.balance()


def test_no_such_host_and_a_key_that_cannot_sign_not_sent(server: Server) -> None:
    with pytest.raises(NotSent):
        KalshiClient("http://no-such-host.invalid/trade-api/v2", "key", PEM).create_order(ORDER)
    broken = KalshiClient(f"http://127.0.0.1:{server.port}/trade-api/v2", "key", b"not a key")
    with pytest.raises(NotSent, match="PEM private key"):
        broken.create_order(ORDER)
    with pytest.raises(Unavailable, match="PEM private key"):
        broken.balance()
    assert server.requests == []


@pytest.mark.parametrize(
    "said",
    [
        None,  # hangs up after the request
        1.0,  # accepts and says nothing
        answer(500, {"error": {"code": "internal"}}),
        answer(503, b""),
        answer(408, {}),
        answer(302, {}, Location="/elsewhere"),
        answer(201, {"client_order_id": "c1"}),  # no order id
        answer(201, b"<html>"),
        answer(201, b""),
        b"HTTP/1.1 201 Said\r\nContent-Length: 500\r\n\r\n{",  # torn
        b"garbage\r\n\r\n",
    ],
)
def test_after_the_request_went_out_only_a_clear_answer_counts(server: Server, said: bytes | float | None) -> None:
    server.answers = [said]
    with pytest.raises(OutcomeUnknown):
        client(server).create_order(ORDER)
    assert len(server.requests) == 1, "never retried"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429])
def test_a_definite_no_is_refused(server: Server, status: int) -> None:
    server.answers = [answer(status, {"error": {"code": "order_already_exists", "message": "m"}})]
    with pytest.raises(Refused) as caught:
        client(server).create_order(ORDER)
    assert (caught.value.status, caught.value.is_duplicate) == (status, True)
    assert len(server.requests) == 1


def test_a_skewed_clock_has_a_name_and_the_date_header_measures_it(server: Server) -> None:
    said = answer(401, {"error": {"code": "header_timestamp_expired"}}, Date="Mon, 23 Nov 2026 22:00:00 GMT")
    server.answers = [said]
    c = KalshiClient(f"http://127.0.0.1:{server.port}/trade-api/v2", "key", PEM, clock=lambda: 1_795_471_200.5 + 30)
    with pytest.raises(ClockSkewed):
        c.create_order(ORDER)
    assert c.clock_skew_s == pytest.approx(30, abs=0.6)


def test_a_post_never_goes_down_a_connection_the_server_closed(server: Server) -> None:
    server.answers = [answer(200, {"exchange_active": True, "trading_active": True}), answer(201, ACK)]
    c = client(server)
    c.exchange_status()
    assert c._http._connection is not None and c._http._connection.sock is not None
    c._http._connection.sock.shutdown(socket.SHUT_WR)  # the server sees the end and closes its side
    time.sleep(0.1)
    assert c.create_order(ORDER).order_id == "o1"
    assert server.connections == 2


def test_a_young_connection_is_used_again_and_an_old_one_not_for_a_post(server: Server) -> None:
    up = answer(200, {"exchange_active": True, "trading_active": True})
    server.answers = [up, up, answer(201, ACK)]
    c = client(server)
    c.exchange_status()
    c.exchange_status()
    assert server.connections == 1
    c._http._idle_since -= 3
    c.create_order(ORDER)
    assert server.connections == 2


def test_reads_are_retried_and_sign_anew(server: Server) -> None:
    balance = {"balance": 5, "balance_dollars": "12.345678", "portfolio_value": 100}
    server.answers = [answer(503, {}), None, answer(200, balance)]
    assert client(server).balance().balance_e6 == 12_345_678
    assert len(server.requests) == 3
    server.answers = [answer(429, {"error": "too many requests"})] * 3
    with pytest.raises(Unavailable, match="429"):
        client(server).balance()
    server.answers = [answer(404, {"error": {"code": "not_found"}})]
    with pytest.raises(Refused):
        client(server).market("nothing")
    server.answers = [answer(200, {"balance": "five"})]
    with pytest.raises(Unavailable, match="unreadable balance"):
        client(server).balance()


def test_a_repeated_cursor_ends_with_an_error(server: Server) -> None:
    server.answers = [answer(200, {"fills": [], "cursor": "x"})] * 3
    with pytest.raises(Unavailable, match="repeats cursor"):
        client(server).fills()


def test_a_dripping_body_does_not_hold_us(server: Server) -> None:
    server.answers = [b"HTTP/1.1 200 Said\r\nContent-Length: 100000\r\n\r\n{", 5.0]
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        client(server).create_order(ORDER)
    assert time.monotonic() - started < 2


def test_a_wrong_address_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="not an http"):
        KalshiClient("ws://host/x", "key", PEM)
