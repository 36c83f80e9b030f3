"""The contract as the role holds it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from recio.contract import Contract, parse

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def contract() -> Contract:
    return parse(yaml.safe_dump(yaml.safe_load((PROJECT / "roles/contract/defaults/main.yml").read_text())["contract"]))
