"""What ends without anybody having done wrong, and what only a person can do: the page's certificate, Debian's security updates,
privileged files that somebody changed."""

from __future__ import annotations

from recio.contract import Contract
from recio.monitoring import audit, updates
from recio.monitoring.certificate import Certificate, NotServedError, judge, served
from recio.store.db import Database
from recio.store.system import close_incident, open_incident

__all__ = ["Upkeep"]

_LOOK_EVERY_S = 60.0
_SILENT_LOOKS = 2  # the proxy is away for a second when its configuration changes
_UPDATES_HOLD_S = 900.0  # after hours without power root has not looked yet: cron comes within ten minutes
_PROXY = "page's proxy"
_CERTIFICATE = "certificate"
_FILES = "privileged files"


class Upkeep:
    """Looks once a minute; ``figures`` is what it last found, for the host's sample."""

    def __init__(self, contract: Contract, name: str, seen_by: str) -> None:
        self._contract, self._name, self._seen_by = contract, name, seen_by
        self._looked_s = float("-inf")
        self._silent = 0
        self._wrong_since_s: float | None = None
        self.figures: dict[str, float] = {}

    def look(self, db: Database, now_s: float, monotonic_s: float) -> None:
        """Look when it is time; incidents follow. ``now_s`` epoch seconds."""
        if monotonic_s - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = monotonic_s
        self._certificate(db, now_s)
        self._updates(db, now_s, monotonic_s)
        self._privileged_files(db, now_s)

    def _certificate(self, db: Database, now_s: float) -> None:
        try:
            found = served(self._contract.ports["https"], self._name)
        except NotServedError as silent:
            self._silent += 1
            self._forget("certificate_left_s", "certificate_lifetime_s")
            if self._silent >= _SILENT_LOOKS:
                action = "systemctl status caddy; journalctl -u caddy: nobody can reach the page, trading goes on"
                open_incident(db, _PROXY, "critical", f"the page cannot be reached: {silent}", action, self._seen_by)
            return
        self._silent = 0
        close_incident(db, _PROXY)
        self.figures |= {
            "certificate_left_s": round(found.ends_s - now_s),
            "certificate_lifetime_s": round(found.lifetime_s),
        }
        self.certificate_incident(db, found, now_s)

    def certificate_incident(self, db: Database, found: Certificate, now_s: float) -> None:
        """One open incident at most, as bad as it is; a renewal ends it."""
        level, said = judge(found, self._contract.upkeep.certificate, now_s)
        for severity in ("warning", "critical"):
            if severity != level:
                close_incident(db, f"{_CERTIFICATE} {severity}")
        if level:
            action = "journalctl -u caddy says why it was not renewed; systemctl restart caddy tries again"
            open_incident(db, f"{_CERTIFICATE} {level}", level, said, action, self._seen_by)

    def _updates(self, db: Database, now_s: float, monotonic_s: float) -> None:
        wrong = updates.complaint(updates.read_updates(), self._contract.upkeep.updates, now_s)
        self._wrong_since_s = (monotonic_s if self._wrong_since_s is None else self._wrong_since_s) if wrong else None
        if self._wrong_since_s is not None and monotonic_s - self._wrong_since_s >= _UPDATES_HOLD_S:
            open_incident(db, "security updates", "warning", wrong, updates.CURE, self._seen_by)
        elif not wrong:
            close_incident(db, "security updates")

    def _privileged_files(self, db: Database, now_s: float) -> None:
        found = audit.read_outcome()
        wrong = audit.complaint(found, now_s)
        if not wrong:
            close_incident(db, _FILES)
            return
        if found and found.count:  # other files than before are another incident, of which a person hears
            close_incident(db, _FILES, unless=wrong)
        open_incident(db, _FILES, "warning", wrong, audit.CURE, self._seen_by)

    def _forget(self, *names: str) -> None:
        for name in names:
            self.figures.pop(name, None)
