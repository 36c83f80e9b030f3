"""What the page's proxy serves: a handshake with the own port, as a browser would make it, and how long the certificate still holds.

`openssl` does it, in a process of its own (Debian's ca-certificates brings it): a service's user may not read the proxy's files, a file is
not yet what is served, and the library for it would stay in the memory of whoever looks.
"""

from __future__ import annotations

import ipaddress
import os
import subprocess
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from recio.contract.model import CertificateRule
from recio.monitoring.thresholds import Level

__all__ = ["Certificate", "NotServedError", "judge", "served", "server_name"]

DAY_S = 86400.0


class NotServedError(OSError):
    """No certificate came back from the port; the message says why."""


class Certificate(msgspec.Struct, frozen=True):
    """From when and until when it holds, epoch seconds."""

    begins_s: float
    ends_s: float

    @property
    def lifetime_s(self) -> float:
        """From its first second to its last."""
        return self.ends_s - self.begins_s


def server_name(url: str) -> str:
    """The name a browser asks for when it opens ``url``; empty for an address, which is never sent."""
    host = urlsplit(url).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return ""


def served(port: int, name: str = "", timeout_s: float = 5.0) -> Certificate:
    """The certificate served on loopback for ``name``, whether it still holds or not; raises NotServedError."""
    asked = ["-servername", name] if name else ["-noservername"]
    handshake = _openssl(["s_client", "-connect", f"127.0.0.1:{port}", *asked], "", timeout_s)
    if "-----BEGIN CERTIFICATE-----" not in handshake.stdout:
        why = next(
            (line for line in handshake.stderr.splitlines() if "error" in line.lower()), "no certificate came back"
        )
        raise NotServedError(f"no TLS at port {port}: {why.strip()[:200]}")
    dates = _openssl(["x509", "-noout", "-dates", "-dateopt", "iso_8601"], handshake.stdout, timeout_s).stdout
    try:
        found = dict(line.split("=", 1) for line in dates.splitlines())
        begins, ends = (datetime.fromisoformat(found[key]) for key in ("notBefore", "notAfter"))
    except (ValueError, KeyError) as wrong:
        raise NotServedError(f"port {port} serves a certificate without readable dates: {dates[:200]!r}") from wrong
    return Certificate(begins.timestamp(), ends.timestamp())


def _openssl(words: list[str], given: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603
            ["openssl", *words], input=given, capture_output=True, text=True, errors="replace", timeout=timeout_s,  # noqa: S607
            check=False, env=os.environ | {"LC_ALL": "C"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NotServedError(f"openssl {words[0]} had no answer within {timeout_s:g} s") from None
    except OSError as failure:
        raise NotServedError(f"openssl cannot be run: {failure.strerror}; apt-get install openssl") from failure


def judge(found: Certificate, rule: CertificateRule, now_s: float) -> tuple[Level, str]:
    """How bad it is that a certificate has only so long left, and what is left as a sentence.

    Days for one that lives for months; a share of its life for one that never had so many days. Whoever renews does so at a third.
    """
    left_s = found.ends_s - now_s
    if left_s <= 0:
        return "critical", f"the page's certificate has expired {_span(-left_s)} ago: browsers refuse it"
    said = f"the page's certificate holds for {_span(left_s)} of its {_span(found.lifetime_s)}"
    if found.begins_s > now_s:
        return (
            "critical",
            f"the page's certificate holds only from {_span(found.begins_s - now_s)} on: is the clock right?",
        )
    level: Level = ""
    if left_s < min(rule.warning_days * DAY_S, found.lifetime_s * rule.warning_left_percent / 100):
        level = "warning"
    if left_s < min(rule.critical_days * DAY_S, found.lifetime_s * rule.critical_left_percent / 100):
        level = "critical"
    return level, said


def _span(seconds: float) -> str:
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 2 * DAY_S else f"{seconds / DAY_S:.1f} days"
