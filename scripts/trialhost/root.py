"""The bare Debian root: made once with mmdebstrap, kept in the cache, unpacked for each host."""

from __future__ import annotations

import hashlib
import shutil
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from trialhost import network, place
from trialhost.place import Host, TrialError
from trialhost.shell import free_gb, run

# What a fresh droplet has and nothing more: roles must bring PostgreSQL, cron, the proxy and all else themselves.
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "sudo", "iproute2",
    "ca-certificates", "tzdata", "procps",
)  # fmt: skip
NEEDED_GB = 5.0


def _sources() -> list[str]:
    return [
        f"deb {place.MIRROR} {place.SUITE} main",
        f"deb {place.MIRROR} {place.SUITE}-updates main",
        f"deb {place.SECURITY_MIRROR} {place.SUITE}-security main",
    ]


def recipe_hash() -> str:
    """Changes when the contents of the root would; names the file in the cache."""
    recipe = "\n".join([*PACKAGES, *_sources(), "minbase 2"])
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


def base_tar() -> Path:
    """The cached root as a tar file; made when absent (about half a minute)."""
    tar = place.cache_dir() / "roots" / f"{place.SUITE}-{recipe_hash()}.tar"
    if tar.exists():
        return tar
    check_mirror()
    tar.parent.mkdir(parents=True, exist_ok=True)
    partial = tar.with_suffix(".partial.tar")
    partial.unlink(missing_ok=True)
    print(f"making a bare Debian root with mmdebstrap -> {tar}", flush=True)
    run([
        "mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}",
        place.SUITE, str(partial), *_sources(),
    ])  # fmt: skip
    partial.replace(tar)
    return tar


def check_mirror() -> None:
    """This machine itself must reach the Debian mirror."""
    release = f"{place.MIRROR}/dists/{place.SUITE}/InRelease"
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
    if host.root.exists():
        return
    tar = base_tar()
    fresh = host.state / "root.partial"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    run(["tar", "--numeric-owner", "--xattrs", "-C", str(fresh), "-xpf", str(tar)])
    personalise(host, fresh)
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
    (etc / "systemd/network/10-host0.network").write_text(
        f"[Match]\nName=host0\n\n[Link]\nMTUBytes={network.mtu()}\n\n[Network]\nAddress={host.address}/24\nGateway={place.NET}.1\n"
        "LinkLocalAddressing=no\nIPv6AcceptRA=no\n",
        encoding="utf-8",
    )
    wants = etc / "systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    networkd = wants / "systemd-networkd.service"
    if not networkd.is_symlink():
        networkd.symlink_to("/lib/systemd/system/systemd-networkd.service")
    # nspawn's console is a log file here: a login prompt on it would only ask it questions.
    getty = etc / "systemd/system/console-getty.service"
    if not getty.is_symlink():
        getty.symlink_to("/dev/null")
    for old in (etc / "ssh").glob("ssh_host_*"):
        old.unlink()
    run(["chroot", str(root), "ssh-keygen", "-A"])


def remove(host: Host) -> None:
    """Delete the host's root; it must not be running."""
    if host.state.exists():
        shutil.rmtree(host.state)
