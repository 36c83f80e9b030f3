"""What this installation is: its mode, its exchange and its address. Rendered to /etc/recio/settings.yml by the deploy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from recio.contract.text import decode

__all__ = ["DEFAULT_PATH", "SUPPORTED", "Coinbase", "Kalshi", "Mode", "Settings", "SettingsError", "load_settings"]

DEFAULT_PATH = "/etc/recio/settings.yml"
Mode = Literal["simulated", "paper", "demo", "live"]
SUPPORTED = ("simulated", "demo")


class SettingsError(ValueError):
    """The settings file is missing or wrong; the message names the file, the key and the cure."""


class Kalshi(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the exchange is and which key signs for us; the private key comes by systemd credential."""

    rest_url: str
    ws_url: str
    key_id: str = ""


class Coinbase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where BTC-USD prices come from."""

    ws_url: str
    rest_url: str


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One installation. Only base URLs and keys differ between simulated, demo and live."""

    mode: Mode
    kalshi: Kalshi
    coinbase: Coinbase
    series: tuple[str, ...]
    url: str
    user_id: str = "0001"
    web_listen: str = "127.0.0.1:3000"
    credentials_dir: str = ""

    def private_key(self) -> bytes:
        """The Kalshi private key (PEM) from the unit's credentials; raises SettingsError naming where it looked."""
        folder = self.credentials_dir or os.environ.get("CREDENTIALS_DIRECTORY", "")
        path = Path(folder or "/nonexistent") / "kalshi_private_key"
        try:
            return path.read_bytes()
        except OSError as error:
            raise SettingsError(
                f"no Kalshi private key at {path} ({error.strerror}): nothing can be signed; give one under Settings, Exchange"
            ) from error


def _refuse_unsafe(settings: Settings) -> None:
    """Fail closed on money: a mode this release cannot keep its promise in, or play money sent to a real exchange."""
    if settings.mode not in SUPPORTED:
        raise ValueError(f"mode {settings.mode!r} is not there yet; this release trades in {' and '.join(SUPPORTED)}")
    host = urlsplit(settings.kalshi.rest_url).hostname
    if settings.mode == "simulated" and host not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError(f"mode simulated with the exchange at {host!r}; the simulated one is on this machine")
    if settings.mode == "demo" and not (host or "").endswith("demo.kalshi.co"):
        raise ValueError(f"mode demo with the exchange at {host!r}; the demo exchange is at *.demo.kalshi.co")


def load_settings(path: str | None = None) -> Settings:
    """Read and validate the settings; ``path`` or RECIO_SETTINGS or /etc/recio/settings.yml."""
    place = Path(path or os.environ.get("RECIO_SETTINGS", DEFAULT_PATH))
    try:
        settings = msgspec.convert(decode(place.read_text()), Settings)
        _refuse_unsafe(settings)
        return settings
    except OSError as error:
        raise SettingsError(f"cannot read {place}: {error.strerror}; deploy writes it") from error
    except ValueError as error:
        raise SettingsError(f"{place}: {error}; correct the inventory's variables and deploy again") from error
