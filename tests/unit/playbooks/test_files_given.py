"""A damaged release or key is refused on the controller, by name and with the cure."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

_path = Path(__file__).parents[3] / "plugins" / "filter" / "recio_files.py"
_spec = importlib.util.spec_from_file_location("recio_files", _path)
assert _spec is not None and _spec.loader is not None
files: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(files)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    (tmp_path / "wheelhouse").mkdir()
    content = {"recio-1.whl": b"wheel", "wheelhouse/a.whl": b"a"}
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    (tmp_path / "manifest.json").write_text(json.dumps({"wheel": "recio-1.whl", "sha256": digests}))
    return tmp_path


def test_a_whole_release_has_no_fault(release: Path) -> None:
    assert files.release_fault(str(release)) == ""


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("recio-1.whl", b"whee", "recio-1.whl is not what was built"),
        ("wheelhouse/a.whl", None, "wheelhouse/a.whl is missing"),
        ("manifest.json", b'{"wheel": "recio-1.wh', "manifest.json cannot be read (JSONDecodeError"),
        ("manifest.json", b"[]", "manifest.json cannot be read (TypeError"),
        ("manifest.json", b'{"wheel": "b.whl", "sha256": {}}', "does not say what b.whl is"),
        ("manifest.json", None, "is no release, its manifest.json cannot be read (FileNotFoundError"),
    ],
)
def test_a_damaged_release_is_named_with_the_cure(release: Path, name: str, content: bytes | None, said: str) -> None:
    if content is None:
        (release / name).unlink()
    else:
        (release / name).write_bytes(content)
    fault = files.release_fault(str(release))
    assert said in fault
    assert "build it again" in fault


def _pem(key: Any, encryption: KeySerializationEncryption) -> bytes:
    written: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return written


def test_a_key_that_cannot_sign_is_refused_and_not_shown(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    whole, file = _pem(key, NoEncryption()), tmp_path / "key.pem"
    file.write_bytes(whole)
    assert files.key_fault(str(file)) == ""
    file.write_bytes(whole[: len(whole) // 2])
    fault = files.key_fault(str(file))
    assert "only a part of one" in fault
    assert whole[40:60].decode() not in fault
    file.write_bytes(_pem(key, BestAvailableEncryption(b"secret")))
    assert "locked with a passphrase" in files.key_fault(str(file))
    file.write_bytes(_pem(ec.generate_private_key(ec.SECP256R1()), NoEncryption()))
    assert "no RSA key" in files.key_fault(str(file))
