"""The mode in force and those it can change to, as they lie on the host. What differs by mode has one home and one link:

/etc/recio/modes/MODE/settings.yml    the whole settings of the mode, written by the deploy
/etc/recio/modes/MODE/network.conf    a drop-in of the services that speak to the world: whether they may leave this machine
/etc/recio/modes/MODE/key             a link to the folder of the mode's key
/etc/recio/modes/simulated/simulator  its presence is the condition under which the simulated exchange starts
/etc/recio/mode -> modes/MODE         the mode in force; everything else reads through it, so that one rename changes all
/etc/recio/mode_choice.json           the mode that was chosen on the page, by whom and when: it counts before the inventory
/etc/recio/mode_switch.json           a switch under way and the way back; who finds it without its worker goes back
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from recio.contract.settings import SUPPORTED
from recio.monitoring.exchange_keys import settings_path

__all__ = [
    "Choice",
    "Switch",
    "choice",
    "deploy_under_way",
    "end_switch",
    "in_force",
    "installed",
    "keep_choice",
    "note_deployed",
    "point",
    "switch_path",
    "switch_under_way",
    "write_switch",
]

_DEPLOY_MAX_S = 1800  # a deploy that said it began and never that it ended is thought dead after this


class Choice(msgspec.Struct, frozen=True):
    """The mode chosen on the page. ``at_s`` epoch seconds, ``by`` the login."""

    mode: str
    by: str
    at_s: float


class Switch(msgspec.Struct, frozen=True):
    """A switch under way: from where, to where, for which request; ``before`` is the choice that held until now."""

    left: str
    wanted: str
    request_id: int
    by: str
    at_s: float
    before: Choice | None = None


def _etc() -> Path:
    return settings_path().parent


def _link() -> Path:
    return _etc() / "mode"


def in_force() -> str:
    """The mode the link names; empty where there is no link (a host of an earlier release, or none)."""
    try:
        return _link().readlink().name
    except OSError:
        return ""


def installed() -> tuple[str, ...]:
    """The modes whose settings are on this host."""
    return tuple(mode for mode in SUPPORTED if (_etc() / "modes" / mode / "settings.yml").is_file())


def point(mode: str) -> None:
    """Put a mode in force: one rename, on the disk when this returns. Raises OSError."""
    fresh = _link().with_name("mode.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(f"modes/{mode}")
    fresh.replace(_link())
    _sync(_etc())


# ------------------------------------------------------------------ who chose it
def choice() -> Choice | None:
    """What was chosen on the page; None when nothing was, or when it cannot be read."""
    try:
        return msgspec.json.decode((_etc() / "mode_choice.json").read_bytes(), type=Choice)
    except (OSError, msgspec.DecodeError):
        return None


def keep_choice(found: Choice | None) -> None:
    """Write the choice down, whole; None takes it away."""
    _write(_etc() / "mode_choice.json", found)


# ------------------------------------------------------------------ a switch under way
def switch_path() -> Path:
    """Its note; systemd starts the worker again when it lies there and nobody works on it."""
    return _etc() / "mode_switch.json"


def switch_under_way() -> Switch | None:
    """The switch that has begun and not ended. Raises ValueError when there is one that cannot be read."""
    try:
        return msgspec.json.decode(switch_path().read_bytes(), type=Switch)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as wrong:
        raise ValueError(f"{switch_path()} cannot be read ({wrong})") from None


def write_switch(found: Switch) -> None:
    """Before the first thing is changed."""
    _write(switch_path(), found)


def end_switch() -> None:
    """After the last."""
    _write(switch_path(), None)


# ------------------------------------------------------------------ beside a deploy
def _deploy() -> Path:
    return Path(os.environ.get("RECIO_DEPLOY_DIR", "/var/lib/recio/deploy"))


def deploy_under_way(now_s: float | None = None) -> bool:
    """Whether a deploy said that it began and not yet that it ended; one of half an hour ago is thought dead."""
    try:
        age_s = (time.time() if now_s is None else now_s) - (_deploy() / "under_way").stat().st_mtime
    except OSError:
        return False
    return age_s < _DEPLOY_MAX_S


def note_deployed(left: str, mode: str) -> None:
    """What the last deploy noted of the mode follows the switch, so that the next one finds nothing to do."""
    place = _deploy() / "deployed"
    try:
        text = place.read_text()
    except FileNotFoundError:
        return
    fresh = place.with_name("deployed.new")
    fresh.write_text(text.replace(f" mode={left}", f" mode={mode}"))
    fresh.chmod(0o644)
    fresh.replace(place)


# ------------------------------------------------------------------ files
def _write(place: Path, found: msgspec.Struct | None) -> None:
    if found is None:
        place.unlink(missing_ok=True)
    else:
        fresh = place.with_name(f"{place.name}.new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(found) + b"\n")
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(place)
    _sync(place.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
