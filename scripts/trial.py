#!/usr/bin/env python3
"""Trial hosts: `trial.py up|down|cut|status|ssh [--name NAME] [COMMAND]` (standard library only; `make` calls it)."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time

from trialhost import machine, network, place, root, ssh
from trialhost.place import Host, TrialError
from trialhost.shell import machine_lock, need


def up(name: str, kind: str = place.CONTAINER) -> Host:
    """Bring the host up, whatever state an earlier run left it in; running already is fine."""
    if os.geteuid() != 0:
        raise TrialError("a trial host needs root: run `sudo make up` (containers, a bridge and firewall rules)")
    need("mmdebstrap", "nft", "ip", "ssh", "ssh-keygen", "tar")
    need("systemd-nspawn")
    if kind == place.VM:
        need("mke2fs", purpose="machine")
    started = time.monotonic()
    root.check_space()
    root.base_tar(kind)
    with machine_lock():
        host = place.find_or_choose(name, kind)
        runs = machine.running_pid(host) is not None
        network.up()
        if not runs:
            host.save()
            root.unpack(host)
            machine.start(host)
    # a boot takes minutes without KVM: others need not wait for it
    machine.wait_ready(host)
    if runs:
        print(f"{host.name} is up already at {host.address}")
        return host
    machine.check_way_out(host, f"{place.MIRROR}/dists/{host.suite}/Release")
    print(f"{host.name} is up at {host.address} after {time.monotonic() - started:.0f} s (`make ssh NAME={name}`)")
    return host


def give_kernel(host: Host) -> None:
    """A virtual machine that was deployed as a container goes on with a disk and a kernel of its own."""
    started = time.monotonic()
    # Its packages are in its root, so the play fetched no lists, which every host in the world has.
    ssh.run(host, "apt-get -qq update", timeout_s=300)
    with machine_lock():
        machine.give_kernel(host)
    machine.wait_ready(host)
    print(f"{host.name} is up again at {host.address} with its own kernel after {time.monotonic() - started:.0f} s")


def down(name: str) -> None:
    """Stop and remove the host; with the last one of the machine goes the bridge."""
    if os.geteuid() != 0:
        raise TrialError("removing a trial host needs root: run `sudo make down`")
    with machine_lock():
        host = place.find(name)
        if host is None:
            print(f"there is no trial host {name}")
        else:
            machine.stop(host)
            root.remove(host)
            print(f"{name} is gone")
        if not place.registered():
            network.down()
    shutil.rmtree(place.BUILD / "trial" / name, ignore_errors=True)
    shutil.rmtree(place.BUILD / "secrets" / name, ignore_errors=True)
    (place.BUILD / f"{name}.json").unlink(missing_ok=True)


def status() -> None:
    """One line per trial host of this machine."""
    for record in place.registered():
        mine = record["project"] == str(place.PROJECT)
        host = place.of_record(record)
        running = ("running" if machine.running_pid(host) else "stopped") if mine else "of another clone"
        print(f"{host.name:12} {host.address:15} {host.kind:10} {running:16} {record['project']}")
    if not place.registered():
        print("no trial hosts; `make up` makes one")


def running_host(name: str) -> Host:
    """The host, which must be up."""
    host = place.find(name)
    if host is None or machine.running_pid(host) is None:
        raise TrialError(f"the trial host {name} is not running: start it with `make up`")
    return host


def main() -> int:
    """Read the command line and do one verb; 1 with one sentence when something is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["up", "down", "cut", "status", "ssh"])
    parser.add_argument(
        "--kind", choices=list(place.SUITES), default=place.CONTAINER, help="what `up` makes (default: %(default)s)"
    )
    parser.add_argument("--name", default="trial", help="the host (default: trial)")
    arguments, command = parser.parse_known_args()  # what is left is the command for ssh
    if command and arguments.verb != "ssh":
        parser.error(f"unrecognized arguments: {' '.join(command)}")
    try:
        if arguments.verb == "up":
            up(arguments.name, arguments.kind)
        elif arguments.verb == "cut":
            machine.cut(running_host(arguments.name))
        elif arguments.verb == "down":
            down(arguments.name)
        elif arguments.verb == "status":
            status()
        else:
            host = running_host(arguments.name)
            os.execvp("ssh", ["ssh", "-F", str(host.ssh_config), host.name, *command])  # noqa: S606
    except TrialError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
