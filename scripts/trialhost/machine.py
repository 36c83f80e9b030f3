"""Booting and stopping a trial host, on a machine that need not run systemd itself."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from trialhost import network, root, ssh, vm
from trialhost.place import VM, Host, TrialError

BOXED, OWN_KERNEL = True, False
BOOT_SECONDS = {BOXED: 90, OWN_KERNEL: 600}
# A process that was just made does not carry its own command line yet.
START_SECONDS = 5
STOP_SECONDS = {BOXED: 30, OWN_KERNEL: 120}


def running_pid(host: Host) -> int | None:
    """The process the host runs in; a number reused by another program does not count."""
    pid_file = host.state / "pid"
    if not pid_file.exists():
        return None
    pid = int(pid_file.read_text().strip() or 0)
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return None
    return pid if host.machine in words and str(host.state) in words else None


def start(host: Host) -> None:
    """Start the host in the background."""
    if not host.boxed:
        vm.connect(host)
        how = {vm.KVM: "QEMU with KVM", vm.UML: "user-mode Linux"}[vm.accelerator(host)]
        print(f"{host.name} boots with its own kernel ({how})", flush=True)
        command = vm.command(host)
    else:
        (host.root / "etc/resolv.conf").unlink(missing_ok=True)
        (host.root / "etc/resolv.conf").write_text(network.resolvers(), encoding="utf-8")
        ssh.let_in(host)
        command = container_command(host)
        if host.kind == VM:
            command = [*vm.boxed_on(host), *command]
    ssh.write_config(host)
    with (host.folder / "machine.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    (host.state / "pid").write_text(str(process.pid))


def container_command(host: Host) -> list[str]:
    """nspawn's command line.

    Its default capabilities and system calls suffice: nftables, LoadCredential, PrivateUsers and the whole sandbox of a hardened
    unit were tried in it. What does not work is the kernel's: auditd, global sysctls.
    """
    return [
        "systemd-nspawn", "--quiet", "--boot", f"--directory={host.root}", f"--machine={host.machine}",
        f"--hostname={host.name}", f"--network-bridge={network.place.BRIDGE}",
        # There may be no systemd here to register with or to make a scope.
        "--register=no", "--keep-unit", "--console=read-only", "--resolv-conf=off", "--timezone=off",
    ]  # fmt: skip


def wait_ready(host: Host) -> None:
    """Wait for a finished boot over SSH; degraded is reported, not refused: a deployed host may have its reasons."""
    deadline = time.monotonic() + BOOT_SECONDS[host.boxed]
    answer = "no answer by SSH"
    seen_s = time.monotonic()
    while time.monotonic() < deadline:
        if running_pid(host) is not None:
            seen_s = time.monotonic()
        elif time.monotonic() - seen_s > START_SECONDS:
            raise TrialError(f"{host.name} ended by itself: {_last_words(host)}")
        done = ssh.run(host, "systemctl is-system-running --wait", timeout_s=60 if host.boxed else 120)
        answer = done.stdout.strip() or done.stderr.strip() or answer
        if answer == "running":
            return
        if answer == "degraded":
            failed = ssh.run(host, "systemctl --failed --plain --no-legend").stdout.split("\n")
            print(f"warning: {host.name} is up, but failed there: {', '.join(u.split()[0] for u in failed if u)}")
            return
        time.sleep(0.5)
    raise TrialError(f"{host.name} did not come up in {BOOT_SECONDS[host.boxed]} s ({answer}): see {host.folder}/*.log")


def check_way_out(host: Host, url: str) -> None:
    """The host must reach its Debian mirror, or the first role fails with a riddle."""
    probe = f"import urllib.request as u; u.urlopen({url!r}, timeout=15).close()"
    done = ssh.run(host, f'python3 -c "{probe}"', timeout_s=40)
    if done.returncode:
        root.check_mirror(host.suite)
        words = done.stderr.strip().splitlines()[-1:] or ["no answer"]
        raise TrialError(
            f"{host.name} cannot reach {url} ({words[0]}) though this machine can: a firewall here drops forwarded "
            f"packets; allow forwarding from and to {network.place.BRIDGE}"
        )


def _last_words(host: Host) -> str:
    log = (host.folder / "machine.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " | ".join(log[-3:])


def stop(host: Host) -> None:
    """Shut the host down in order; after half a minute without."""
    pid = running_pid(host)
    if pid is not None:
        if not host.boxed:
            ssh.run(host, "systemctl poweroff", timeout_s=20)
        else:
            os.kill(pid, signal.SIGTERM)  # nspawn passes it on as a request to power off
        if not _gone(host, STOP_SECONDS[host.boxed]):
            cut(host)
    ssh.close_master(host)
    if not host.boxed:
        vm.disconnect(host)
    (host.state / "pid").unlink(missing_ok=True)


def give_kernel(host: Host) -> None:
    """Stop a virtual machine that runs as a container, turn its root into a disk and boot that with a kernel of its own."""
    stop(host)
    vm.make_disk(host)
    host.save()  # whose kernel it runs on is another one now
    start(host)


def cut(host: Host) -> None:
    """Take its power away: nothing in it hears of it."""
    pid = running_pid(host)
    if pid is not None:
        if host.boxed:  # with its first process the kernel ends all of them; nspawn's own death would leave them alive
            for inner in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                os.kill(int(inner), signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
        else:
            os.killpg(pid, signal.SIGKILL)  # user-mode Linux is as many processes as its guest has
        _gone(host, 5)


def _gone(host: Host, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if running_pid(host) is None:
            return True
        time.sleep(0.2)
    return False
