"""Reaching a trial host: a key per host, its host keys known beforehand, one shared connection."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from trialhost.place import SOCKETS, Host
from trialhost.shell import run as run_here


def let_in(host: Host) -> None:
    """Make the key, let it into the host's root, and note the host's own keys."""
    host.folder.mkdir(parents=True, exist_ok=True)
    key = _key(host)
    if not key.exists():
        run_here(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"recio-{host.name}", "-f", str(key)])
    allowed = host.root / "root/.ssh/authorized_keys"
    allowed.parent.mkdir(mode=0o700, exist_ok=True)
    public = key.with_suffix(".pub").read_text(encoding="utf-8")
    if not allowed.exists() or public not in allowed.read_text(encoding="utf-8"):
        with allowed.open("a", encoding="utf-8") as file:
            file.write(public)
    allowed.chmod(0o600)
    host_keys = sorted((host.root / "etc/ssh").glob("ssh_host_*_key.pub"))
    known = "".join(f"{host.name},{host.address} {path.read_text(encoding='utf-8')}" for path in host_keys)
    (host.folder / "known_hosts").write_text(known, encoding="utf-8")


def _key(host: Host) -> Path:
    return host.folder / "id_ed25519"


def write_config(host: Host) -> None:
    """Write the ssh_config that reaches the host."""
    SOCKETS.mkdir(mode=0o700, exist_ok=True)
    # The socket's path must stay under 108 characters, whatever the clone's path is.
    socket = SOCKETS / hashlib.sha256(str(host.folder).encode()).hexdigest()[:16]
    host.ssh_config.write_text(
        f"""Host {host.name} {host.address}
    HostName {host.address}
    User root
    IdentityFile {_key(host)}
    IdentitiesOnly yes
    UserKnownHostsFile {host.folder / "known_hosts"}
    StrictHostKeyChecking yes
    ConnectTimeout 5
    ServerAliveInterval 15
    ControlMaster auto
    ControlPath {socket}
    ControlPersist 60
    LogLevel ERROR
""",
        encoding="utf-8",
    )


def run(host: Host, command: str, timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
    """Run one command line on the host; never raises for a refused or lost connection."""
    words = ["ssh", "-F", str(host.ssh_config), "-o", "BatchMode=yes", host.name, command]
    try:
        return subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 255, "", f"no answer in {timeout_s:.0f} s")


def close_master(host: Host) -> None:
    """End the shared connection, so that no ssh process stays behind."""
    if host.ssh_config.exists():
        run_here(["ssh", "-F", str(host.ssh_config), "-O", "exit", host.name], check=False)
