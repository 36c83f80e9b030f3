"""Faults on request: what the exchange is to do wrong, how often, and to whom. Typed, seeded, counted.

kind             what the client sees                                              was the order committed?
rate_limited     429 {"error":"too many requests"}, no Retry-After                 no
error_before     500 (or another 5xx) at once                                      no
error_after      500 (or another 5xx) instead of the answer                        yes
timeout_before   no answer for hold_s, then the connection breaks                  no
timeout_after    the same                                                          yes
no_order         2xx whose body names no order                                     yes
lagging_reads    portfolio reads as they were lag_s ago                            -
clock_skew       the exchange's clock is offset_s ahead; its window is window_s    -
maintenance      creates refused (scope exchange: everything but status)           no
unfunded_shard   404 user_not_found; the crypto shard holds no cash                no
drop_frame       a frame is counted and never sent                                 -
duplicate_frame  a frame is sent twice                                             -
late_frame       a frame comes behind the one after it                             -
sequence_gap     the sequence number jumps by skip                                 -
silent_socket    no data for for_s, pings as ever                                  -
slow_frames      each frame waits delay_s behind the one before: the age grows     -
channel_error    error 10 or 25: the subscription has ended                        -
disconnect       the connection is cut after_s after it was noticed                -
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import yaml

__all__ = [
    "KINDS",
    "ChannelError",
    "ClockSkew",
    "Disconnect",
    "DropFrame",
    "DuplicateFrame",
    "ErrorAfter",
    "ErrorBefore",
    "Fault",
    "FaultError",
    "Faults",
    "LaggingReads",
    "LateFrame",
    "Maintenance",
    "NoOrder",
    "RateLimited",
    "SequenceGap",
    "SilentSocket",
    "SlowFrames",
    "TimeoutAfter",
    "TimeoutBefore",
    "UnfundedShard",
    "parse_faults",
    "read_faults",
]

_Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
_Status = Annotated[int, msgspec.Meta(ge=500, le=599)]
_MAX_FAULTS = 1_000


class FaultError(ValueError):
    """A fault list that cannot be meant; the text names the key and the cure."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every fault can be limited by. Of several that fit a moment, the first of the list is taken."""

    path: str = "*"  # glob of the URL's path
    method: str = "*"
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None  # times in all; without it, for ever
    skip_first: Annotated[int, msgspec.Meta(ge=0)] = 0  # fitting moments to leave alone at the beginning
    probability: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    duration_s: _Seconds | None = None  # since it was loaded


class RateLimited(Fault, frozen=True, kw_only=True):
    """429."""


class ErrorBefore(Fault, frozen=True, kw_only=True):
    """A 5xx instead of doing it."""

    status: _Status = 503


class ErrorAfter(Fault, frozen=True, kw_only=True):
    """A 5xx after doing it."""

    status: _Status = 503


class TimeoutBefore(Fault, frozen=True, kw_only=True):
    """Nothing for hold_s, then a broken connection; nothing was done."""

    hold_s: _Seconds = 30.0


class TimeoutAfter(Fault, frozen=True, kw_only=True):
    """The same after doing it."""

    hold_s: _Seconds = 30.0


class NoOrder(Fault, frozen=True, kw_only=True):
    """2xx without an order id."""

    method: str = "POST"


class LaggingReads(Fault, frozen=True, kw_only=True):
    """Portfolio reads tell the past (to everybody: ``path`` and ``count`` say nothing here)."""

    lag_s: Annotated[float, msgspec.Meta(ge=0.001, le=60)] = 0.4


class ClockSkew(Fault, frozen=True, kw_only=True):
    """The exchange's clock is ahead by offset_s and accepts signatures within window_s of it."""

    offset_s: Annotated[float, msgspec.Meta(ge=-86_400, le=86_400)] = 0.0
    window_s: _Seconds = 10.0


class Maintenance(Fault, frozen=True, kw_only=True):
    """``trading``: creates are refused, cancels work. ``exchange``: everything but the status is a 503. To everybody."""

    scope: Annotated[str, msgspec.Meta(pattern="^(trading|exchange)$")] = "trading"


class UnfundedShard(Fault, frozen=True, kw_only=True):
    """No cash on the crypto shard."""


class _StreamFault(Fault, frozen=True, kw_only=True):
    channel: str = "*"  # glob of the channel's name


class DropFrame(_StreamFault, frozen=True, kw_only=True):
    """A counted frame that is not sent."""


class DuplicateFrame(_StreamFault, frozen=True, kw_only=True):
    """A frame sent twice."""


class LateFrame(_StreamFault, frozen=True, kw_only=True):
    """A frame that comes behind the one after it: its number is lower than the last."""


class SequenceGap(_StreamFault, frozen=True, kw_only=True):
    """Numbers are left out."""

    skip: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1


class SilentSocket(Fault, frozen=True, kw_only=True):
    """A connection without data. ``count`` counts connections, as for the next two."""

    for_s: _Seconds = 86_400.0


class SlowFrames(Fault, frozen=True, kw_only=True):
    """A connection whose frames wait."""

    delay_s: _Seconds = 0.2


class Disconnect(Fault, frozen=True, kw_only=True):
    """A connection that is cut."""

    after_s: _Seconds = 0.2


class ChannelError(_StreamFault, frozen=True, kw_only=True):
    """A terminal error of a subscription: 10 channel error, 25 buffer overflow."""

    code: Annotated[int, msgspec.Meta(ge=10, le=25)] = 25


KINDS: dict[str, type[Fault]] = {
    "rate_limited": RateLimited,
    "error_before": ErrorBefore,
    "error_after": ErrorAfter,
    "timeout_before": TimeoutBefore,
    "timeout_after": TimeoutAfter,
    "no_order": NoOrder,
    "lagging_reads": LaggingReads,
    "clock_skew": ClockSkew,
    "maintenance": Maintenance,
    "unfunded_shard": UnfundedShard,
    "drop_frame": DropFrame,
    "duplicate_frame": DuplicateFrame,
    "late_frame": LateFrame,
    "sequence_gap": SequenceGap,
    "silent_socket": SilentSocket,
    "slow_frames": SlowFrames,
    "disconnect": Disconnect,
    "channel_error": ChannelError,
}
F = TypeVar("F", bound=Fault)


def _one(position: int, row: Any) -> Fault:
    where = f"faults[{position}]"
    if not isinstance(row, dict):
        raise FaultError(f"{where}: expected a mapping with a kind, got {row!r:.60}")
    rest = dict(row)
    kind = rest.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise FaultError(f"{where}.kind: {kind!r:.60} is not a fault; choose one of {', '.join(KINDS)}")
    form = KINDS[kind]
    fields = ", ".join(form.__struct_fields__)
    try:
        fault = msgspec.convert(rest, form)
    except msgspec.ValidationError as problem:
        raise FaultError(f"{where} ({kind}): {problem}; it takes {fields}") from problem
    if isinstance(fault, ChannelError) and fault.code not in (10, 25):
        raise FaultError(f"{where}.code: {fault.code} does not end a subscription; give 10 or 25")
    return fault


def parse_faults(text: str | bytes, source: str) -> tuple[list[Fault], int | None]:
    """The faults of a YAML or JSON document and its seed. FaultError begins with ``source``."""
    try:
        document = yaml.safe_load(text)
        if document is None:
            document = {}
        if isinstance(document, list):
            document = {"faults": document}
        if not isinstance(document, dict):
            raise FaultError(f"expected a mapping with a list 'faults', got {document!r:.60}")
        unknown = set(document) - {"faults", "seed"}
        if unknown:
            raise FaultError(f"unknown key {sorted(map(str, unknown))[0]!r}; the keys are faults and seed")
        rows, seed = document.get("faults") or [], document.get("seed")
        if not isinstance(rows, list) or len(rows) > _MAX_FAULTS:
            raise FaultError(f"faults: expected a list of at most {_MAX_FAULTS}, got {rows!r:.60}")
        if seed is not None and type(seed) is not int:
            raise FaultError(f"seed: expected a whole number, got {seed!r:.60}")
        return [_one(position, row) for position, row in enumerate(rows)], seed
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as problem:
        if isinstance(problem, FaultError):
            raise FaultError(f"{source}: {problem}") from problem
        said = " ".join(str(problem).split())
        raise FaultError(f"{source}: neither YAML nor JSON: {said[:200]}") from problem


def read_faults(path: Path) -> tuple[list[Fault], int | None]:
    """``parse_faults`` of a file."""
    try:
        return parse_faults(path.read_bytes(), str(path))
    except OSError as problem:
        raise FaultError(f"cannot read {path}: {problem.strerror}") from problem


class _Live:
    """A fault and how often it has been met."""

    def __init__(self, fault: Fault, loaded_s: float) -> None:
        self.fault, self.loaded_s = fault, loaded_s
        self.seen = self.hits = 0


class Faults:
    """The faults in force. ``any`` is False on a healthy exchange: then nothing else is looked at."""

    def __init__(
        self, faults: list[Fault] | None = None, seed: int | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """Begin with ``faults``; ``seed`` is for probabilities."""
        self._clock = clock
        self._live: list[_Live] = []
        self.any = False
        self.lists = 0  # how many were in force until now: what a fault of an earlier one left behind is over
        self.replace(faults or [], seed)

    def replace(self, faults: list[Fault], seed: int | None = None) -> None:
        """Put these in place of all others; counting starts anew."""
        now_s = self._clock()
        self._live = [_Live(fault, now_s) for fault in faults]
        self._random = random.Random(1 if seed is None else seed)  # noqa: S311 - chaos, not a secret
        self.lists += 1
        self.any = bool(faults)

    def _fitting(self, kind: type[F], path: str, method: str, channel: str) -> Iterator[tuple[_Live, F]]:
        for live in self._live:
            fault = live.fault
            if type(fault) is not kind or (fault.count is not None and live.hits >= fault.count):
                continue
            if fault.duration_s is not None and self._clock() - live.loaded_s > fault.duration_s:
                continue
            wanted = getattr(fault, "channel", "*")
            if fnmatchcase(path, fault.path) and fnmatchcase(method, fault.method) and fnmatchcase(channel, wanted):
                yield live, fault

    def take(self, kind: type[F], path: str, method: str = "GET", channel: str = "") -> F | None:
        """The fault to commit now, if it is time for one; it is counted."""
        for live, fault in self._fitting(kind, path, method, channel) if self.any else ():
            live.seen += 1
            if live.seen > fault.skip_first and self._random.random() < fault.probability:
                live.hits += 1
                return fault
        return None

    def clock_skew(self) -> ClockSkew | None:
        """What is wrong with the exchange's clock (for everybody: ``path`` and ``count`` say nothing here)."""
        return next((fault for _, fault in self._fitting(ClockSkew, "", "", "")), None) if self.any else None

    def lag_ms(self) -> int:
        """How far reads lag; 0 without such a fault."""
        found = next((fault for _, fault in self._fitting(LaggingReads, "", "", "")), None) if self.any else None
        return round(found.lag_s * 1000) if found else 0

    def maintenance(self) -> str:
        """The scope of the pause, or ''."""
        found = next((fault for _, fault in self._fitting(Maintenance, "", "", "")), None) if self.any else None
        return found.scope if found else ""

    def listing(self) -> list[dict[str, Any]]:
        """Every fault with its keys and how often it was committed."""
        names = {form: name for name, form in KINDS.items()}
        return [
            {"kind": names[type(live.fault)], **msgspec.to_builtins(live.fault), "seen": live.seen, "hits": live.hits}
            for live in self._live
        ]
