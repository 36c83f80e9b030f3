"""What this installation is: its mode, its exchange and its address. Rendered to /etc/recio/settings.yml by the deploy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec
import yaml

__all__ = ["DEFAULT_PATH", "Coinbase", "Kalshi", "Mode", "Settings", "SettingsError", "load_settings"]

DEFAULT_PATH = "/etc/recio/settings.yml"
Mode = Literal["simulated", "paper", "demo", "live"]


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
                f"no Kalshi private key at {path} ({error.strerror}); the unit needs LoadCredential=kalshi_private_key"
            ) from error


def load_settings(path: str | None = None) -> Settings:
    """Read and validate the settings; ``path`` or RECIO_SETTINGS or /etc/recio/settings.yml."""
    place = Path(path or os.environ.get("RECIO_SETTINGS", DEFAULT_PATH))
    try:
        raw = yaml.load(place.read_text(), yaml.CSafeLoader)
        return msgspec.convert(raw, Settings)
    except OSError as error:
        raise SettingsError(f"cannot read {place}: {error.strerror}; deploy writes it") from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise SettingsError(f"{place}: {error}; correct the inventory's variables and deploy again") from error
