"""All tools at once: they wait for the host most of the time."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from trialhost.place import TrialError

from outside import lynis, network, sshd, tls, tools, units
from outside.result import Place, Result


def place_of(facts: dict[str, Any]) -> Place:
    """The host that build/NAME.json tells of."""
    return Place(("ssh", "-F", facts["ssh_config"], facts["host"]), facts["address"], facts["ca_file"])


def read_facts(path: Path) -> dict[str, Any]:
    """build/NAME.json; TrialError when there is no such host."""
    try:
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrialError(f"{path} is missing: deploy a host first (`make up NAME={path.stem}`)") from error
    return loaded


def look(place: Place, *, whole: bool, only: Collection[str] = ()) -> list[Result]:
    """The outcome of every tool, or of ``only`` those. ``whole``: testssl.sh looks at everything and gives its grade."""
    kit = tools.fetch()
    beside: dict[str, Callable[[], Result]] = {
        "lynis": lambda: lynis.look(place, kit),
        "testssl.sh": lambda: tls.look(place, kit, whole=whole),
        "nmap": lambda: network.look(place),
        "systemd-analyze": lambda: units.look(place),
    }
    with ThreadPoolExecutor() as pool:
        running = [pool.submit(run) for name, run in beside.items() if not only or name in only]
        results = [future.result() for future in running]
    if not only or "ssh-audit" in only:
        # By itself and last: it opens so many connections that the firewall makes the others wait.
        results.append(sshd.look(place, kit))
    return results
