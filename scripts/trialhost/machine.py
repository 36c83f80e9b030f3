"""Booting and stopping a trial host with systemd-nspawn, on a machine that need not run systemd itself."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from trialhost import network, root, ssh
from trialhost.place import Host, TrialError

BOOT_SECONDS = 90
STOP_SECONDS = 30


def nspawn_pid(host: Host) -> int | None:
    """The running nspawn process of the host; a number reused by another program does not count."""
    pid_file = host.state / "pid"
    if not pid_file.exists():
        return None
    pid = int(pid_file.read_text().strip() or 0)
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    return pid if f"--directory={host.root}".encode() in words else None


def boot(host: Host) -> None:
    """Start the host in the background and wait until systemd and SSH are ready."""
    (host.root / "etc/resolv.conf").unlink(missing_ok=True)
    (host.root / "etc/resolv.conf").write_text(network.resolvers(), encoding="utf-8")
    ssh.write_access(host)
    # nspawn's default capabilities and system calls suffice: nftables, LoadCredential, PrivateUsers and the whole
    # sandbox of a hardened unit were tried in it. What does not work is the kernel's: auditd, global sysctls.
    command = [
        "systemd-nspawn", "--quiet", "--boot", f"--directory={host.root}", f"--machine={host.machine}",
        f"--hostname={host.name}", f"--network-bridge={network.place.BRIDGE}",
        # There may be no systemd here to register with or to make a scope.
        "--register=no", "--keep-unit", "--console=read-only", "--resolv-conf=off", "--timezone=off",
    ]  # fmt: skip
    with (host.folder / "console.log").open("ab") as console:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
        )
    (host.state / "pid").write_text(str(process.pid))
    wait_ready(host, process)


def wait_ready(host: Host, process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait for a finished boot over SSH; degraded is reported, not refused: a deployed host may have its reasons."""
    deadline = time.monotonic() + BOOT_SECONDS
    answer = "no answer by SSH"
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise TrialError(f"systemd-nspawn ended at once with {process.returncode}: {_last_words(host)}")
        done = ssh.run(host, "systemctl is-system-running --wait", timeout_s=60)
        answer = done.stdout.strip() or done.stderr.strip() or answer
        if answer == "running":
            return
        if answer == "degraded":
            failed = ssh.run(host, "systemctl --failed --plain --no-legend").stdout.split("\n")
            print(f"warning: {host.name} is up, but failed there: {', '.join(u.split()[0] for u in failed if u)}")
            return
        time.sleep(0.5)
    raise TrialError(f"{host.name} did not come up in {BOOT_SECONDS} s ({answer}): see {host.folder / 'console.log'}")


def check_way_out(host: Host, url: str) -> None:
    """The host must reach its Debian mirror, or the first role fails with a riddle."""
    probe = f"import urllib.request as u; u.urlopen({url!r}, timeout=15).close()"
    done = ssh.run(host, f'python3 -c "{probe}"', timeout_s=40)
    if done.returncode:
        root.check_mirror()
        words = done.stderr.strip().splitlines()[-1:] or ["no answer"]
        raise TrialError(
            f"{host.name} cannot reach {url} ({words[0]}) though this machine can: a firewall here drops forwarded "
            f"packets; allow forwarding from and to {network.place.BRIDGE}"
        )


def _last_words(host: Host) -> str:
    log = (host.folder / "console.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " | ".join(log[-3:])


def stop(host: Host) -> None:
    """Shut the host down in order; after half a minute without."""
    ssh.close_master(host)
    pid = nspawn_pid(host)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)  # nspawn passes it on as a request to power off
        if not _gone(host, STOP_SECONDS):
            os.kill(pid, signal.SIGKILL)
            _gone(host, 5)
    (host.state / "pid").unlink(missing_ok=True)


def _gone(host: Host, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if nspawn_pid(host) is None:
            return True
        time.sleep(0.2)
    return False
