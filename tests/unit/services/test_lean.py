"""What the eleven workers do not carry: their memory is a figure of the contract, and one import is a megabyte in each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
NETWORK = set(yaml.safe_load((ROOT / "roles/app/vars/main.yml").read_text())["app_network_services"])
SPEAK_TLS = NETWORK - {"system_monitor"}  # which asks the program openssl for the certificate
CONTRACT = yaml.safe_load((ROOT / "roles/contract/defaults/main.yml").read_text())["contract"]
HEAVY = ("asyncio", "dataclasses", "inspect", "psycopg2.pool", "sqlalchemy", "typing_extensions", "yaml")
TLS_BRINGS = ("logging", "traceback")  # the libraries of who speaks to an exchange need them
# As the unit starts it, up to its first round, with the contract as the deploy writes it.
PROGRAM = """
import importlib, sys
import recio.services.__main__
importlib.import_module(f"recio.services.{sys.argv[1]}")
from recio.contract import parse
parse(sys.stdin.read())
print(*[name for name in sys.argv[2:] if name in sys.modules])
"""


@pytest.mark.parametrize("name", [name for name in CONTRACT["services"] if name != "main_app"])
def test_a_worker_does_not_carry(name: str) -> None:
    words = [sys.executable, "-c", PROGRAM, name, "ssl", *TLS_BRINGS, *HEAVY]
    done = subprocess.run(
        words, input=json.dumps(CONTRACT), capture_output=True, text=True, check=True, env={"PYTHONPATH": f"{ROOT}/app"}
    )
    assert done.stdout.split() == (["ssl", *TLS_BRINGS] if name in SPEAK_TLS else [])


def test_what_was_absent_can_be_imported_afterwards() -> None:
    program = (
        "import recio.services.lean, psycopg2.extras, msgspec, ssl, typing_extensions, logging;"
        " logging.getLogger('x').setLevel(logging.INFO); print(ssl.OPENSSL_VERSION)"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={"PYTHONPATH": f"{ROOT}/app"})
    assert "OpenSSL" in done.stdout
