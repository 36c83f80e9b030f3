"""Encryption at rest: what goes in comes out, and nothing altered, cut or foreign does."""

from __future__ import annotations

from pathlib import Path

import pytest

from recio.backup.crypt import CHUNK, Encryptor, decrypt, ensure_key, read_key
from recio.backup.errors import BackupError, Damaged
from recio.backup.manifest import digest


def encrypted(folder: Path, plain: bytes) -> Path:
    ensure_key(folder / "key")
    path = folder / "payload"
    with path.open("wb") as out:
        encryptor = Encryptor(out, read_key(folder / "key"))
        for start in range(0, len(plain), 300_000):
            encryptor.write(plain[start : start + 300_000])
        sha256 = encryptor.finish()
    assert (digest(path), path.stat().st_size, len(plain)) == (sha256, encryptor.size, encryptor.plain_bytes)
    return path


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17])
def test_what_goes_in_comes_out(tmp_path: Path, size: int) -> None:
    plain = bytes(i % 251 for i in range(size))
    path = encrypted(tmp_path, plain)
    assert b"".join(decrypt(path, read_key(tmp_path / "key"))) == plain
    assert plain[:64] not in path.read_bytes() or size < 64


@pytest.mark.parametrize("at", [0, 9, 20, 48, 100, CHUNK + 200, -1])
def test_one_flipped_byte_is_refused(tmp_path: Path, at: int) -> None:
    path = encrypted(tmp_path, b"x" * (2 * CHUNK))
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(Damaged, match=r"altered|other|encrypted with the key"):
        list(decrypt(path, read_key(tmp_path / "key")))


@pytest.mark.parametrize("keep", [0, 10, 48, 60, CHUNK // 2, 48 + CHUNK + 16, -1])
def test_an_end_cut_off_is_refused(tmp_path: Path, keep: int) -> None:
    """Also exactly between two chunks, where every chunk left is good."""
    path = encrypted(tmp_path, b"x" * (2 * CHUNK))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(Damaged, match="cut off"):
        list(decrypt(path, read_key(tmp_path / "key")))


def test_swapped_chunks_are_refused(tmp_path: Path) -> None:
    path = encrypted(tmp_path, b"a" * CHUNK + b"b" * CHUNK + b"c")
    data, step = path.read_bytes(), CHUNK + 16
    path.write_bytes(data[:48] + data[48 + step : 48 + 2 * step] + data[48 : 48 + step] + data[48 + 2 * step :])
    with pytest.raises(Damaged, match="altered"):
        list(decrypt(path, read_key(tmp_path / "key")))


def test_another_key_is_named(tmp_path: Path) -> None:
    path = encrypted(tmp_path, b"x")
    ensure_key(tmp_path / "other")
    with pytest.raises(Damaged, match="give the right backup_key"):
        list(decrypt(path, read_key(tmp_path / "other")))


def test_a_key_is_made_once_for_root_only(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert ensure_key(path)
    before = path.read_text()
    assert not ensure_key(path)
    assert (path.read_text(), path.stat().st_mode & 0o777) == (before, 0o600)


@pytest.mark.parametrize("text", ["", "zz", "00ff", "g" * 64])
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(BackupError, match=r"64 hexadecimal|bytes, a backup key has 32"):
        read_key(tmp_path / "key")
