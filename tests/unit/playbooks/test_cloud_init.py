"""What a fresh cloud machine is given: valid for the cloud-init of Debian 12 and 13, closed, and the same files site.yml writes."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(PROJECT / "scripts"))
import cloud_init  # noqa: E402 - of scripts/

SCHEMAS = Path(__file__).parent / "schemas"  # from Debian's packages cloud-init 22.4.2 and 25.1.4


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(cloud_init.TARGET.read_text())
    return loaded


def errors(data: dict[str, Any], debian: int) -> list[str]:
    schema = json.loads(gzip.decompress((SCHEMAS / f"cloud-config-debian{debian}.json.gz").read_bytes()))
    return [error.message for error in jsonschema.Draft4Validator(schema).iter_errors(data)]


@pytest.mark.parametrize("debian", [12, 13])
def test_it_is_valid(debian: int, data: dict[str, Any]) -> None:
    assert errors(data, debian) == []
    assert cloud_init.TARGET.read_text().startswith("#cloud-config\n")


@pytest.mark.parametrize("debian", [12, 13])
def test_the_schema_would_say_what_is_wrong(debian: int, data: dict[str, Any]) -> None:
    assert errors({**data, "ssh_pwauth": 7}, debian)
    assert errors({**data, "write_files": [{"content": "without a path"}]}, debian)


def test_it_is_what_its_script_writes() -> None:
    assert cloud_init.TARGET.read_text() == cloud_init.user_data(), "run scripts/cloud_init.py"


def test_nobody_comes_in_with_a_password(data: dict[str, Any]) -> None:
    assert data["ssh_pwauth"] is False and data["disable_root"] is True
    (admin,) = data["users"]
    assert admin["lock_passwd"] is True and admin["ssh_authorized_keys"] == ["SSH_PUBLIC_KEY"]
    assert not {"passwd", "plain_text_passwd", "hashed_passwd"} & set(admin)


def test_the_deploy_writes_each_of_its_files_so_that_none_stays_behind(data: dict[str, Any]) -> None:
    role = (PROJECT / "roles/security/tasks/main.yml").read_text()
    for file in data["write_files"]:
        assert f"path: {file['path']}" in role
    firewall = next(file["content"] for file in data["write_files"] if file["path"].endswith("firewall.nft"))
    assert "policy drop" in firewall and "tcp dport { 22 } accept" in firewall


def test_it_fits_what_hosters_take() -> None:
    assert len(cloud_init.TARGET.read_bytes()) < 16_384  # AWS takes 16 KiB, the others more
