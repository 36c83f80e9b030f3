"""Encryption at rest: AES-256-GCM over chunks, so that a file of any size streams through one megabyte of memory.

A file is: magic (8 bytes), key id (8), salt (32), then chunks of at most 1 MiB, each with its 16-byte tag. Every file has
its own key (HKDF of the host's key and the salt), so a nonce is simply the chunk's number and never repeats under a key; the
nonce's last byte is 1 for the last chunk only. Thus a changed byte, chunks swapped, and an end cut off are all refused.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from recio.backup.errors import BackupError, Damaged

__all__ = ["CHUNK", "KEY_NAME", "Encryptor", "Key", "decrypt", "ensure_key", "key_for", "read_key"]

CHUNK = 1024 * 1024
KEY_NAME = "backup_key"
_MAGIC = b"RECIOBK1"
_TAG = 16
_HEADER = len(_MAGIC) + 8 + 32


class Key:
    """The host's backup key: 32 random bytes. ``key_id`` names it without giving it away."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.key_id = hashlib.sha256(b"recio backup key id" + secret).digest()[:8].hex()

    def for_file(self, salt: bytes) -> AESGCM:
        """The cipher of one file."""
        return AESGCM(HKDF(hashes.SHA256(), 32, salt, b"recio backup file").derive(self._secret))

    def derive(self, purpose: str) -> str:
        """A secret of its own for another program, as 64 hexadecimal digits; it does not give the key away."""
        return HKDF(hashes.SHA256(), 32, None, b"recio backup " + purpose.encode()).derive(self._secret).hex()

    def sign(self, text: bytes) -> str:
        """A code that only a holder of the key can make."""
        return hmac.new(self._secret, b"recio backup manifest" + text, hashlib.sha256).hexdigest()


def read_key(path: Path) -> Key:
    """The key in a file of 64 hexadecimal digits; BackupError when it is missing or no key."""
    try:
        secret = bytes.fromhex(path.read_text().strip())
    except FileNotFoundError as error:
        raise BackupError(
            f"there is no backup key at {path}; deploy makes it, or give another with --key-file"
        ) from error
    except (OSError, ValueError) as error:
        raise BackupError(f"{path} cannot be read as a backup key (64 hexadecimal digits)") from error
    if len(secret) != 32:
        raise BackupError(f"{path} holds {len(secret)} bytes, a backup key has 32")
    return Key(secret)


def key_for(path: Path, key_id: str) -> Key:
    """The key at ``path`` or, when it is another than ``key_id`` names, the one of that name set aside beside it by a restore."""
    aside = path.with_name(f"{path.name}.{key_id}")
    return read_key(aside) if aside.is_file() and read_key(path).key_id != key_id else read_key(path)


def ensure_key(path: Path) -> bool:
    """Make the key once, readable by root only; True when it is new. An existing one is never replaced."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        read_key(path)
        return False
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return True


class Encryptor:
    """Takes plain bytes by ``write``, leaves cipher text in a file; counts and hashes what it leaves."""

    def __init__(self, out: BinaryIO, key: Key) -> None:
        salt = secrets.token_bytes(32)
        self._out, self._cipher = out, key.for_file(salt)
        self._header = _MAGIC + bytes.fromhex(key.key_id) + salt
        self._buffer = bytearray()
        self._number = 0
        self._digest = hashlib.sha256()
        self.plain_bytes = 0
        self.size = 0
        self._emit(self._header)

    def write(self, data: bytes) -> int:
        """Add plain bytes."""
        self.plain_bytes += len(data)
        self._buffer += data
        while len(self._buffer) > CHUNK:  # the last chunk is only known at the end: keep one back
            self._chunk(bytes(self._buffer[:CHUNK]), last=False)
            del self._buffer[:CHUNK]
        return len(data)

    def finish(self) -> str:
        """Write the last chunk; gives the SHA-256 of the whole file."""
        self._chunk(bytes(self._buffer), last=True)
        self._buffer.clear()
        return self._digest.hexdigest()

    def _chunk(self, plain: bytes, last: bool) -> None:
        self._emit(self._cipher.encrypt(_nonce(self._number, last), plain, self._header))
        self._number += 1

    def _emit(self, data: bytes) -> None:
        self._out.write(data)
        self._digest.update(data)
        self.size += len(data)


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")


def decrypt(path: Path, key: Key) -> Iterator[bytes]:
    """The plain bytes of an encrypted file, chunk by chunk, each authenticated before it is given. Damaged when it is not whole."""
    with path.open("rb") as file:
        header = file.read(_HEADER)
        if len(header) < _HEADER or not header.startswith(_MAGIC):
            raise Damaged(
                f"{path} is not an encrypted backup (its head is {'cut off' if len(header) < _HEADER else 'other'})"
            )
        made_with = header[len(_MAGIC) : len(_MAGIC) + 8].hex()
        if made_with != key.key_id:
            raise Damaged(
                f"{path} was encrypted with the key {made_with}, this is the key {key.key_id}: give the right backup_key"
            )
        cipher, number = key.for_file(header[-32:]), 0
        data = file.read(CHUNK + _TAG)
        while True:
            following = file.read(CHUNK + _TAG)
            try:
                yield cipher.decrypt(_nonce(number, not following), data, header)
            except (InvalidTag, ValueError) as error:
                where = f"at byte {_HEADER + number * (CHUNK + _TAG)}"
                what = "altered" if following else "altered or cut off"
                raise Damaged(f"{path} is {what} {where}: it cannot be restored; take another backup") from error
            if not following:
                return
            data, number = following, number + 1
