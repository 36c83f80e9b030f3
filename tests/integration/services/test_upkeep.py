"""The page's certificate as it is really served, by real handshakes: one that is renewed in time, one that is not, and no proxy at all."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pg import Cluster

from recio.cli import doctor_host
from recio.contract import Contract, parse
from recio.contract.settings import Coinbase, Kalshi, Settings
from recio.monitoring import audit, updates
from recio.monitoring.certificate import NotServedError, served
from recio.services.upkeep import Upkeep
from recio.store.db import Database

HOME = Path(__file__).parents[3] / "roles/contract/defaults/main.yml"
DESK = "desk.test"


class Proxy:
    """Serves TLS on loopback with the certificate it was last given, and one for a name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.asked: list[str | None] = []
        self._context.sni_callback = lambda _socket, name, _context: self.asked.append(name)
        threading.Thread(target=self._serve, daemon=True).start()

    def give(self, begins: timedelta, ends: timedelta) -> None:
        """A certificate that holds from now + ``begins`` to now + ``ends``."""
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, DESK)])
        made = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now + begins).not_valid_after(now + ends)
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self._folder / "pem").write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
        self._context.load_cert_chain(self._folder / "pem")

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._listening.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(link, server_side=True) as spoken:
                    spoken.recv(1)
            except OSError:  # whoever asked has seen enough
                link.close()

    def end(self) -> None:
        if self._listening.fileno() < 0:
            return
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    made = Proxy(tmp_path)
    yield made
    made.end()


def contract(port: int) -> Contract:
    found = parse(yaml.safe_dump(yaml.safe_load(HOME.read_text())["contract"]), str(HOME))
    return msgspec.structs.replace(found, ports=found.ports | {"https": port})


def standing(db: Database) -> list[tuple[str, str]]:
    rows = db.all("SELECT key, severity FROM system.incidents WHERE closed_at IS NULL ORDER BY key")
    return [(row["key"], row["severity"]) for row in rows]


HOUR = timedelta(hours=1)
SHORT = timedelta(days=6)  # the desk's own CA


def test_a_certificate_that_is_not_renewed_is_an_incident_until_it_is(database: Cluster, proxy: Proxy) -> None:
    db = Database("system_monitor", database.dsn("system_monitor"))
    upkeep = Upkeep(contract(proxy.port), DESK, "system_monitor")
    steps = [
        (timedelta(days=2), []),  # a third is left: whoever renews does so now
        (timedelta(days=1), [("certificate warning", "warning")]),
        (timedelta(hours=10), [("certificate critical", "critical")]),
        (-HOUR, [("certificate critical", "critical")]),
        (SHORT, []),
    ]
    for minute, (left, incidents) in enumerate(steps):
        proxy.give(left - SHORT, left)
        now_s = datetime.now(UTC).timestamp()
        upkeep.look(db, now_s, 60.0 * minute)
        assert standing(db) == incidents, left
        assert upkeep.figures["certificate_left_s"] == pytest.approx(left.total_seconds(), abs=10)
        assert upkeep.figures["certificate_lifetime_s"] == SHORT.total_seconds()
    assert set(proxy.asked) == {DESK}, "a handshake as a browser makes it"
    said = [row["cause"] for row in db.all("SELECT cause FROM system.incidents ORDER BY incident_id")]
    assert "holds for 24 h of its 6.0 days" in said[0] and "10 h of its 6.0 days" in said[1], said
    db.close()


def test_nobody_at_the_port_is_an_incident_at_the_second_look_and_ends_with_the_next_handshake(
    database: Cluster, proxy: Proxy
) -> None:
    db = Database("system_monitor", database.dsn("system_monitor"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = int(free.getsockname()[1])
    upkeep = Upkeep(contract(nobody), "", "system_monitor")
    now_s = datetime.now(UTC).timestamp()
    upkeep.look(db, now_s, 0.0)
    assert standing(db) == []
    upkeep.look(db, now_s, 59.0)
    assert standing(db) == [], "once a minute is enough"
    upkeep.look(db, now_s, 60.0)
    assert standing(db) == [("page's proxy", "critical")]
    assert upkeep.figures == {}, "what was not seen is not told"
    proxy.give(-HOUR, SHORT)
    Upkeep(contract(proxy.port), "", "system_monitor").look(db, now_s, 0.0)
    assert standing(db) == []
    db.close()


def test_doctor_tells_what_is_served_and_what_waits(
    proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, base = contract(proxy.port), {"rest_url": "http://127.0.0.1:1", "ws_url": "ws://127.0.0.1:1"}
    settings = Settings("simulated", Kalshi(**base), Coinbase(**base), ("KXBTCD",), f"https://{DESK}")
    proxy.give(timedelta(days=2) - SHORT, timedelta(days=2))
    assert doctor_host.certificate(found, settings)[:2] == (
        True,
        "certificate: the page's certificate holds for 48 h of its 6.0 days",
    )
    proxy.give(HOUR - SHORT, HOUR)
    well, said, cure = doctor_host.certificate(found, settings)
    assert (well, "60 min of its 6.0 days" in said, "caddy" in cure) == (False, True, True)
    proxy.end()
    well, said, cure = doctor_host.certificate(found, settings)
    assert (well, "no TLS at port" in said, "caddy" in cure) == (False, True, True)

    monkeypatch.setenv("RECIO_UPDATES", str(tmp_path / "updates.json"))
    monkeypatch.setenv("RECIO_AUDIT", str(tmp_path / "audit.json"))
    monkeypatch.setattr("os.geteuid", lambda: 33)  # root would look itself
    now_s = datetime.now(UTC).timestamp()
    changed = audit.Outcome(now_s, now_s, "a deploy", 9, 1, (audit.Difference("/etc/sudoers", "content"),))
    (tmp_path / "audit.json").write_bytes(msgspec.json.encode(changed))
    well, said, cure = doctor_host.privileged_files(found, settings)
    assert (well, "/etc/sudoers (content)" in said, "recio audit" in cure) == (False, True, True)
    updates.keep(updates.Updates(now_s, now_s, {"tar": now_s}))
    assert doctor_host.security_updates(found, settings)[:2] == (
        True,
        "updates: a security update waits, by lists of 0 h ago: tar",
    )
    updates.keep(updates.Updates(now_s, now_s - 90 * 86400, {}))
    well, said, cure = doctor_host.security_updates(found, settings)
    assert (well, "90 days old" in said, "upgrade" in cure) == (False, True, True)


def test_updates_that_wait_too_long_are_an_incident_when_it_lasts_and_their_installation_ends_it(
    database: Cluster, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECIO_UPDATES", str(tmp_path / "updates.json"))
    proxy.give(-HOUR, SHORT)
    db = Database("system_monitor", database.dsn("system_monitor"))
    found = contract(proxy.port)
    upkeep = Upkeep(found, DESK, "system_monitor")
    now_s = datetime.now(UTC).timestamp()
    since_s = now_s - (found.upkeep.updates.pending_max_days + 1) * 86400
    updates.keep(updates.Updates(now_s, now_s, {"postgresql-15": since_s}))
    for minute in range(15):
        upkeep.look(db, now_s, 60.0 * minute)
    assert standing(db) == [], "it has not lasted"
    upkeep.look(db, now_s, 900.0)
    assert standing(db) == [("security updates", "warning")]
    (said,) = db.all("SELECT cause, action FROM system.incidents")
    assert "for up to 8 days: postgresql-15" in said["cause"] and "playbooks/upgrade.yml" in said["action"]
    updates.keep(updates.Updates(now_s, now_s, {}))
    upkeep.look(db, now_s, 960.0)
    assert standing(db) == []
    db.close()


def test_changed_privileged_files_are_an_incident_that_names_them_and_the_next_good_look_ends_it(
    database: Cluster, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECIO_AUDIT", str(tmp_path / "audit.json"))
    monkeypatch.setenv("RECIO_UPDATES", str(tmp_path / "updates.json"))
    proxy.give(-HOUR, SHORT)
    db = Database("system_monitor", database.dsn("system_monitor"))
    upkeep = Upkeep(contract(proxy.port), DESK, "system_monitor")
    now_s = datetime.now(UTC).timestamp()

    def causes(minute: int, found: audit.Outcome | None) -> list[str]:
        if found:
            (tmp_path / "audit.json").write_bytes(msgspec.json.encode(found))
        upkeep.look(db, now_s, 60.0 * minute)
        assert standing(db) in ([], [("privileged files", "warning")])
        return [row["cause"] for row in db.all("SELECT cause FROM system.incidents WHERE closed_at IS NULL")]

    assert causes(0, None) == [], "a host whose deploy has not recorded yet"
    assert causes(1, audit.Outcome(now_s, now_s, "the deploy", 9000)) == []
    many = tuple(audit.Difference(f"/etc/cron.d/{n}", "new") for n in range(6))
    (said,) = causes(2, audit.Outcome(now_s, now_s, "the deploy", 9000, 6, many))
    assert said.startswith("6 privileged files are not as recorded: /etc/cron.d/0 (new); ")
    assert said.endswith("/etc/cron.d/3 (new) and 2 more")
    assert causes(3, None) == [said], "and it stays one"
    assert len(db.all("SELECT FROM system.incidents")) == 1
    (other,) = causes(
        4, audit.Outcome(now_s, now_s, "the deploy", 9000, 1, (audit.Difference("/etc/sudoers", "content"),))
    )
    assert other == "1 privileged file is not as recorded: /etc/sudoers (content)", "what is new is told anew"
    assert causes(5, audit.Outcome(now_s, now_s, "root", 9006)) == []
    (missed,) = causes(6, audit.Outcome(now_s - 51 * 3600, now_s, "root", 9006))
    assert "nobody has looked at the privileged files for 51 h" in missed
    assert causes(7, audit.Outcome(now_s - 49 * 3600, now_s, "root", 9006)) == [], "one night without power"
    (unknown,) = causes(8, audit.Outcome(now_s, why="there is no record"))
    assert unknown.endswith("there is no record")
    actions = {row["action"] for row in db.all("SELECT action FROM system.incidents")}
    assert len(actions) == 1 and "recio audit accept" in actions.pop()
    db.close()


def test_what_is_no_tls_is_said_within_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NotServedError, match="no answer within"):
        served(int(silent.getsockname()[1]), timeout_s=0.5)
