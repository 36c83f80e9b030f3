"""systemd-analyze security: how much each unit of ours is exposed, 0 to 10."""

from __future__ import annotations

import time

from outside.result import Figure, Place, Result, run

# What the contract of the appliance allows; the record holds what was reached. The first that fits counts: the copy to another machine is
# root, who alone may read every archive, and needs the network.
MAXIMUM = {"recio-off-host": 1.8, "recio-": 1.5, "caddy.service": 1.6, "postgresql@": 3.0}
# Root's own work: it writes where root must, and listens to nobody.
ROOTS_OWN = ("recio-firewall.service", "recio-requests.service", "recio-quotas.service")
SCRIPT = (
    # Also those that run only now and then, and are not loaded meanwhile; a template itself is no unit.
    "for what in 'list-units --all' list-unit-files; do "
    "systemctl $what --type=service --no-legend --plain 'recio-*' caddy.service 'postgresql@*'; done | "
    "awk '$1 !~ /@[.]/ {print $1}' | sort -u | while read -r unit; do "
    'printf \'%s \' "$unit"; systemd-analyze security --no-pager "$unit" | tail -1; done; systemctl --version | head -1'
)


def parse(text: str) -> tuple[str, dict[str, float]]:
    """(systemd's version, exposure by unit)."""
    *lines, version = text.strip().splitlines()
    found = {}
    for line in lines:
        unit, _, verdict = line.partition(" ")
        if ":" in verdict:
            found[unit] = float(verdict.split(":")[1].split()[0])
    return version.split()[1], found


def allowed(unit: str) -> float | None:
    """The most the appliance's rules allow a unit; None where there is no rule."""
    if unit in ROOTS_OWN:
        return None
    return next((most for prefix, most in MAXIMUM.items() if unit.startswith(prefix)), None)


def look(place: Place) -> Result:
    """Ask the host's systemd (5 s); what is above its maximum is a finding."""
    started = time.monotonic()
    version, exposure = parse(run([*place.ssh, SCRIPT], timeout_s=120).decode())
    if not exposure:
        raise ValueError("systemd-analyze names no unit of ours: is the host deployed?")
    findings = {
        unit: f"exposure {value:g}, above {allowed(unit):g}"
        for unit, value in exposure.items()
        if (most := allowed(unit)) is not None and value > most
    }
    figures = {unit: Figure(value, higher=False) for unit, value in exposure.items()}
    return Result("systemd-analyze", version, time.monotonic() - started, figures, findings)
