"""The shapes of what the page asks of the host and reads of its journal."""

from __future__ import annotations

from typing import Any

from recio.web.shape import schema

__all__ = ["HOST_SCHEMAS"]

HOST_SCHEMAS: dict[str, dict[str, Any]] = {
    "RequestAsked": schema("Written down; its progress is in GET /api/requests/{request_id}.", "request_id: int"),
    "HostRequests": schema("The newest twenty, newest first.", "requests: []@HostRequest"),
    "HostRequest": schema("Something the page asked of the host, from a closed list.", """
        request_id: int
        kind: str
        args: map str
        asked_by: str
        asked_at_ms: int
        state: new|running|done|failed
        started_at_ms: int?
        finished_at_ms: int?
        progress: str: what it does now
        result: str: what became of it
        waiting_s~: num?: for how long nobody has taken it; null: taken
    """),
    "Exchange": schema("The mode, and the keys there are; of a key no more than this is ever told.", """
        mode: str
        rest_url: str
        signed_call_at_ms: int?: when the exchange last took a signed call; null: never, so not known to be good
        keys: []@ExchangeKey
    """),
    "ExchangeKey": schema("The key of one mode.", """
        mode: str
        in_use: bool
        ending: str?: the last characters of its id; null: there is none
        kind: str?: like RSA 2048; null: not known, the deploy put it there
        fingerprint: str?: SHA-256 of its public part; null: not known
        set_at_ms: int?: null: by the deploy
        set_by: str?
    """),
    "ModeNow": schema("The mode in force, and what each of them needs.", """
        mode: str
        chosen_by: str?: who chose it on the page; null: nobody, it is the deploy's
        chosen_at_ms: int?
        modes: []@ModeAbout
    """),
    "ModeAbout": schema("One mode.", """
        mode: str
        in_force: bool
        can: bool: whether this release trades in it
        money: str: what it means for money
        needs: str
        missing: []@ModeMissing: what keeps the desk from going there now; empty for the one in force
    """),
    "ModeMissing": schema("One thing that is missing, with its cure.", "code: str\ndetail: str\ncure: str"),
    "LogLines": schema("Newest first.", "lines: []@LogLine\nnow_ms: int"),
    "LogLine": schema("One line of the journal.", """
        at_us: int: microseconds since 1970
        service: str
        level: info|warning|error
        text: str
        cursor: str: its place in the journal
    """),
}  # fmt: skip
