"""The sizes docs/clouds.md names, against the contract's minima and the machines the request names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
CONTRACT = yaml.safe_load((PROJECT / "roles/contract/defaults/main.yml").read_text())["contract"]
HARDWARE = CONTRACT["hardware"]
TEXT = (PROJECT / "docs/clouds.md").read_text()
ROWS = re.findall(r"(?m)^\| ([\w ]+) \| ([\w.-]+) \| (\d+) \| (\d+) \| (taken|refused) \|", TEXT)


def test_every_machine_the_request_names_is_there() -> None:
    sizes = {size for _, size, *_ in ROWS}
    assert set(HARDWARE["cloud_examples"]) <= sizes
    asked = HARDWARE["cloud_minimum"]
    assert any((int(cores), int(memory)) == (asked["cores"], asked["memory_gb"]) for _, _, cores, memory, _ in ROWS)
    assert {hoster for hoster, *_ in ROWS} == {"DigitalOcean", "AWS", "Google Cloud", "Azure"}


@pytest.mark.parametrize(("hoster", "size", "cores", "memory", "verdict"), ROWS)
def test_the_verdict_is_the_contracts(hoster: str, size: str, cores: str, memory: str, verdict: str) -> None:
    fits = int(cores) >= HARDWARE["cores"]["minimum"] and int(memory) >= HARDWARE["memory_gb"]["minimum"]
    assert verdict == ("taken" if fits else "refused"), f"{size} of {hoster}"


def test_the_inventory_it_shows_is_one() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert [set(yaml.safe_load(block)["appliance"]["hosts"]["desk"]) for block in blocks] == [
        {"ansible_host", "ansible_user", "ansible_become"}
    ]
