"""The bridge between the controller and its trial hosts, and their way out to the Debian mirror."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
from collections.abc import Iterator
from pathlib import Path

from trialhost import place
from trialhost.place import TrialError
from trialhost.shell import machine_lock, run

ALIAS = "recio trial hosts"
TABLE = "recio_trial"
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
FORWARD_BEFORE = place.STATE / "ip_forward.before"
VISITOR = "recio-visitor-"  # the network namespaces of visitors, by the last number of their address; hosts end at 249


def up() -> None:
    """Make the bridge, forwarding and the masquerade, as far as they are not there."""
    there = _bridge_is_ours()
    _refuse_taken_range()
    if not there:
        run(["ip", "link", "add", place.BRIDGE, "type", "bridge"])
        run(["ip", "link", "set", place.BRIDGE, "alias", ALIAS])
    run(["ip", "address", "replace", f"{place.NET}.1/24", "dev", place.BRIDGE])
    run(["ip", "link", "set", place.BRIDGE, "up"])
    if FORWARD.read_text().strip() != "1":
        FORWARD_BEFORE.write_text(FORWARD.read_text())
        FORWARD.write_text("1")
    # Our own table, replaced as a whole: nobody else's rules are read or written.
    run(
        ["nft", "-f", "-"],
        stdin=f"""
        table ip {TABLE}
        delete table ip {TABLE}
        table ip {TABLE} {{
            chain postrouting {{
                type nat hook postrouting priority srcnat;
                ip saddr {place.NET}.0/24 oifname != "{place.BRIDGE}" masquerade
            }}
        }}
        """,
    )


def down() -> None:
    """Leave the machine's network as it was found."""
    for name in _visitors():  # of a run that was killed: without a host there is nothing to visit
        run(["ip", "netns", "delete", name], check=False)
    if _bridge_is_ours():
        run(["ip", "link", "delete", place.BRIDGE])
    run(["nft", "delete", "table", "ip", TABLE], check=False)
    if FORWARD_BEFORE.exists():
        FORWARD.write_text(FORWARD_BEFORE.read_text())
        FORWARD_BEFORE.unlink()


@contextlib.contextmanager
def visitor() -> Iterator[tuple[str, ...]]:
    """A network of its own beside the hosts', for a program to whom hosts must not come and go; gives the words to run one in it.

    Chromium takes an interface of this machine that comes or goes as a new network and breaks every connection off
    (ERR_NETWORK_CHANGED), also a script's of a page that loads. Without our bridge, or without root, there are no such words.
    """
    if os.geteuid() != 0 or not _bridge_is_ours():
        yield ()
        return
    with machine_lock():
        there = _visitors()
        for number in range(250, 255):
            name = f"{VISITOR}{number}"
            if name in there and run(["ip", "netns", "pids", name]).stdout.strip():
                continue
            if name in there:  # of a run that was killed
                run(["ip", "netns", "delete", name])
            break
        else:
            raise TrialError(f"five visitors are on {place.BRIDGE} already: `ip netns list` names them")
        port = f"rv-{number}"
        run(["ip", "netns", "add", name])
        within = ("ip", "netns", "exec", name)
        # Its own interface would get an IPv6 address seconds later, which is such a change too.
        if Path("/proc/sys/net/ipv6").exists():
            run([*within, "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"])
        run(["ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name])
        run(["ip", "link", "set", port, "master", place.BRIDGE, "up"])
        run(["ip", "-netns", name, "address", "add", f"{place.NET}.{number}/24", "dev", "eth0"])
        for link in ("lo", "eth0"):
            run(["ip", "-netns", name, "link", "set", link, "up"])
    try:
        yield within
    finally:
        run(["ip", "link", "delete", port], check=False)
        run(["ip", "netns", "delete", name], check=False)


def _visitors() -> set[str]:
    listed = (line.split()[0] for line in run(["ip", "netns", "list"]).stdout.splitlines())
    return {name for name in listed if name.startswith(VISITOR)}


def _bridge_is_ours() -> bool:
    shown = run(["ip", "-json", "link", "show", "dev", place.BRIDGE], check=False)
    if shown.returncode:
        return False
    if json.loads(shown.stdout)[0].get("ifalias") != ALIAS:
        raise TrialError(
            f"the network interface {place.BRIDGE} belongs to something else: "
            "choose another name with RECIO_TRIAL_BRIDGE=… (at most 15 characters)"
        )
    return True


def _refuse_taken_range() -> None:
    wanted = ipaddress.ip_network(f"{place.NET}.0/24")
    for route in json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]).stdout):
        destination = route.get("dst", "default")
        if destination == "default" or route.get("dev") == place.BRIDGE:
            continue
        if ipaddress.ip_network(destination, strict=False).overlaps(wanted):
            raise TrialError(
                f"the address range {wanted} is already used by {route.get('dev', 'another route')} ({destination}): "
                "choose another with RECIO_TRIAL_NET=10.x.y (the first three numbers)"
            )


def mtu() -> int:
    """The largest packet that leaves this machine whole: hosts that send larger ones hang where ICMP is filtered."""
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "default"]).stdout)
    return int(Path(f"/sys/class/net/{routes[0]['dev']}/mtu").read_text()) if routes else 1500


def resolvers() -> str:
    """The controller's name servers in a form a trial host can reach."""
    for source in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        if not source.exists():
            continue
        lines = source.read_text(encoding="utf-8", errors="replace").splitlines()
        useful = [line for line in lines if line.startswith(("nameserver", "search", "options"))]
        useful = [line for line in useful if not line.startswith(("nameserver 127.", "nameserver ::1"))]
        if any(line.startswith("nameserver") for line in useful):
            return "\n".join(useful) + "\n"
    raise TrialError("the controller has no name server a trial host could reach: put one into /etc/resolv.conf")
