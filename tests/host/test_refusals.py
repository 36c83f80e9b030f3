"""Preflight against the real host with several things wrong at once: each is named with its cure, and nothing is changed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from remote import Remote

PROJECT = Path(__file__).resolve().parents[2]
AUTHORITY = "/var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt"
BREAK = {
    "a cluster of somebody else": "install -d /etc/postgresql/14/other",
    "half a line in fstab": "cp -p /etc/fstab /run/fstab.kept && printf 'UUID=0b1c /srv ex' >>/etc/fstab",
    "half a certificate": f"cp -p {AUTHORITY} /run/root.crt.kept && truncate --size=200 {AUTHORITY}",
    "/opt read-only": "mount --bind /opt /opt && mount -o remount,ro,bind /opt",
}
MEND = {
    "a cluster of somebody else": "rmdir /etc/postgresql/14/other /etc/postgresql/14",
    "half a line in fstab": "cp -p /run/fstab.kept /etc/fstab && rm /run/fstab.kept",
    "half a certificate": f"cp -p /run/root.crt.kept {AUTHORITY} && rm /run/root.crt.kept",
    "/opt read-only": "umount /opt",
}


@pytest.fixture
def broken(remote: Remote) -> Iterator[None]:
    """The host with all of it wrong; whole again afterwards."""
    done = []
    try:
        for what, command in BREAK.items():
            remote.out(command)
            done.append(what)
        yield
    finally:
        for what in reversed(done):
            remote.out(MEND[what])


def test_a_host_in_disorder_is_refused_with_every_cure_before_anything_is_changed(
    facts: dict[str, str], remote: Remote, broken: None
) -> None:
    before = remote.out("stat -c '%n %Z' /etc/fstab /etc/recio/contract.yml /var/lib/recio/deploy/deployed")
    done = subprocess.run(
        [str(PROJECT / ".venv/bin/ansible-playbook"), "-i", "inventory/trial", "playbooks/preflight.yml"],
        cwd=PROJECT,
        env={**os.environ, "RECIO_TRIAL_NAME": facts["host"], "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 2, said
    for words in (
        "cluster 14/other, which this product did not make",
        "/etc/fstab is not one the host can boot with",
        f"{AUTHORITY} is no certificate",
        "/opt cannot be written: mounted read-only",
    ):
        assert words in said, said
    assert "changed=0" in said
    assert remote.out("stat -c '%n %Z' /etc/fstab /etc/recio/contract.yml /var/lib/recio/deploy/deployed") == before
