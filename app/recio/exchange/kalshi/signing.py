"""Signing of requests and WebSocket handshakes: RSA-PSS (SHA-256, salt 32) or Ed25519 over ms + METHOD + path."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["KEY_HEADER", "SIGNATURE_HEADER", "TIMESTAMP_HEADER", "Signer", "SigningKeyError", "read_key", "signed_text"]

KEY_HEADER = "KALSHI-ACCESS-KEY"
TIMESTAMP_HEADER = "KALSHI-ACCESS-TIMESTAMP"
SIGNATURE_HEADER = "KALSHI-ACCESS-SIGNATURE"


class SigningKeyError(ValueError):
    """The private key cannot sign; the text says why and what to give instead."""


def signed_text(timestamp_ms: int, method: str, path: str) -> bytes:
    """The bytes both sides sign: time stamp, upper-case method, path from the host's root without the query."""
    return f"{timestamp_ms}{method.upper()}{path.partition('?')[0]}".encode()


class Signer:
    """Signs with one key. The key is parsed at the first use: cryptography weighs 8 MB and readers do without."""

    def __init__(self, key_id: str, private_key_pem: bytes) -> None:
        """``private_key_pem``: PKCS#1 or PKCS#8 PEM of an RSA or Ed25519 key, without a passphrase."""
        self.key_id = key_id
        self._pem = private_key_pem
        self._sign: Callable[[bytes], bytes] | None = None

    def headers(self, method: str, path: str, now_s: float) -> dict[str, str]:
        """The three headers of a request sent at ``now_s`` (epoch seconds). SigningKeyError when the key is not one."""
        if self._sign is None:
            self._sign = _load(self._pem)
        timestamp_ms = int(now_s * 1000)
        signature = self._sign(signed_text(timestamp_ms, method, path))
        return {
            KEY_HEADER: self.key_id,
            TIMESTAMP_HEADER: str(timestamp_ms),
            SIGNATURE_HEADER: base64.b64encode(signature).decode(),
        }


def read_key(pem: bytes) -> RSAPrivateKey | Ed25519PrivateKey:
    """The private key of a PEM; raises SigningKeyError with the cure for what the exchange does not take."""
    if b"BEGIN OPENSSH PRIVATE KEY" in pem:
        raise SigningKeyError("the private key is in OpenSSH format; convert it: ssh-keygen -p -m PEM -f FILE")
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as problem:
        raise SigningKeyError("the private key is protected by a passphrase; give one without") from problem
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise SigningKeyError(
            f"not a PEM private key (expected '-----BEGIN … PRIVATE KEY-----'): {problem}"
        ) from problem
    if not isinstance(key, ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey):
        raise SigningKeyError(f"a {type(key).__name__} cannot be used; the exchange takes RSA and Ed25519")
    return key


def _load(pem: bytes) -> Callable[[bytes], bytes]:
    key = read_key(pem)
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign
    rsa_key = key

    def sign_rsa(text: bytes) -> bytes:
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        return rsa_key.sign(text, pss, hashes.SHA256())

    return sign_rsa
