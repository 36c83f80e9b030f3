"""The bare Debian root: made once with mmdebstrap, kept in the cache, unpacked for each host."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from trialhost import network, place, vm
from trialhost.place import Host, TrialError
from trialhost.shell import free_gb, machine_lock, run

# What a fresh droplet has and nothing more: roles must bring PostgreSQL, cron, the proxy and all else themselves.
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "sudo", "iproute2",
    "ca-certificates", "tzdata", "procps",
)  # fmt: skip
# A machine of its own has a kernel. Packages install slowly in user-mode Linux, so what the roles would bring is
# in its root already (`packages` of roles/host, read from there); that they bring it themselves is the container's proof.
KERNEL = ("linux-image-cloud-amd64", "udev", "kmod", "e2fsprogs")
LOADERS = ("stress-ng", "quota")
HOST_PACKAGES = place.PROJECT / "roles/host/defaults/main.yml"
NEEDED_GB = 5.0


def _sources(suite: str) -> list[str]:
    return [
        f"deb {place.MIRROR} {suite} main",
        f"deb {place.MIRROR} {suite}-updates main",
        f"deb {place.SECURITY_MIRROR} {suite}-security main",
    ]


def _role_packages() -> list[str]:
    """`host_packages` of the role: a plain list, read without a YAML library (standard library only)."""
    lines = HOST_PACKAGES.read_text(encoding="utf-8").splitlines()
    start = lines.index("host_packages:") + 1
    listed = itertools.takewhile(lambda line: line.startswith("  "), lines[start:])
    return [line.removeprefix("  - ") for line in listed if line.startswith("  - ")]


def packages(kind: str) -> list[str]:
    """What the root of a kind of host holds."""
    return [*PACKAGES] if kind == place.CONTAINER else [*PACKAGES, *KERNEL, *LOADERS, *_role_packages()]


def _hooks(kind: str) -> list[str]:
    if kind == place.CONTAINER:
        return []
    etc = '"$1/etc'
    return [
        # The cluster is to be made by the play, under the play's settings.
        f'--setup-hook=mkdir -p {etc}/postgresql-common"; echo "create_main_cluster = false" >{etc}/postgresql-common/createcluster.conf"',
        f'--customize-hook=rm {etc}/postgresql-common/createcluster.conf"',
        # A file system with quotas is not mounted by a kernel that lacks their module.
        f'--customize-hook=printf "quota_v2\\nquota_tree\\n" >>{etc}/initramfs-tools/modules"',
        '--customize-hook=chroot "$1" update-initramfs -u',
    ]


def recipe_hash(kind: str) -> str:
    """Changes when the contents of the root would; names the file in the cache."""
    recipe = "\n".join([*packages(kind), *_sources(place.SUITES[kind]), *_hooks(kind), "minbase 2"])
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


def base_tar(kind: str) -> Path:
    """The cached root as a tar file; made when absent (half a minute; a machine's about two)."""
    suite = place.SUITES[kind]
    tar = place.cache_dir() / "roots" / f"{suite}-{recipe_hash(kind)}.tar"
    if tar.exists():
        return tar
    check_mirror(suite)
    tar.parent.mkdir(parents=True, exist_ok=True)
    partial = tar.with_suffix(".partial.tar")
    with machine_lock(f"lock-{suite}"):
        if not tar.exists():
            _make(kind, tar, partial)
    return tar


def _make(kind: str, tar: Path, partial: Path) -> None:
    suite = place.SUITES[kind]
    partial.unlink(missing_ok=True)
    print(f"making a bare Debian root with mmdebstrap -> {tar}", flush=True)
    run([
        "mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages(kind))}", *_hooks(kind),
        suite, str(partial), *_sources(suite),
    ])  # fmt: skip
    partial.replace(tar)


def check_mirror(suite: str) -> None:
    """This machine itself must reach the Debian mirror."""
    release = f"{place.MIRROR}/dists/{suite}/InRelease"
    try:
        urllib.request.urlopen(release, timeout=15).close()  # noqa: S310 (the operator's own mirror)
    except (urllib.error.URLError, OSError) as error:
        raise TrialError(
            f"no answer from the Debian mirror ({release}: {error}): check the network, "
            "or name another mirror with RECIO_DEBIAN_MIRROR=http://…"
        ) from error


def check_space() -> None:
    """A host with PostgreSQL, three releases and logs needs room."""
    for folder in (place.STATE, place.cache_dir(), place.BUILD):
        free = free_gb(folder)
        if free < NEEDED_GB:
            raise TrialError(
                f"{folder} has {free:.1f} GB free and a trial host needs {NEEDED_GB:.0f} GB: make room there, "
                "or move it with RECIO_TRIAL_STATE (roots) or XDG_CACHE_HOME (cache)"
            )


def unpack(host: Host) -> None:
    """Give the host its own root; a root half-made by an interrupted run is thrown away first."""
    if host.disk.exists() or host.root.exists():
        return
    tar = base_tar(host.kind)
    fresh = host.state / "root.partial"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    run(["tar", "--numeric-owner", "--xattrs", "-C", str(fresh), "-xpf", str(tar)])
    personalise(host, fresh)
    shutil.rmtree(host.root, ignore_errors=True)
    fresh.replace(host.root)


def personalise(host: Host, root: Path) -> None:
    """Everything that must differ between hosts made from one root."""
    etc = root / "etc"
    (etc / "machine-id").unlink(missing_ok=True)
    (etc / "machine-id").write_text(uuid.uuid4().hex + "\n", encoding="utf-8")
    (etc / "hostname").write_text(host.name + "\n", encoding="utf-8")
    (etc / "hosts").write_text(
        f"127.0.0.1 localhost\n127.0.1.1 {host.name}\n::1 localhost ip6-localhost ip6-loopback\n", encoding="utf-8"
    )
    (etc / "systemd/network/10-trial.network").write_text(
        f"[Match]\nName=host0 en* eth* vec*\n\n[Link]\nMTUBytes={network.mtu()}\n\n"
        f"[Network]\nAddress={host.address}/24\nGateway={place.NET}.1\n"
        "LinkLocalAddressing=no\nIPv6AcceptRA=no\n",
        encoding="utf-8",
    )
    wants = etc / "systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    networkd = wants / "systemd-networkd.service"
    if not networkd.is_symlink():
        networkd.symlink_to("/lib/systemd/system/systemd-networkd.service")
    # The console is a log file here: a login prompt on it would only ask it questions.
    for unit in ("console-getty.service", "serial-getty@ttyS0.service"):
        getty = etc / "systemd/system" / unit
        if not getty.is_symlink():
            getty.symlink_to("/dev/null")
    (etc / "resolv.conf").unlink(missing_ok=True)
    (etc / "resolv.conf").write_text(network.resolvers(), encoding="utf-8")
    for old in (etc / "ssh").glob("ssh_host_*"):
        old.unlink()
    run(["chroot", str(root), "ssh-keygen", "-A"])
    if host.kind == place.VM:
        vm.give_patience(root)


def remove(host: Host) -> None:
    """Delete the host's root; it must not be running."""
    if host.state.exists():
        shutil.rmtree(host.state)
