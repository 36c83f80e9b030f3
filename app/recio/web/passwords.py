"""Argon2id with OWASP's 19 MiB profile: the default's 64 MiB would be this process's whole memory budget."""

from __future__ import annotations

import threading
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

__all__ = ["MAX_LENGTH", "MIN_LENGTH", "hash_password", "verify_password"]

MIN_LENGTH = 12
MAX_LENGTH = 200  # a longer one is work for the hash, not safety
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_one_at_a_time = threading.Lock()  # many log-ins at once must not multiply the memory


@lru_cache(maxsize=1)
def _nobody() -> str:
    return _hasher.hash("nobody's password")


def hash_password(password: str) -> str:
    """The hash to store. Raises ValueError naming the length when it is too short or absurdly long."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise ValueError(f"the password has {len(password)} characters; {MIN_LENGTH} to {MAX_LENGTH} are needed")
    with _one_at_a_time:
        return _hasher.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Whether the password is right; for an unknown user (None) the same work is done for the same answer."""
    with _one_at_a_time:
        try:
            right = _hasher.verify(stored or _nobody(), password[:MAX_LENGTH])
            return right and stored is not None and len(password) <= MAX_LENGTH
        except (VerificationError, InvalidHashError):
            return False
