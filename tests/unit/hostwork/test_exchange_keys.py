"""A key at first sight, what keeps it from being replaced, and what is told of it: never the key."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from recio.exchange.kalshi.key_check import facts_of
from recio.exchange.kalshi.signing import SigningKeyError
from recio.hostwork.exchange_key import SIGNERS
from recio.monitoring import exchange_keys as keys
from recio.monitoring.requests import KINDS, NEEDS_PASSWORD, OWN_PAGE, BadRequest, parse
from recio.services.feeds import BUDGET_SHARES

ROOT = Path(__file__).resolve().parents[3]
NAME = f"key_{'0a' * 12}.secret"
GOOD = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----\n"


def pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, password: bytes | None = None
) -> bytes:
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def test_who_signs_is_the_same_everywhere() -> None:
    role = yaml.safe_load((ROOT / "roles/app/vars/main.yml").read_text())
    assert set(SIGNERS) == set(role["app_signers"]) == set(BUDGET_SHARES)
    assert SIGNERS[-1] == "trade_executor", "who sends comes last"


@pytest.mark.parametrize(
    ("kind", "args", "said"),
    [
        ("set_exchange_key", {"mode": "simulated"}, "secret"),
        ("set_exchange_key", {"mode": "casino", "secret": NAME}, "mode"),
        ("set_exchange_key", {"mode": "demo", "secret": "../../etc/shadow"}, "secret"),
        ("set_exchange_key", {"mode": "demo", "secret": "health.json"}, "secret"),
        ("set_exchange_key", {"mode": "demo", "secret": NAME + "\n"}, "line break"),
        ("set_exchange_key", {"mode": "demo", "secret": NAME, "private_key": GOOD}, "private_key"),
        ("remove_exchange_key", {"mode": "demo", "secret": NAME}, "secret"),
    ],
)
def test_only_a_mode_and_a_files_name_are_asked(kind: str, args: dict[str, str], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        parse(kind, args)


def test_keys_want_the_password_and_have_calls_of_their_own() -> None:
    assert parse("set_exchange_key", {"mode": "demo", "secret": NAME}).secret == NAME
    assert {kind for kind in KINDS if "key" in kind} | {"mode"} == OWN_PAGE <= NEEDS_PASSWORD


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no private key was given"),
        ("hello", "no PEM private key"),
        ("-----BEGIN PUBLIC KEY-----\nMII\n-----END PUBLIC KEY-----", "public part"),
        ("-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----", "public part"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3\n-----END OPENSSH PRIVATE KEY-----", "ssh-keygen -p -m PEM"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII\n-----END ENCRYPTED PRIVATE KEY-----", "passphrase"),
        (GOOD.replace("MIIE", "Proc-Type: 4,ENCRYPTED\n\nMIIE"), "passphrase"),
        (GOOD[:40], "not whole"),
        (GOOD + GOOD, "more than one"),
        (GOOD.replace("MII", "MÜI"), "no private key"),
        (GOOD.replace("MII", "M" * 13_000), "no private key"),
    ],
)
def test_what_is_no_key_at_first_sight_is_named_with_the_cure(text: str, said: str) -> None:
    assert said in keys.pem_complaint(text)


def test_a_key_with_space_and_windows_line_ends_around_it_is_taken() -> None:
    assert keys.pem_complaint("\n  " + GOOD.replace("\n", "\r\n") + "\n\n") == ""


@given(st.text(min_size=12, max_size=200))
def test_a_complaint_never_repeats_what_was_given(text: str) -> None:
    assert text.strip() not in keys.pem_complaint(text) or len(text.strip()) < 12


def test_of_a_key_kind_and_fingerprint_are_told() -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    facts = facts_of(pem(key))
    assert facts.kind == "RSA 2048"
    assert facts.fingerprint.startswith("SHA256:")
    traditional = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    assert facts_of(traditional) == facts, "the same key in its other form"
    assert facts_of(pem(ed25519.Ed25519PrivateKey.generate())).kind == "Ed25519", "the exchange takes these too"


def test_a_key_the_exchange_would_not_take_is_refused_by_name() -> None:
    with pytest.raises(SigningKeyError, match="1024 bits, which is too short"):
        facts_of(pem(rsa.generate_private_key(public_exponent=65_537, key_size=1024)))  # noqa: S505 - that is the point
    with pytest.raises(SigningKeyError, match="takes RSA and Ed25519"):
        facts_of(pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(SigningKeyError, match="passphrase"):
        facts_of(pem(rsa.generate_private_key(public_exponent=65_537, key_size=2048), b"words"))
    with pytest.raises(SigningKeyError, match="not a PEM"):
        facts_of(GOOD.encode())


def test_what_is_open_is_said_by_number_and_state() -> None:
    assert keys.in_the_way([], {}) == ""
    assert keys.in_the_way([], {"unknown": 1, "partially_filled": 2}) == (
        "orders are not finished (2 partially filled, 1 unknown)"
    )
    trades = [{"trade_id": number, "state": "open"} for number in range(1, 8)]
    assert keys.in_the_way(trades[:1], {}) == "trade 1 (open) is not finished"
    assert "and 2 more are not finished" in keys.in_the_way(trades, {"resting": 1})


def test_the_end_of_an_id_is_shown() -> None:
    assert keys.ending("7a1f2b3c-0000-4444-9999-abcdefabcdef") == "…cdef"


def test_a_secret_is_private_has_a_random_name_and_is_swept_when_nobody_took_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECIO_RUN_DIR", str(tmp_path))
    folder = tmp_path / "main_app"
    folder.mkdir()
    (folder / "health.json").write_text("{}")
    first, second = (keys.leave_secret(keys.Given("key-12345", GOOD)) for _ in range(2))
    assert first != second
    assert (folder / first).stat().st_mode & 0o777 == 0o600
    assert parse("set_exchange_key", {"mode": "demo", "secret": first})
    os.utime(folder / first, (time.time() - 400, time.time() - 400))
    assert keys.sweep_secrets(300, time.time()) == 1
    assert not (folder / first).exists()
    assert (folder / second).exists()
    assert (folder / "health.json").exists()


def test_a_list_that_cannot_be_read_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECIO_SETTINGS", str(tmp_path / "settings.yml"))
    assert keys.records() == {}
    record = keys.KeyRecord("key-12345", "SHA256:x", "RSA 2048", 1.5, "admin")
    keys.write_records({"demo": record})
    assert keys.records() == {"demo": record}
    (tmp_path / "exchange_keys.json").write_text("[]")
    assert keys.records() == {}
