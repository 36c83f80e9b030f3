"""A backup on disk: a folder with one encrypted payload and manifest.json, which is signed with the backup key.

The folder is written under another name and renamed once everything is on disk: a folder with its final name is whole.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from pathlib import Path

import msgspec

from recio.backup.census import Census
from recio.backup.crypt import Key
from recio.backup.errors import Damaged

__all__ = ["MANIFEST", "PAYLOAD", "Kind", "Manifest", "digest", "read_manifest", "signed"]

MANIFEST = "manifest.json"
PAYLOAD = "payload.enc"


class Kind(StrEnum):
    """The three backups the contract asks for."""

    DATABASE = "database"
    FILES = "files"
    CONFIGURATION = "configuration"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds. Sizes in bytes; ``plain_size`` before encryption; ``items`` are tables with data, or files."""

    kind: Kind
    name: str
    host: str
    release: str
    made_s: float
    seconds: float
    size: int
    plain_size: int
    sha256: str
    key_id: str
    items: int
    schema: str = ""
    server: str = ""
    census: Census | None = None
    signature: str = ""


def _text(manifest: Manifest) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(manifest, signature=""))


def signed(manifest: Manifest, key: Key) -> bytes:
    """The manifest's file, readable by people, with its signature."""
    whole = msgspec.structs.replace(manifest, signature=key.sign(_text(manifest)))
    return msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"


def read_manifest(folder: Path, key: Key | None = None) -> Manifest:
    """The manifest of a backup folder, its signature checked when a key is given; Damaged when it is not what was written."""
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise Damaged(
            f"{folder.name} has no {MANIFEST}: it is no finished backup, or the file was lost; take another"
        ) from error
    except (OSError, msgspec.MsgspecError) as error:
        raise Damaged(f"{path} cannot be read ({error}); take another backup") from error
    if key is None:
        return manifest
    if manifest.key_id != key.key_id:
        raise Damaged(
            f"{folder.name} was made with the key {manifest.key_id}, this is the key {key.key_id}: give the right backup_key"
        )
    if not hmac.compare_digest(manifest.signature, key.sign(_text(manifest))):
        raise Damaged(f"{path} was altered: its signature does not fit; take another backup")
    return manifest


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
