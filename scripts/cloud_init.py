#!/usr/bin/env python3
"""Write inventory/cloud-init.yml: what a fresh machine at a hoster is given, made of the same files site.yml will write.

So a machine is as closed from its first minute as after the deploy, and the deploy finds nothing to take away.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jinja2
import yaml

PROJECT = Path(__file__).resolve().parents[1]
TARGET = PROJECT / "inventory" / "cloud-init.yml"
HEAD = """#cloud-config
# User data for a fresh Debian 12 or 13 or Ubuntu 24.04 at any hoster: ready for site.yml, and closed until it comes.
# Put your public key where SSH_PUBLIC_KEY stands. In the inventory then: ansible_user: admin, ansible_become: true.
# Written by scripts/cloud_init.py from the templates of roles/security; a test holds the two together.
"""
FILES = {
    "/etc/recio/firewall.nft": ("firewall.nft.j2", "0644"),
    "/etc/systemd/system/recio-firewall.service": ("recio-firewall.service.j2", "0644"),
    "/etc/ssh/sshd_config.d/40-recio.conf": ("sshd.conf.j2", "0600"),
    "/etc/apt/apt.conf.d/52recio": ("apt.conf.j2", "0644"),
}


def rendered(template: str) -> str:
    """A template of the security role for a fresh machine: SSH on 22, nothing extra."""
    contract = yaml.safe_load((PROJECT / "roles/contract/defaults/main.yml").read_text(encoding="utf-8"))["contract"]
    environment = jinja2.Environment(  # noqa: S701 - these are no web pages
        loader=jinja2.FileSystemLoader(PROJECT / "roles/security/templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    facts = {"recio": {"ssh_ports": [22]}}
    return environment.get_template(template).render(
        ansible_facts=facts, security_extra_tcp_ports=[], contract=contract
    )


class Text(str):
    """Written as a block, so that people can read it."""


def block(dumper: yaml.SafeDumper, text: Text) -> yaml.ScalarNode:
    """The YAML of a Text."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")


class Dumper(yaml.SafeDumper):
    """A SafeDumper that knows Text."""


Dumper.add_representer(Text, block)


def user_data() -> str:
    """The whole file."""
    data = {
        "package_update": True,
        "package_upgrade": True,
        "packages": ["python3", "nftables", "sudo", "unattended-upgrades"],
        "users": [
            {
                "name": "admin",
                "gecos": "operator of the desk",
                "shell": "/bin/bash",
                "lock_passwd": True,
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "ssh_authorized_keys": ["SSH_PUBLIC_KEY"],
            }
        ],
        "ssh_pwauth": False,
        "disable_root": True,
        "write_files": [
            {"path": path, "permissions": mode, "content": Text(rendered(template))}
            for path, (template, mode) in FILES.items()
        ],
        "runcmd": [
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", "--now", "recio-firewall.service"],
            ["systemctl", "try-reload-or-restart", "ssh.service"],
        ],
    }
    return HEAD + yaml.dump(data, Dumper=Dumper, sort_keys=False, width=130)


def main() -> int:
    """Write it."""
    TARGET.write_text(user_data(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
