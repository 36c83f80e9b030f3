"""The other machine of a copy: a user of its own on a host, who may only append (scripts/offhost/recio-keep)."""

from __future__ import annotations

from pathlib import Path

from remote import Remote

__all__ = ["FOLDER", "KEEP", "install", "settings"]

KEEP = Path(__file__).resolve().parents[2] / "scripts/offhost/recio-keep"
FOLDER = "/srv/recio-keep"


def install(remote: Remote, public_keys: list[str]) -> None:
    """Make the user, the folder and the forced command; safe to repeat."""
    remote.out("id keeper >/dev/null 2>&1 || useradd --create-home --shell /bin/sh keeper")
    remote.out(f"install -d -o keeper -g keeper -m 700 {FOLDER} && install -d -m 755 ~keeper/.ssh")
    remote.out(f"cat >/usr/local/bin/recio-keep <<'END'\n{KEEP.read_text()}END\nchmod 755 /usr/local/bin/recio-keep")
    lines = "\n".join(f'restrict,command="/usr/local/bin/recio-keep {FOLDER}" {key}' for key in public_keys)
    remote.out(f"cat >~keeper/.ssh/authorized_keys <<'END'\n{lines}\nEND\nchmod 644 ~keeper/.ssh/authorized_keys")


def settings(remote: Remote, address: str) -> dict[str, str]:
    """The inventory's variables that lead there."""
    host_key = " ".join(remote.out("cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2])
    return {"backup_off_host_target": f"keeper@{address}:", "backup_off_host_host_key": host_key}
