"""What doctor asks of the machine itself: disk, clock, names, rights of files, units, certificate, updates, privileged files."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from recio.contract import Contract
from recio.contract.settings import Settings
from recio.monitoring import audit, updates
from recio.monitoring.certificate import NotServedError, judge, served, server_name
from recio.monitoring.exchange_keys import settings_path
from recio.monitoring.host import measure

__all__ = [
    "Finding", "certificate", "clock", "disk", "misplaced", "names", "open_to_others", "privileged_files", "resolves",
    "rights", "security_updates", "units", "wrong_units",
]  # fmt: skip

Finding = tuple[bool, str, str]  # well?, what was found, the cure
# What must come back by itself when the machine starts. The services are the target's, and one that is ill has its own line.
_AT_BOOT = ("recio.target", "caddy.service", "postgresql.service", "cron.service")
_OWN_DROP_INS = frozenset({"mode.conf"})


def disk(contract: Contract, _settings: Settings) -> Finding:
    """Space and inodes."""
    found, limit = measure(), contract.thresholds["disk"]
    inodes = found.detail.get("inodes_percent")
    told = f"disk {found.disk_percent:.0f} % full" + (
        "" if inodes is None else f", {inodes:.0f} % of its inodes in use"
    )
    return max(found.disk_percent, inodes or 0.0) < limit.warning, told, limit.action


def clock(_contract: Contract, _settings: Settings) -> Finding:
    """Kept by somebody."""
    if Path("/run/systemd/container").exists():
        return True, "clock: a container's, kept by its host", ""
    done = subprocess.run(  # noqa: S603
        [shutil.which("timedatectl") or "timedatectl", "show", "-p", "NTPSynchronized", "--value"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    well = done.stdout.strip() == "yes"
    return well, f"clock {'synchronised' if well else 'not synchronised'}", "systemctl restart systemd-timesyncd chrony"


def names(_contract: Contract, settings: Settings) -> Finding:
    """Every name the mode's exchange and price feed are reached by."""
    if settings.mode == "simulated":
        return True, "names: none is needed, the exchange of mode simulated is on this machine", ""
    if os.environ.get("RECIO_OFFLINE"):  # a diagnostics archive is made in a unit that may not leave this machine
        return True, "names: not asked here, where no network is; `recio doctor` in a shell asks", ""
    urls = (settings.kalshi.rest_url, settings.kalshi.ws_url, settings.coinbase.rest_url, settings.coinbase.ws_url)
    hosts = sorted({urlsplit(url).hostname or url for url in urls})
    wrong = [why for host in hosts if (why := resolves(host))]
    cure = "resolvectl status; cat /etc/resolv.conf; the provider's resolvers must answer on port 53"
    return not wrong, f"names: {'; '.join(wrong) or ', '.join(hosts) + ' resolve'}", cure


def resolves(host: str) -> str:
    """Why a name leads nowhere an exchange could be; empty when it does."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as failure:
        return f"{host} does not resolve ({failure})"
    odd = sorted(address for address in found if not ipaddress.ip_address(address.partition("%")[0]).is_global)
    return f"{host} leads to {', '.join(odd)}, which is not on the internet" if odd else ""


def rights(contract: Contract, _settings: Settings) -> Finding:
    """Keys are root's alone; nobody but root can change the configuration."""
    keys, configuration = Path(contract.directories["credentials"].path), settings_path().parent
    try:
        wrong = [*open_to_others(keys), *misplaced(configuration, keys)]
    except PermissionError as refused:
        return False, f"rights of files: not known, {refused.filename} cannot be read", "run recio doctor as root"
    shown = "; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
    cure = f"chown -R root:root {keys} && chmod -R go-rwx {keys}; chown root:root and chmod go-w the others"
    return (
        not wrong,
        f"rights of files: {shown or 'only root reads the keys, only root changes the configuration'}",
        cure,
    )


def open_to_others(keys: Path, owner: int = 0) -> Iterator[str]:
    """Folders and files of ``keys`` that others may read (but for public parts), or that are not ``owner``'s."""
    if not keys.is_dir():
        yield f"{keys} is not there"
        return
    for path in (keys, *sorted(keys.rglob("*"))):
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            continue
        public = path.suffix == ".pub" or "public" in path.name or path.name == "key_id"
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid != owner:
            yield f"{path} belongs to user {found.st_uid}"
        elif mode & (0o022 if public and path.is_file() else 0o077):
            yield f"{path} is open to others (mode {mode:o})"


def misplaced(configuration: Path, keys: Path, owner: int = 0) -> Iterator[str]:
    """What of the configuration somebody else than ``owner`` could change. ``keys`` has its own rule."""
    for path in (configuration, *sorted(configuration.rglob("*"))):
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode) or path == keys or keys in path.parents:
            continue
        if found.st_uid != owner or stat.S_IMODE(found.st_mode) & 0o022:
            yield f"{path} can be changed by others (user {found.st_uid}, mode {stat.S_IMODE(found.st_mode):o})"


def units(contract: Contract, _settings: Settings) -> Finding:
    """Nothing failed, everything comes back at boot, and every unit runs as the deploy wrote it."""
    cure = "systemctl --failed; systemctl enable UNIT; systemctl daemon-reload; a drop-in of your own: systemctl revert UNIT"
    wanted = [*_AT_BOOT, *(f"recio-{name}.service" for name in contract.services)]
    properties = "Id,LoadState,UnitFileState,NeedDaemonReload,DropInPaths"
    shown = _systemctl("show", f"--property={properties}", *wanted)
    failed = _systemctl("list-units", "--failed", "--plain", "--no-legend", "--no-pager")
    if shown is None or failed is None:
        return False, "units: systemd does not answer", "systemctl status"
    wrong = [f"{line.split()[0]} failed" for line in failed.splitlines() if line.strip()] + list(wrong_units(shown))
    return not wrong, f"units: {'; '.join(wrong) or 'none failed, all as the deploy wrote them'}", cure


def wrong_units(shown: str) -> Iterator[str]:
    """From `systemctl show`: units that are not there, do not start at boot, or differ from what the deploy wrote."""
    for block in shown.strip().split("\n\n"):
        said = dict(line.partition("=")[::2] for line in block.splitlines())
        name = said.get("Id", "?")
        if said.get("LoadState") != "loaded":
            yield f"{name} is {said.get('LoadState', 'not known')}"
            continue
        if name in _AT_BOOT and said.get("UnitFileState") not in ("enabled", "static", "generated"):
            yield f"{name} does not start at boot ({said.get('UnitFileState') or 'no unit file'})"
        if said.get("NeedDaemonReload") == "yes":
            yield f"{name} was changed on disk and not loaded"
        if name.startswith("recio-"):
            own = [Path(path) for path in said.get("DropInPaths", "").split() if f"/{name}.d/" in path]
            foreign = [str(path) for path in own if path.name not in _OWN_DROP_INS]
            if foreign:
                yield f"{name} is changed by {', '.join(foreign)}"


def _systemctl(*words: str) -> str | None:
    try:
        done = subprocess.run(["systemctl", *words], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603, S607
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def certificate(contract: Contract, settings: Settings) -> Finding:
    """What the proxy serves now."""
    cure = "systemctl status caddy; journalctl -u caddy; systemctl restart caddy tries again"
    try:
        found = served(contract.ports["https"], server_name(settings.url))
    except NotServedError as silent:
        return False, f"certificate: {silent}", cure
    level, said = judge(found, contract.upkeep.certificate, time.time())
    return not level, f"certificate: {said}", cure


def security_updates(contract: Contract, _settings: Settings) -> Finding:
    """Looked for now as root, else as root last found."""
    found = updates.read_updates()
    if os.geteuid() == 0:
        found = updates.look(found)
    wrong = updates.complaint(found, contract.upkeep.updates, time.time())
    return not wrong, f"updates: {wrong or updates.told(found, time.time())}", updates.CURE


def privileged_files(_contract: Contract, _settings: Settings) -> Finding:
    """As root's last look left it; `recio audit` looks now."""
    found = audit.read_outcome()
    wrong = audit.complaint(found, time.time())
    return not wrong, f"privileged files: {wrong or audit.told(found, time.time())}", audit.CURE
