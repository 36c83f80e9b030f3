"""Takes secrets out of text: what is known to be one (by value), and what looks like one (by its name or its shape)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["GONE", "known_secrets", "scrub"]

GONE = "[removed]"
_PEM = re.compile(r"-----BEGIN [^-]{1,60}-----.*?(?:-----END [^-]{1,60}-----|\Z)", re.DOTALL)
_NAMED = re.compile(
    r"(?i)([\"']?[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|authorization|cookie|api[_-]?key|key[_-]?id|private[_-]?key|csrf|totp|otp|recovery|"
    r"signature|credential|webhook)[\w-]*[\"']?\s*[=:]\s*)(\"[^\"\n]*\"|'[^'\n]*'|(?:Bearer |Basic )?[^\s,;}\]]+)"
)
_HASH = re.compile(r"\$argon2[a-z]*\$\S+")
_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]{1,20}://)[^\s/@:]+(?::[^\s/@]*)?@")  # who and password in an address
_LONG = re.compile(r"(?<![A-Za-z0-9+/_-])(?![0-9a-f]{40,64}(?![A-Za-z0-9+/_-]))[A-Za-z0-9+/_-]{60,}={0,2}")
_SHORTEST = 8  # a shorter line of a key file would blank out innocent words


def known_secrets(folders: Iterable[Path]) -> list[str]:
    """Every line of every file in these folders that is long enough to be one, and each file as a whole; longest first."""
    found: set[str] = set()
    for folder in folders:
        for path in folder.rglob("*") if folder.is_dir() else ():
            try:
                text = path.read_bytes().decode(errors="replace") if path.is_file() else ""
            except OSError:
                continue
            found |= {
                part for part in (text.strip(), *(line.strip() for line in text.splitlines())) if len(part) >= _SHORTEST
            }
    return sorted(found, key=len, reverse=True)


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without them. What is replaced says so, so that a reader knows something stood there."""
    for secret in secrets:
        text = text.replace(secret, GONE)
    for shape in (_PEM, _HASH, _LONG):
        text = shape.sub(GONE, text)
    text = _ADDRESS.sub(rf"\1{GONE}@", text)
    return _NAMED.sub(lambda found: f"{found[1]}{GONE}", text)
