"""Who asks: signatures verified as the exchange does, RSA-PSS and Ed25519."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from recio.exchange.kalshi.signing import KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signed_text
from recio.exchange.simulator.orders import Rejected

__all__ = ["Authenticator"]


class Authenticator:
    """Knows one key. The clock window is what was observed of the exchange: 10 s accepted, more refused."""

    def __init__(self, key_id: str, public_key_pem: bytes, clock: Callable[[], float], window_s: float = 10.0) -> None:
        """ValueError says what is wrong with the public key."""
        self._key_id, self._clock, self._window_s = key_id, clock, window_s
        try:
            key = load_pem_public_key(public_key_pem)
        except (ValueError, UnsupportedAlgorithm) as problem:
            raise ValueError(f"not a PEM public key (expected '-----BEGIN PUBLIC KEY-----'): {problem}") from problem
        if not isinstance(key, rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
            raise ValueError(f"a {type(key).__name__} cannot be used; give an RSA or Ed25519 public key")
        self._key = key

    def check(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Rejected 401 in the exchange's words, or nothing. ``path`` is the raw path as it was sent."""
        key_id, stamp = headers.get(KEY_HEADER), headers.get(TIMESTAMP_HEADER)
        signature = headers.get(SIGNATURE_HEADER)
        if not key_id or not stamp or not signature:
            raise Rejected(401, "signature_is_missing_from_headers", "signature is missing from headers")
        if key_id != self._key_id:
            raise Rejected(401, "authentication_error", "authentication_error", "NOT_FOUND")
        if (
            len(stamp) > 15
            or not stamp.isascii()
            or not stamp.isdigit()
            or abs(int(stamp) / 1000 - self._clock()) > self._window_s
        ):
            raise Rejected(401, "header_timestamp_expired", "header timestamp expired")
        if not self._is_signed(signature, signed_text(int(stamp), method, path)):
            raise Rejected(401, "authentication_error", "authentication_error", "INCORRECT_API_KEY_SIGNATURE")

    def _is_signed(self, signature: str, text: bytes) -> bool:
        try:
            raw = base64.b64decode(signature, validate=True)
            if isinstance(self._key, rsa.RSAPublicKey):
                pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
                self._key.verify(raw, text, pss, hashes.SHA256())
            else:
                self._key.verify(raw, text)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True
