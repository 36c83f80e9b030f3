#!/usr/bin/env python3
"""Fetch the page's npm packages as package-lock.json pins them, check their hashes, take out the files the page needs.

Standard library only; no node. The registry is $npm_config_registry or https://registry.npmjs.org. Repeating it fetches
nothing when the files are there and right. Files land in templates/static/vendor/<package>/, which is not in git.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import sys
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "templates" / "static" / "vendor"
MOST_BYTES = 20_000_000


def fail(message: str) -> None:
    """End with one sentence."""
    sys.exit(f"fetch_npm: {message}")


def matches(data: bytes, integrity: str) -> bool:
    """Whether the data has the lock file's hash (``sha512-BASE64``)."""
    kind, _, wanted = integrity.partition("-")
    return kind == "sha512" and base64.b64encode(hashlib.sha512(data).digest()).decode() == wanted


def download(name: str, version: str) -> bytes:
    """The package's archive."""
    environment = {key.lower(): value for key, value in os.environ.items()}  # npm takes it in either case
    registry = environment.get("npm_config_registry", "https://registry.npmjs.org").rstrip("/")
    if not registry.startswith(("https://", "http://")):
        fail(f"npm_config_registry is {registry!r}; it must be an http(s) address")
    url = f"{registry}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - the scheme was checked
            data: bytes = answer.read(MOST_BYTES + 1)
    except (urllib.error.URLError, OSError) as error:
        fail(f"cannot fetch {name} {version}: {error}; is the registry reachable (npm_config_registry, https_proxy)?")
    if len(data) > MOST_BYTES:
        fail(f"{name} {version} is larger than {MOST_BYTES} bytes; that is not the package that was pinned")
    return data


def unpack(name: str, data: bytes, wanted: list[str]) -> dict[str, bytes]:
    """The wanted files of the archive, by their path in the package."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for member in archive:
            path = member.name.partition("/")[2]
            source = archive.extractfile(member) if member.isfile() and path in wanted else None
            if source is not None:
                found[path] = source.read()
    missing = set(wanted) - set(found)
    if missing:
        fail(f"{name} has no {', '.join(sorted(missing))}; correct the list in package.json")
    return found


def main() -> None:
    """Fetch what is missing."""
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    package = json.loads((ROOT / "package.json").read_text())
    for name, version in package["dependencies"].items():
        pinned = lock.get(f"node_modules/{name}")
        if not pinned or pinned["version"] != version:
            fail(
                f"package-lock.json does not pin {name} {version} of package.json; run npm install --package-lock-only"
            )
        folder, files = VENDOR / name, package["recio"][name]
        stamp = folder / ".integrity"
        if (
            stamp.is_file()
            and stamp.read_text() == pinned["integrity"]
            and all((folder / Path(f).name).is_file() for f in files)
        ):
            print(f"{name} {version}: there")
            continue
        data = download(name, version)
        if not matches(data, pinned["integrity"]):
            fail(f"{name} {version} has not the hash that package-lock.json pins; refusing it")
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in unpack(name, data, files).items():
            (folder / Path(path).name).write_bytes(content)
        stamp.write_text(pinned["integrity"])
        print(f"{name} {version}: fetched, {len(data)} bytes, hash right")


if __name__ == "__main__":
    main()
