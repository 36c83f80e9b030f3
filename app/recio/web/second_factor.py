"""The second factor: a code from an authenticator app, or a recovery code; each is good once."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from pathlib import Path
from typing import Literal

from recio.contract.settings import Settings
from recio.store import web_access as queries
from recio.store.db import Queries
from recio.web.errors import ApiError
from recio.web.totp import matching_step, secret_for

__all__ = ["CODES", "Factor", "code_hash", "factor_of", "new_codes", "secret_of", "web_key"]

CODES = 10
_CODE_BYTES = 15  # 120 random bits: a plain hash of them is safe to keep
Factor = Literal["totp", "recovery"]


def web_key(settings: Settings) -> bytes | None:
    """The host's key for the page's secrets, from the unit's credentials; None where there is none."""
    folder = settings.credentials_dir or os.environ.get("CREDENTIALS_DIRECTORY", "")
    try:
        key = (Path(folder or "/nonexistent") / "web_key").read_bytes().strip()
    except OSError:
        return None
    return key if len(key) >= 32 else None


def secret_of(key: bytes | None, user_id: str, salt: bytes) -> bytes:
    """The user's secret, or ApiError 503 when the host's key is missing."""
    if key is None:
        raise ApiError(
            503, "no_web_key", "this host has no key for second factors (/etc/recio/keys/web_key), so no code can be made or checked",
            "deploy again, or `recio keys web` and restart main_app on the host; recovery codes work without it",
        )  # fmt: skip
    return secret_for(key, user_id, salt)


def factor_of(
    db: Queries, user_id: str, salt: bytes, code: str, key: bytes | None, now_s: float
) -> Factor | None:  # fmt: skip
    """Use a code up and say which kind it was, or None when it is wrong or was used before. ``now_s`` since 1970."""
    typed = "".join(code.split()).replace("-", "").upper()
    if len(typed) == 6 and typed.isascii() and typed.isdigit():
        step = matching_step(secret_of(key, user_id, salt), typed, now_s)
        return "totp" if step is not None and queries.use_totp_step(db, user_id, step) else None
    return "recovery" if queries.use_recovery_code(db, user_id, code_hash(typed)) else None


def new_codes() -> list[str]:
    """Ten fresh recovery codes as people write them down: 24 letters and digits in groups of four."""
    texts = (base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode() for _ in range(CODES))
    return ["-".join(text[at : at + 4] for at in range(0, len(text), 4)) for text in texts]


def code_hash(code: str) -> bytes:
    """What is stored of a recovery code, however it was typed."""
    return hashlib.sha256("".join(code.split()).replace("-", "").upper().encode()).digest()
