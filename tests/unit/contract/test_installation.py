"""The installation's settings: unknown keys, absent files and unsafe combinations are refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from recio.contract.settings import SettingsError, load_settings

BASE: dict[str, Any] = {
    "mode": "simulated",
    "kalshi": {"rest_url": "http://127.0.0.1:8090/trade-api/v2", "ws_url": "ws://127.0.0.1:8090/x", "key_id": "k"},
    "coinbase": {"ws_url": "ws://127.0.0.1:8090/coinbase/ws", "rest_url": "http://127.0.0.1:8090/coinbase"},
    "series": ["KXBTCD"],
    "url": "https://desk",
}


def written(folder: Path, **changes: Any) -> str:
    path = folder / "settings.yml"
    path.write_text(yaml.safe_dump(BASE | changes))
    return str(path)


def test_a_good_file(tmp_path: Path) -> None:
    found = load_settings(written(tmp_path))
    assert found.mode == "simulated"
    assert found.user_id == "0001"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"modee": "demo"}, "modee"),
        ({"mode": "yolo"}, "yolo"),
        ({"mode": "live"}, "not there yet"),
        ({"mode": "paper"}, "not there yet"),
        ({"series": "KXBTCD"}, "series"),
        ({"kalshi": BASE["kalshi"] | {"rest_url": "https://external-api.kalshi.com/trade-api/v2"}}, "on this machine"),
        ({"mode": "demo"}, "demo exchange"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings(written(tmp_path, **changes))


def test_no_file_names_the_place_and_the_cure(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="deploy writes it"):
        load_settings(str(tmp_path / "none.yml"))


def test_no_key_names_the_place_and_the_cure(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="give one under Settings, Exchange"):
        load_settings(written(tmp_path, credentials_dir=str(tmp_path))).private_key()
