"""nmap, from the host's own network: every TCP port."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ElementTree

from outside.result import Figure, Place, Result, run


def parse(xml: str) -> tuple[dict[int, str], dict[str, int]]:
    """(what each listed port is, how many of the others are what); ValueError when no host was looked at."""
    host = ElementTree.fromstring(xml).find("host")  # noqa: S314 - written by our own nmap
    ports = host.find("ports") if host is not None else None
    if ports is None:
        raise ValueError("nmap looked at no host")
    listed = {
        int(port.get("portid", "0")): state.get("state", "")
        for port in ports.iter("port")
        if (state := port.find("state")) is not None
    }
    return listed, {extra.get("state", ""): int(extra.get("count", "0")) for extra in ports.iter("extraports")}


def look(place: Place) -> Result:
    """SYN scan of 1 to 65535 (half a minute): each open port is a finding, so is a port that answers with a refusal."""
    started = time.monotonic()
    words = ["nmap", "-n", "-Pn", "-sS", "-p-", "--min-rate", "5000", "--max-retries", "1", "-T4", "-oX", "-"]
    listed, others = parse(run([*words, place.address], timeout_s=600).decode())
    listed_open = sorted(port for port, state in listed.items() if state == "open")
    findings = {f"open {port}": f"TCP {port} is open" for port in listed_open}
    answering = others.get("closed", 0) + sum(state == "closed" for state in listed.values())
    if answering:
        findings["closed"] = f"{answering} ports answer that nobody listens, instead of nothing"
    figures = {"open ports": Figure(len(listed_open), higher=False)}
    found = re.search(r"version (\S+)", run(["nmap", "--version"], timeout_s=20).decode())
    return Result("nmap", found[1] if found else "?", time.monotonic() - started, figures, findings)
