"""A trial host with a kernel of its own: QEMU, a disk image made from the root, a port on the bridge.

What only such a host can prove: control groups that hold a load, mounts, quotas, kernel settings, a reboot and a power cut.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from trialhost import place
from trialhost.place import Host
from trialhost.shell import run

CORES = 4
MEMORY_MB = 8192
DISK_GB = 24
LABEL = "recio-root"
# `max` of KVM sets registers that some nested machines refuse; the plain one is enough to see whether a guest runs at all.
ACCELERATORS = {"kvm": ("kvm", "host"), "tcg": ("tcg,thread=multi", "max")}
# An emulated processor starts a service in a minute that takes a second elsewhere.
PATIENCE = {
    "system.conf.d/trial.conf": "[Manager]\nDefaultTimeoutStartSec=600\n",
    "system/recio-.service.d/trial.conf": "[Service]\nTimeoutStartSec=900\nWatchdogSec=240\n",
}


def make_disk(host: Host) -> None:
    """Turn the host's root folder into a disk image whose file system knows quotas, and keep its kernel beside it."""
    kernel, initrd = (sorted((host.root / "boot").glob(f"{name}-*"))[-1] for name in ("vmlinuz", "initrd.img"))
    shutil.copyfile(kernel, host.state / "kernel")
    shutil.copyfile(initrd, host.state / "initrd")
    for folder in ("etc", "var"):  # nothing is to be built anew at the first boot, which takes minutes under emulation
        (host.root / folder / ".updated").touch()
    for file, text in PATIENCE.items():
        patience = host.root / "etc/systemd" / file
        patience.parent.mkdir(exist_ok=True)
        patience.write_text(text, encoding="utf-8")
    (host.root / "etc/fstab").write_text(f"LABEL={LABEL} / ext4 defaults,errors=remount-ro 0 1\n", encoding="utf-8")
    partial = host.disk.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    run([
        "mke2fs", "-q", "-t", "ext4", "-O", "quota,project", "-E", "nodiscard", "-L", LABEL,
        "-d", str(host.root), str(partial), f"{DISK_GB}G",
    ])  # fmt: skip
    partial.replace(host.disk)
    shutil.rmtree(host.root)


def accelerator(host: Host) -> str:
    """`kvm` where a guest really boots with it, else `tcg`, which emulates the processor and is about five times slower."""
    if not Path("/dev/kvm").exists():
        return "tcg"
    log = host.state / "kvm-try.log"
    log.unlink(missing_ok=True)
    words = [*command(host, "kvm", disk=False), "-no-reboot"]
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as guest:
        try:
            guest.wait(timeout=8)
        except subprocess.TimeoutExpired:
            guest.kill()
    said = log.read_bytes() if log.exists() else b""
    return "kvm" if b"Linux version" in said else "tcg"


def command(host: Host, how: str, *, disk: bool = True) -> list[str]:
    """QEMU's command line; without a disk only far enough to see the kernel speak."""
    accel, cpu = ACCELERATORS[how]
    words = [
        # it takes all the processor it gets: what else runs here goes first
        "nice", "-n", "10", "qemu-system-x86_64", "-name", host.machine,
        "-accel", accel, "-cpu", cpu, "-display", "none", "-monitor", "none",
        "-kernel", str(host.state / "kernel"), "-initrd", str(host.state / "initrd"),
    ]  # fmt: skip
    if not disk:
        return [
            *words,
            "-m",
            "512",
            "-serial",
            f"file:{host.state / 'kvm-try.log'}",
            "-append",
            "console=ttyS0",
            "-nic",
            "none",
        ]
    return [
        *words, "-smp", str(CORES), "-m", str(MEMORY_MB), "-serial", f"file:{host.folder / 'console.log'}",
        "-append", f"root=LABEL={LABEL} rw console=ttyS0",
        # no cache of this machine between the guest's fsync and its disk: a killed QEMU is a power cut
        "-drive", f"file={host.disk},if=virtio,format=raw,cache=none,discard=unmap",
        "-netdev", f"tap,id=lan,ifname={tap(host)},script=no,downscript=no", "-device", f"virtio-net-pci,netdev=lan,mac={mac(host)}",
    ]  # fmt: skip


def tap(host: Host) -> str:
    """The name of its port on the bridge: at most 15 characters, one a host."""
    return f"rvm{host.address.rpartition('.')[2]}"


def mac(host: Host) -> str:
    """A locally administered address that follows from the host's own."""
    return "52:54:00:" + ":".join(f"{int(part):02x}" for part in host.address.split(".")[1:])


def connect(host: Host) -> None:
    """Put the host's port on the bridge, as far as it is not there."""
    if run(["ip", "link", "show", "dev", tap(host)], check=False).returncode:
        run(["ip", "tuntap", "add", "dev", tap(host), "mode", "tap"])
    run(["ip", "link", "set", tap(host), "master", place.BRIDGE, "up"])


def disconnect(host: Host) -> None:
    """Take the port away; none there is fine."""
    run(["ip", "link", "delete", tap(host)], check=False)
