"""The services' lines from the journal, newest first, chosen by checked values: journalctl is started without a shell, and no text
of a user's ever becomes one of its words (what is searched for is compared here)."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator, Sequence

import msgspec

__all__ = ["LEVELS", "JournalGone", "Line", "Wanted", "command", "decode", "newest", "plain"]

LEVELS = {"info": 7, "warning": 4, "error": 3}  # the least urgent priority that is still shown
_SCAN_MAX, _SCAN_S = 40_000, 4.0
_ENDED_BY_US = -13


class JournalGone(RuntimeError):
    """The journal cannot be read here; the message says why."""


class Line(msgspec.Struct, frozen=True):
    """One line: when (microseconds since 1970), who, how urgent (info, warning, error), what, and its place in the journal."""

    at_us: int
    service: str
    level: str
    text: str
    cursor: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """``services``: names of units, already checked against the contract. ``since_s`` epoch seconds, 0 for no limit.
    ``after`` epoch microseconds: only newer lines. ``text`` and ``names`` (any of them) must be in the line."""

    services: tuple[str, ...]
    level: str = "info"
    text: str = ""
    names: tuple[str, ...] = ()
    since_s: int = 0
    after_us: int = 0

    def takes(self, line: Line) -> bool:
        """Whether a line is one of these."""
        if line.at_us <= self.after_us or (self.text and self.text.lower() not in line.text.lower()):
            return False
        return not self.names or any(re.search(name, line.text) for name in self.names)


def command(wanted: Wanted) -> list[str]:
    """The whole command line; every word of it is fixed or one of a known set."""
    words = ["journalctl", "--no-pager", "--quiet", "--reverse", "--output=json"]
    words.append("--output-fields=MESSAGE,PRIORITY,UNIT,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER")
    words.append(f"--priority={LEVELS[wanted.level]}")
    since_s = max(wanted.since_s, wanted.after_us // 1_000_000)
    if since_s:
        words.append(f"--since=@{int(since_s)}")
    return words + [f"--unit=recio-{name}.service" for name in wanted.services]


def decode(raw: bytes) -> Line | None:
    """A line of journalctl's JSON; None for what is none. Text that is not UTF-8 comes as numbers, and is made readable."""
    try:
        entry = msgspec.json.decode(raw)
        at_us = int(entry["__REALTIME_TIMESTAMP"])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return None
    message = entry.get("MESSAGE")
    if isinstance(message, list):
        message = bytes(message).decode(errors="replace")
    priority = entry.get("PRIORITY", "6")
    level = "error" if priority in ("0", "1", "2", "3") else "warning" if priority == "4" else "info"
    # What systemd itself says of a unit comes from its own scope and names the unit; from anybody else that field proves nothing.
    about = entry.get("UNIT") if entry.get("_SYSTEMD_UNIT") == "init.scope" else None
    unit = str(about or entry.get("_SYSTEMD_UNIT") or entry.get("SYSLOG_IDENTIFIER") or "?")
    service = unit.removeprefix("recio-").removesuffix(".service")
    return Line(at_us, service, level, str(message or "")[:4000], str(entry.get("__CURSOR", "")))


def _read(wanted: Wanted) -> Iterator[Line]:
    """Lines newest first, for at most four seconds and 40,000 of them. Raises JournalGone when there is no journal to read."""
    try:
        process = subprocess.Popen(  # noqa: S603 - see ``command``
            command(wanted), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
    except OSError as failure:
        raise JournalGone(f"journalctl could not be started: {failure.strerror}") from None
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    until_s, seen = time.monotonic() + _SCAN_S, 0
    try:
        for raw in process.stdout:
            seen += 1
            line = decode(raw)
            if line is not None:
                yield line
            if seen >= _SCAN_MAX or time.monotonic() > until_s:
                return
        said = process.stderr.read(2000).decode(errors="replace")
        if process.wait(timeout=5) or (not seen and "permission" in said.lower()):
            raise JournalGone(f"journalctl: {' '.join(said.split()) or f'ended with {process.returncode}'}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.stdout.close()
        process.stderr.close()
        process.wait()


def newest(wanted: Wanted, limit: int) -> list[Line]:
    """At most ``limit`` lines, newest first. Raises JournalGone."""
    found: list[Line] = []
    for line in _read(wanted):
        if line.at_us <= wanted.after_us:
            break
        if wanted.takes(line):
            found.append(line)
            if len(found) >= limit:
                break
    return found


def plain(wanted: Wanted, most_bytes: int) -> Iterator[bytes]:
    """The lines as text, newest first, cut at ``most_bytes`` with a last line that says so."""
    sent = 0
    for line in _read(wanted):
        if not wanted.takes(line):
            continue
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(line.at_us / 1e6))
        text = line.text.replace("\r", " ").replace("\n", " | ")
        data = f"{at}.{line.at_us % 1_000_000:06d}Z {line.level:<7} {line.service} {text}\n".encode()
        if sent + len(data) > most_bytes:
            yield f"... cut here: {most_bytes} bytes is the most that is sent at once; narrow the filter\n".encode()
            return
        sent += len(data)
        yield data


def names_of(trade_id: int, ticket_id: int, orders: Sequence[dict[str, object]]) -> tuple[str, ...]:
    """What a line must hold to be about a trade: our log's fields, or an order's id on the wire."""
    names = [rf"\btrade_id={trade_id}\b", rf"\bticket_id={ticket_id}\b", rf"\btrade {trade_id}\b"]
    for order in orders:
        names.append(rf"\border_id={order['order_id']}\b")
        names += [re.escape(str(order[key])) for key in ("client_order_id", "exchange_order_id") if order.get(key)]
    return tuple(names)
