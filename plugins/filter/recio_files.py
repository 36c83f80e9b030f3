"""Faults of files on the controller, found before anything is changed on a host."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def release_fault(folder: str) -> str:
    """What is wrong with a built release: a manifest that cannot be read, a file gone or other than it was built; empty when nothing."""
    place, rebuild = (
        Path(folder),
        "remove the folder and build it again (scripts/build_release.py), or leave app_release_dir empty",
    )
    try:
        manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
        digests = {str(name): str(digest) for name, digest in manifest["sha256"].items()}
        wheel = manifest["wheel"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{folder} is no release, its manifest.json cannot be read ({type(error).__name__}: {error}); {rebuild}"
    if wheel not in digests:
        return f"{folder}: the manifest does not say what {wheel} is; {rebuild}"
    for name, digest in sorted(digests.items()):
        path = place / name
        if not path.is_file():
            return f"{path} is missing; {rebuild}"
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            return f"{path} is not what was built (its SHA-256 differs from the manifest's); {rebuild}"
    return ""


def key_fault(path: str) -> str:
    """Why a file cannot sign orders; empty when it can. Says nothing of its content."""
    try:
        key = load_pem_private_key(Path(path).read_bytes(), password=None)
    except TypeError:
        return f"{path} is locked with a passphrase, which nobody could type at night; `openssl pkey -in FILE -out OPEN` takes it off"
    except (OSError, ValueError, UnsupportedAlgorithm):
        return f"{path} is no private key in PEM form, or only a part of one; download it from the exchange again"
    return (
        ""
        if isinstance(key, RSAPrivateKey)
        else f"{path} is no RSA key, and the exchange knows no other; make one there"
    )


class FilterModule:
    """Registers the functions above."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"recio_release_fault": release_fault, "recio_key_fault": key_fault}
