"""Where everything about trial hosts lives, and what one trial host is."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BUILD = PROJECT / "build"
# Roots are big and must belong to root: outside the clone, where neither linters nor git walk through them.
STATE = Path(os.environ.get("RECIO_TRIAL_STATE", "/var/lib/recio-trial"))
SOCKETS = Path("/run/recio-trial")
BRIDGE = os.environ.get("RECIO_TRIAL_BRIDGE", "recio-br0")
NET = os.environ.get("RECIO_TRIAL_NET", "10.213.77")
MIRROR = os.environ.get("RECIO_DEBIAN_MIRROR", "http://deb.debian.org/debian")
SECURITY_MIRROR = os.environ.get("RECIO_DEBIAN_SECURITY_MIRROR", "http://deb.debian.org/debian-security")
CONTAINER, VM = "container", "vm"
# Debian 12 where a container's shared kernel allows it; a machine with a kernel of its own tries the next Debian.
SUITES = {CONTAINER: "bookworm", VM: "trixie"}

# The usual hosts keep their address from run to run, so that bookmarks and certificates stay good.
USUAL_ADDRESS = {"trial": 2, "molecule": 3, "dev": 4, "vm": 5}


class TrialError(Exception):
    """Something a person has to put right: one sentence that says what, and the cure."""


def cache_dir() -> Path:
    """The folder of downloaded and built things that outlive a clone."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "recio"


@dataclasses.dataclass(frozen=True)
class Host:
    """A trial host of this clone; everything but the address follows from the name."""

    name: str
    address: str
    kind: str = CONTAINER

    @property
    def suite(self) -> str:
        """The Debian release it is made from."""
        return SUITES[self.kind]

    @property
    def boxed(self) -> bool:
        """Whether it runs as a container now; a virtual machine does until it has a disk, at the speed of this processor."""
        return self.kind == CONTAINER or not self.disk.exists()

    @property
    def kernel(self) -> str:
        """Whose kernel it runs on: this machine's own, or one by `kvm` or `uml`."""
        return "shared" if self.boxed else self.accelerator.read_text(encoding="utf-8")

    @property
    def accelerator(self) -> Path:
        """What was found to run a virtual machine's kernel with."""
        return self.state / "accelerator"

    @property
    def machine(self) -> str:
        """The name nspawn and the machine-wide registry know: two clones may both have a host `trial`."""
        return f"{self.name}-{hashlib.sha256(str(PROJECT).encode()).hexdigest()[:4]}"

    @property
    def state(self) -> Path:
        """The folder in the machine-wide registry: address, process, root."""
        return STATE / self.machine

    @property
    def root(self) -> Path:
        """The host's root file system; of a virtual machine only until it has a disk."""
        return self.state / "root"

    @property
    def disk(self) -> Path:
        """A virtual machine's disk image."""
        return self.state / "disk.img"

    @property
    def folder(self) -> Path:
        """The folder in the clone: key, ssh_config, console log."""
        return BUILD / "trial" / self.name

    @property
    def ssh_config(self) -> Path:
        """The configuration that reaches the host: `ssh -F FILE NAME`."""
        return self.folder / "ssh_config"

    @property
    def summary(self) -> Path:
        """The file tests and people read to find the host."""
        return BUILD / f"{self.name}.json"

    def facts(self) -> dict[str, str]:
        """What `build/NAME.json` says; all paths are absolute, the CA and the password appear with the deploy."""
        secrets = BUILD / "secrets" / self.name
        return {
            "url": f"https://{self.address}",
            "ca_file": str(secrets / "ca.crt"),
            "ssh_config": str(self.ssh_config),
            "host": self.name,
            "address": self.address,
            "kind": self.kind,
            "kernel": self.kernel,
            "admin_user": "admin",
            "admin_password_file": str(secrets / "admin_password"),
        }

    def save(self) -> None:
        """Enter the host in the machine's registry and in the clone."""
        record = {
            "name": self.name,
            "address": self.address,
            "kind": self.kind,
            "kernel": self.kernel,
            "project": str(PROJECT),
        }
        self.state.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.state / "host.json", record)
        write_json(self.folder / "host.json", record)


def write_json(path: Path, value: object) -> None:
    """Replace a file at once, so that a reader never sees half of it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def registered() -> list[dict[str, str]]:
    """Every trial host on this machine, of all clones."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(STATE.glob("*/host.json"))]


def find(name: str) -> Host | None:
    """The host of this clone with that name, if it exists."""
    for record in registered():
        if record["name"] == name and record["project"] == str(PROJECT):
            return of_record(record)
    return None


def of_record(record: dict[str, str]) -> Host:
    """The host an entry of the registry stands for."""
    return Host(record["name"], record["address"], record.get("kind", CONTAINER))


def find_or_choose(name: str, kind: str = CONTAINER) -> Host:
    """The host of that name, or a new one with a free address; one of another kind is refused."""
    if not name.isalnum() or not name.islower() or len(name) > 20:
        raise TrialError(f"the host name {name!r} must be 1 to 20 lower-case letters and digits")
    existing = find(name)
    if existing is not None:
        if existing.kind != kind:
            raise TrialError(f"{name} is a {existing.kind} and a {kind} was asked for: `make down NAME={name}` first")
        return existing
    taken = {record["address"] for record in registered()}
    for last in [USUAL_ADDRESS.get(name, 10), *range(10, 250)]:
        address = f"{NET}.{last}"
        if address not in taken:
            return Host(name, address, kind)
    raise TrialError(f"all addresses of {NET}.0/24 are in use: remove trial hosts with `make down`")
