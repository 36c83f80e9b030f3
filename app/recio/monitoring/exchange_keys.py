"""The exchange's keys as they lie on the host: a folder a mode, and a list of what may be told of those set on the page.

/etc/recio/keys/MODE/private_key      the PEM, root's alone (0600); systemd gives it to the services that sign
/etc/recio/keys/MODE.before/          the one that is being replaced, until the new one has proven itself
/etc/recio/exchange_keys.json         of each key that was set on the page: id, fingerprint, when, by whom; no secret
/etc/recio/modes/MODE/settings.yml    the settings of each mode this release can trade in, written by the deploy

A key that is in the list stays through every deploy; removing it on the page gives the inventory's key its place back.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from recio.contract.settings import DEFAULT_PATH
from recio.monitoring.health import run_dir

__all__ = [
    "KEY_FILE",
    "KEY_ID",
    "Given",
    "KeyRecord",
    "ending",
    "in_the_way",
    "key_folder",
    "leave_secret",
    "mode_settings",
    "pem_complaint",
    "records",
    "settings_path",
    "sweep_secrets",
    "write_records",
]

KEY_FILE = "private_key"
KEY_ID = r"^[0-9A-Za-z][0-9A-Za-z_-]{7,99}$"
_MOST_PEM = 12_000  # bytes; an RSA key of 8192 bits has 6,400
_SECRET = re.compile(r"[a-z0-9_]{1,40}\.secret")


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key on its way from the page to root: what the short-lived file in main_app's runtime folder holds."""

    key_id: str
    private_key: str


class KeyRecord(msgspec.Struct, frozen=True):
    """A key that was set on the page. ``at_s`` epoch seconds; ``kind`` like "RSA 2048"; ``by`` the login."""

    key_id: str
    fingerprint: str
    kind: str
    at_s: float
    by: str


def settings_path() -> Path:
    """The installation's settings; everything else of the configuration lies beside them."""
    return Path(os.environ.get("RECIO_SETTINGS", DEFAULT_PATH))


def key_folder(mode: str) -> Path:
    """Where a mode's private key lies, as the only file there: systemd hands on every file of it."""
    return settings_path().parent / "keys" / mode


def mode_settings(mode: str) -> Path:
    """The settings of a mode, in use or not."""
    return settings_path().parent / "modes" / mode / "settings.yml"


def records() -> dict[str, KeyRecord]:
    """By mode the keys set on the page; empty where none was, or where the list cannot be read (nothing is known then)."""
    try:
        return msgspec.json.decode(_list().read_bytes(), type=dict[str, KeyRecord])
    except (OSError, msgspec.DecodeError):
        return {}


def write_records(found: Mapping[str, KeyRecord]) -> None:
    """Replace the list, whole. Root's."""
    fresh = _list().with_suffix(".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(dict(found))) + b"\n")
    fresh.chmod(0o644)
    fresh.replace(_list())


def _list() -> Path:
    return settings_path().parent / "exchange_keys.json"


def ending(key_id: str) -> str:
    """A key's id as it may be shown: its last four characters."""
    return f"…{key_id[-4:]}" if len(key_id) > 4 else key_id


def pem_complaint(text: str) -> str:
    """What is wrong with a private key at first sight, as a sentence with the cure; empty when it may be one.

    No more than what its outside shows: the key itself is read in a sandbox on the host, not in the page.
    """
    found = text.strip()
    if not found:
        return "no private key was given; paste the whole file, from -----BEGIN to -----END"
    if len(found) > _MOST_PEM or not found.isascii() or "\0" in found:
        return f"this is no private key: it has {len(found)} characters, or some that no PEM file has"
    first = found.partition("\n")[0].strip()
    if "PUBLIC KEY" in first or "CERTIFICATE" in first:
        return "this is the public part; give the private key, the file the exchange let you download once"
    if "OPENSSH" in first:
        return "the private key is in OpenSSH format; convert it: ssh-keygen -p -m PEM -f FILE"
    if "ENCRYPTED" in first or re.search(r"^Proc-Type:.*ENCRYPTED", found, re.MULTILINE):
        return "the private key is protected by a passphrase; give one without"
    label = re.fullmatch(r"-----BEGIN ((?:[A-Z]+ )?PRIVATE KEY)-----", first)
    if label is None:
        return "this is no PEM private key: it has to begin with -----BEGIN PRIVATE KEY----- (or RSA PRIVATE KEY)"
    if not found.endswith(f"-----END {label[1]}-----"):
        return f"the private key is not whole: the last line has to be -----END {label[1]}-----"
    if found.count("-----BEGIN") != 1:
        return "this holds more than one key or certificate; give the private key alone"
    return ""


def in_the_way(trades: Sequence[Mapping[str, Any]], orders: Mapping[str, int]) -> str:
    """What must come to an end before another account may be traded on, as a sentence; empty when nothing is open.

    ``trades``: the mode's unfinished ones; ``orders``: how many are in each state that is not final.
    """
    said = []
    if orders:
        states = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(orders.items()))
        said.append(f"orders are not finished ({states})")
    if trades:
        some = ", ".join(f"{trade['trade_id']} ({trade['state']})" for trade in trades[:5])
        more = f" and {len(trades) - 5} more" if len(trades) > 5 else ""
        said.append(
            f"trade {some}{more} is not finished" if len(trades) == 1 else f"trades {some}{more} are not finished"
        )
    return " and ".join(said)


# ------------------------------------------------------------------ the way from the page to root
def leave_secret(given: Given) -> str:
    """Lay a key down for root, readable by this user alone; gives the file's name. Raises OSError without a runtime folder."""
    name = f"key_{secrets.token_hex(12)}.secret"
    handle = os.open(run_dir("main_app") / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(given))
    except OSError:
        (run_dir("main_app") / name).unlink(missing_ok=True)
        raise
    return name


def sweep_secrets(older_s: float, now_s: float, keep: str = "") -> int:
    """Delete what was laid down and never taken, ``older_s`` seconds old; ``keep`` is left. The number of files."""
    gone = 0
    try:
        found = [path for path in run_dir("main_app").iterdir() if _SECRET.fullmatch(path.name) and path.name != keep]
    except OSError:
        return 0
    for path in found:
        try:
            if now_s - path.lstat().st_mtime >= older_s:
                path.unlink()
                gone += 1
        except OSError:
            continue  # taken meanwhile
    return gone
