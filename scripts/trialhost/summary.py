"""What `make up` says at its end: where to go, what runs there, how long it took."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from trialhost import ssh
from trialhost.place import Host

VERSIONS = (
    '. /etc/os-release; echo "$PRETTY_NAME ($(cat /etc/debian_version))"; '
    "/usr/lib/postgresql/*/bin/postgres --version | cut -d' ' -f1-3; echo \"Caddy $(caddy version | cut -d' ' -f1)\"; python3 --version"
)


def table(rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the first row is the head."""
    cells = [list(map(str, row)) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def show(host: Host, seconds: dict[str, float], changed: int) -> None:
    """Print the summary of a finished run."""
    facts = host.facts()
    versions = ", ".join(ssh.run(host, VERSIONS).stdout.split("\n")).strip(", ")
    print("\n==> Done")
    status = ssh.run(host, "recio status --json")
    try:
        report = json.loads(status.stdout)
    except json.JSONDecodeError:
        print(f"`recio status --json` gave no answer: {status.stderr.strip() or status.stdout.strip()}")
        report = {"version": "unknown", "mode": "unknown", "services": []}
    print(services_table(report["services"]))
    print()
    print(table([("phase", "seconds"), *((name, f"{value:.1f}") for name, value in seconds.items())]))
    print(f"\nchanged   {changed} tasks")
    print(f"versions  recio {report['version']}, {versions}")
    print(f"mode      {report['mode']}")
    print(f"URL       {facts['url']}  (its own CA: {facts['ca_file']})")
    print(f"user      {facts['admin_user']}, password in {facts['admin_password_file']}")
    print("          it is good for the first log-in, where you choose your own")
    print(f"all of it for programs: {host.summary}")


def services_table(services: list[dict[str, object]]) -> str:
    """The twelve, with their memory added up beside the contract's 256 MB."""
    if not services:
        return "no services reported"
    rows: list[tuple[str, ...]] = [("service", "tier", "state", "healthy", "PSS MB", "CPU %", "restarts", "reason")]
    total = 0.0
    for service in services:
        name, tier, state, reason = (str(service[key] or "") for key in ("name", "tier", "state", "reason"))
        pss = service.get("pss_mb")
        total += float(pss) if isinstance(pss, int | float) else 0.0
        healthy = "yes" if service["healthy"] else "NO"
        figures = (number(pss), number(service.get("cpu_percent")), str(service.get("restarts")))
        rows.append((name, tier, state, healthy, *figures, reason))
    good = sum(bool(service["healthy"]) for service in services)
    return f"{table(rows)}\n{good} of {len(services)} healthy; {total:.0f} MB PSS together (contract: 256 MB)"


def number(value: object) -> str:
    """A measurement with one decimal, or a dash where there is none."""
    return f"{value:.1f}" if isinstance(value, int | float) else "-"
