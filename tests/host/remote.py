"""The host in the product's own terms, every question one command over SSH."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from testinfra.host import Host

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """systemd's way of writing a time span: `1min 30s`, `200ms`."""
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9.]+)(us|ms|min|s|h|d)", text))


def wait_for(what: str, probe: Callable[[], Any], timeout_s: float, every_s: float = 0.5) -> Any:
    """The first truthy answer of `probe`; fails naming what was awaited and the last answer."""
    deadline = time.monotonic() + timeout_s
    answer = probe()
    while not answer and time.monotonic() < deadline:
        time.sleep(every_s)
        answer = probe()
    assert answer, f"{what}: not within {timeout_s:g} s, last answer {answer!r}"
    return answer


class Remote:
    """Runs commands as root on the host."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def out(self, command: str) -> str:
        """Standard output of a command that must succeed."""
        done = self.host.run(command)
        assert done.rc == 0, f"`{command}` ended with {done.rc}: {done.stderr.strip() or done.stdout.strip()}"
        return str(done.stdout)

    def show(self, units: Iterable[str], *properties: str) -> dict[str, dict[str, str]]:
        """`systemctl show` of many units in one call: unit -> property -> value."""
        listing = self.out(f"systemctl show --property=Id,{','.join(properties)} {' '.join(units)}")
        shown = {}
        for block in listing.strip().split("\n\n"):
            values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            shown[values["Id"]] = values
        return shown

    def status(self) -> dict[str, Any]:
        """`recio status --json`; its exit status says what it says and is not judged here."""
        loaded: dict[str, Any] = json.loads(self.host.run("recio status --json").stdout)
        return loaded

    def service(self, name: str) -> dict[str, Any]:
        """One service of the status."""
        found: dict[str, Any] = next(entry for entry in self.status()["services"] if entry["name"] == name)
        return found

    def unhealthy(self) -> dict[str, str]:
        """Names and reasons of all that are not healthy."""
        return {entry["name"]: entry["reason"] for entry in self.status()["services"] if not entry["healthy"]}

    def wait_healthy(self, timeout_s: float) -> None:
        """Wait until all twelve prove their function."""
        deadline = time.monotonic() + timeout_s
        while bad := self.unhealthy():
            assert time.monotonic() < deadline, f"not healthy after {timeout_s:g} s: {bad}"
            time.sleep(1)

    def sql(self, query: str, role: str = "postgres", database: str = "rec_io_db") -> list[list[str]]:
        """Rows of a query, by peer authentication as that operating system user."""
        done = self.psql(query, role, database)
        assert done.rc == 0, f"{query}: {done.stderr.strip()}"
        return [line.split("\x1f") for line in done.stdout.splitlines() if line]

    def psql(self, query: str, role: str, database: str = "rec_io_db") -> Any:
        """The outcome of a query, which may be refused."""
        options = f"-X --no-align --tuples-only --field-separator=$'\\x1f' -v ON_ERROR_STOP=1 --dbname={database}"
        return self.host.run(f"cd / && runuser -u {role} -- psql {options} --command %s", query)
