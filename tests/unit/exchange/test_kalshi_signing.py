"""Signatures that the exchange would accept, and keys it would not."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from recio.exchange.kalshi.signing import KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, Signer, SigningKeyError
from recio.exchange.kalshi.subscribe import ws_headers
from recio.exchange.simulator.auth import Authenticator
from recio.exchange.simulator.orders import Rejected

NOW_S = 1_795_000_000.25
PATH = "/trade-api/v2/portfolio/orders"
Private = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def pem(key: Private, form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def public_pem(key: Private) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
def test_rsa_pss_over_milliseconds_method_and_path(
    rsa_key: rsa.RSAPrivateKey, form: serialization.PrivateFormat
) -> None:
    headers = Signer("key", pem(rsa_key, form)).headers("get", PATH + "?limit=5", NOW_S)
    assert headers[KEY_HEADER] == "key"
    assert headers[TIMESTAMP_HEADER] == "1795000000250"
    rsa_key.public_key().verify(  # the words of the exchange's documentation, not our own function
        base64.b64decode(headers[SIGNATURE_HEADER]),
        b"1795000000250GET/trade-api/v2/portfolio/orders",
        padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32),
        hashes.SHA256(),
    )


def test_ed25519() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    headers = Signer("key", pem(key)).headers("DELETE", PATH, NOW_S)
    key.public_key().verify(base64.b64decode(headers[SIGNATURE_HEADER]), f"1795000000250DELETE{PATH}".encode())


def test_ws_headers_sign_the_path_of_the_url(rsa_key: rsa.RSAPrivateKey) -> None:
    headers = ws_headers("key", pem(rsa_key), "ws://127.0.0.1:1/trade-api/ws/v2", lambda: NOW_S)
    Authenticator("key", public_pem(rsa_key), lambda: NOW_S).check("GET", "/trade-api/ws/v2", headers)


def test_keys_that_cannot_sign_say_why(rsa_key: rsa.RSAPrivateKey) -> None:
    openssh = rsa_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    locked = rsa_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    curve = ec.generate_private_key(ec.SECP256R1())
    for given, text in ((openssh, "OpenSSH"), (locked, "passphrase"), (pem(curve), "RSA and Ed25519"), (b"no", "PEM")):
        with pytest.raises(SigningKeyError, match=text):
            Signer("key", given).headers("GET", PATH, NOW_S)


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_the_simulator_verifies_and_answers_in_the_exchanges_words(kind: str, rsa_key: rsa.RSAPrivateKey) -> None:
    key: Private = rsa_key if kind == "rsa" else ed25519.Ed25519PrivateKey.generate()
    check = Authenticator("key", public_pem(key), lambda: NOW_S).check
    good = Signer("key", pem(key)).headers("GET", PATH, NOW_S)
    check("GET", PATH, good)
    check("GET", PATH, Signer("key", pem(key)).headers("GET", PATH, NOW_S - 9))
    wrong = {
        "signature_is_missing_from_headers": ("GET", PATH, {}),
        "NOT_FOUND": ("GET", PATH, good | {KEY_HEADER: "other"}),
        "header_timestamp_expired": ("GET", PATH, Signer("key", pem(key)).headers("GET", PATH, NOW_S + 11)),
        "INCORRECT_API_KEY_SIGNATURE": ("POST", PATH, good),
    }
    for word, asked in wrong.items():
        with pytest.raises(Rejected) as caught:
            check(*asked)
        assert caught.value.status == 401 and word in (caught.value.code, caught.value.details)
    for garbage in ("", "!", "AAAA", "é"):
        with pytest.raises(Rejected):
            check("GET", PATH, good | {SIGNATURE_HEADER: garbage})


def test_a_public_key_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="RSA or Ed25519"):
        Authenticator("key", public_pem(ec.generate_private_key(ec.SECP256R1())), lambda: NOW_S)
    with pytest.raises(ValueError, match="PEM public key"):
        Authenticator("key", b"-----BEGIN", lambda: NOW_S)
