"""Time-based one-time codes: RFC 6238 over RFC 4226 with SHA-1, six digits and 30 seconds, as every authenticator app has.

code of a step = truncate(HMAC-SHA1(secret, step)), step = seconds since 1970 // 30
accepted: the step of now, the one before and the one after, and never a step that was used or lies before a used one
"""

from __future__ import annotations

import base64
import hmac
import struct
from urllib.parse import quote

__all__ = ["STEP_S", "address", "code_at", "matching_step", "secret_for", "shown"]

STEP_S = 30
_DIGITS = 6
_EITHER_SIDE = 1


def secret_for(key: bytes, user_id: str, salt: bytes) -> bytes:
    """The user's secret (160 bits): made from the host's key and the stored salt; neither alone gives it."""
    return hmac.digest(key, b"recio totp\0" + user_id.encode() + b"\0" + salt, "sha256")[:20]


def code_at(secret: bytes, step: int) -> str:
    """The six digits of a step."""
    digest = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 10**_DIGITS:0{_DIGITS}d}"


def matching_step(secret: bytes, code: str, now_s: float) -> int | None:
    """The step near ``now_s`` (seconds since 1970) whose code this is, or None; whether it was used is the store's to say."""
    now = int(now_s // STEP_S)
    found = None
    for step in range(max(0, now - _EITHER_SIDE), now + _EITHER_SIDE + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            found = step
    return found


def shown(secret: bytes) -> str:
    """The secret as people type it: base32 in groups of four."""
    text = base64.b32encode(secret).decode()
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def address(secret: bytes, login: str, host: str) -> str:
    """The otpauth:// address an authenticator app reads from the picture."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return f"otpauth://totp/{quote(f'REC.IO {host}')}:{quote(login)}?secret={text}&issuer={quote(f'REC.IO {host}')}"
