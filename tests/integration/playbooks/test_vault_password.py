"""A vault password that is wrong stops the play at its variables: no host has been looked at yet, let alone changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent


def test_a_wrong_vault_password_is_refused_before_the_host_is_looked_at(tmp_path: Path) -> None:
    for name in ("right", "wrong"):
        (tmp_path / name).write_text(f"{name}-password\n")
    hidden = subprocess.run(
        [BIN / "ansible-vault", "encrypt_string", "--vault-password-file", tmp_path / "right", "--name", "app_kalshi_key_id", "abc"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "appliance.yml").write_text(hidden)
    # An address nobody answers at: a play that got as far as the host would say "unreachable".
    (tmp_path / "hosts.yml").write_text("appliance: {hosts: {nowhere: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    done = subprocess.run(
        [BIN / "ansible-playbook", "-i", tmp_path / "hosts.yml", "--vault-password-file", tmp_path / "wrong", "playbooks/preflight.yml"],
        cwd=PROJECT, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Decryption failed (no vault secrets were found that could decrypt)" in said
    assert "group_vars/appliance.yml" in said, "it says which variable's file"
    assert "unreachable=0" in said
    assert "Look at the host" not in said
