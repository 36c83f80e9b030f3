"""A trial host with a kernel of its own: a disk image made from the root, a port on the bridge, and QEMU or Linux as a process.

What only such a host can prove: control groups that hold a load, mounts, quotas, kernel settings, a reboot and a power cut.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from trialhost import place
from trialhost.place import Host
from trialhost.shell import need, run

CORES = 4
MEMORY_MB = 8192
DISK_GB = 24
LABEL = "recio-root"
KVM, UML = "kvm", "uml"
# User-mode Linux: the whole kernel as one process of this machine (one processor, no nftables; Debian's package `user-mode-linux`).
UML_PROGRAM, UML_MODULES = "linux.uml", Path("/usr/lib/uml/modules")
# It makes a process of this machine for each of the guest's and traces it: what starts in a second elsewhere takes five.
PATIENCE = {
    "system.conf.d/trial.conf": "[Manager]\nDefaultTimeoutStartSec=600\n",
    "system/recio-.service.d/trial.conf": "[Service]\nTimeoutStartSec=300\nWatchdogSec=120\n",
}


def give_patience(root: Path) -> None:
    """Longer times for systemd, before anything is deployed: what comes later would rightly be a file that no deploy knows."""
    for file, text in PATIENCE.items():
        patience = root / "etc/systemd" / file
        patience.parent.mkdir(parents=True, exist_ok=True)
        patience.write_text(text, encoding="utf-8")


def make_disk(host: Host) -> None:
    """Turn the host's root folder into a disk image whose file system knows quotas, and keep its kernel beside it."""
    if accelerator(host) == UML:
        _give_modules(host)
    for folder in ("etc", "var"):  # nothing is to be built anew at the first boot, which takes minutes
        (host.root / folder / ".updated").touch()
    (host.root / "etc/fstab").write_text(f"LABEL={LABEL} / ext4 defaults,errors=remount-ro 0 1\n", encoding="utf-8")
    partial = host.disk.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    run([
        "mke2fs", "-q", "-t", "ext4", "-O", "quota,project", "-E", "nodiscard", "-L", LABEL,
        "-d", str(host.root), str(partial), f"{DISK_GB}G",
    ])  # fmt: skip
    partial.replace(host.disk)
    shutil.rmtree(host.root)


def _give_modules(host: Host) -> None:
    """The modules of user-mode Linux, and an initial root with the file system's own: they belong to its kernel, not to Debian's."""
    need(UML_PROGRAM, purpose="machine")
    (modules,) = UML_MODULES.iterdir()
    shutil.copytree(modules, host.root / "usr/lib/modules" / modules.name, symlinks=True, dirs_exist_ok=True)
    run(["chroot", str(host.root), "depmod", modules.name])
    run(["chroot", str(host.root), "update-initramfs", "-c", "-k", modules.name])
    shutil.move(host.root / "boot" / f"initrd.img-{modules.name}", host.state / "initrd")
    run(["chroot", str(host.root), "systemctl", "--quiet", "disable", "recio-firewall.service"])  # no nftables for IP


def accelerator(host: Host) -> str:
    """`kvm` where a guest's kernel really speaks with it, else `uml`; found once a host.

    Some machines have /dev/kvm and stop in the middle of the kernel's decompression: only what is on the console counts.
    """
    if not host.accelerator.exists():
        for name, kept in (("vmlinuz", "kernel"), ("initrd.img", "initrd")):
            shutil.copyfile(sorted((host.root / "boot").glob(f"{name}-*"))[-1], host.state / kept)
        how = KVM if Path("/dev/kvm").exists() and _kvm_speaks(host) else UML
        host.accelerator.write_text(how, encoding="utf-8")
    return host.accelerator.read_text(encoding="utf-8")


def _kvm_speaks(host: Host) -> bool:
    need("qemu-system-x86_64", purpose="machine")
    log = host.state / "kvm-try.log"
    log.unlink(missing_ok=True)
    words = [
        *_qemu(host), "-m", "512", "-serial", f"file:{log}", "-append", "console=ttyS0", "-nic", "none", "-no-reboot",
    ]  # fmt: skip
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as guest:
        try:
            guest.wait(timeout=8)
        except subprocess.TimeoutExpired:
            guest.kill()
    return log.exists() and b"Linux version" in log.read_bytes()


def _qemu(host: Host) -> list[str]:
    return [
        "qemu-system-x86_64", "-name", host.machine, "-accel", "kvm", "-cpu", "host", "-display", "none", "-monitor", "none",
        "-kernel", str(host.state / "kernel"), "-initrd", str(host.state / "initrd"),
    ]  # fmt: skip


def boxed_on(host: Host) -> list[str]:
    """What a virtual machine's container is started with, so that its units are written for the processors it will have."""
    return ["taskset", "--cpu-list", "0"] if accelerator(host) == UML else []


def command(host: Host) -> list[str]:
    """The command line that runs it; killed, either loses what the guest's fsync did not bring to the disk image."""
    if accelerator(host) == UML:
        return [
            UML_PROGRAM, f"umid={host.machine}", f"mem={MEMORY_MB}M", f"ubd0={host.disk}", f"initrd={host.state / 'initrd'}",
            "root=/dev/ubda", "rw", f"vec0:transport=tap,ifname={tap(host)},mac={mac(host)},depth=128,gro=1",
            # a reboot within the process would keep its network port taken: it ends, and whoever runs it starts it again
            "noreboot", "con=null", "con0=null,fd:1", "ssl=null",
        ]  # fmt: skip
    return [
        *_qemu(host), "-smp", str(CORES), "-m", str(MEMORY_MB), "-serial", f"file:{host.folder / 'console.log'}",
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
