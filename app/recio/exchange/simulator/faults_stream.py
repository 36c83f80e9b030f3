"""Faults of one WebSocket connection, at the two places where frames pass: on their way in and on their way out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from recio.exchange.simulator.faults import (
    ChannelError,
    Disconnect,
    DropFrame,
    DuplicateFrame,
    Faults,
    LateFrame,
    SequenceGap,
    SilentSocket,
    SlowFrames,
)

__all__ = ["StreamFaults"]


class StreamFaults:
    """What is wrong with one connection. Cheap while nothing is."""

    def __init__(self, faults: Faults, path: str, cut: Callable[[], None]) -> None:
        """``cut`` ends the connection at once."""
        self._faults, self._path, self._cut = faults, path, cut
        self._list = 0
        self._silent_until_s = 0.0
        self._cutting: asyncio.TimerHandle | None = None
        self._delay_s = 0.0

    @property
    def delay_s(self) -> float:
        """What each frame waits before it is sent."""
        self._forget()
        return self._delay_s

    def _forget(self) -> None:
        """A fault taken back is over on this connection too, also when another one has come since."""
        if self._list != self._faults.lists:
            self._list = self._faults.lists
            self._silent_until_s = self._delay_s = 0.0
            self.close()

    def copies(self, channel: str) -> int:
        """How often to send a frame of ``channel`` ('' for answers to commands): 0, 1 or 2 times."""
        self._forget()
        if not self._faults.any:
            return 1
        loop = asyncio.get_running_loop()
        if self._cutting is None and (cut := self._faults.take(Disconnect, self._path)):
            self._cutting = loop.call_later(cut.after_s, self._cut)
        if not self._delay_s and (slow := self._faults.take(SlowFrames, self._path)):
            self._delay_s = slow.delay_s
        if not channel:
            return 1
        if self._silent_until_s == 0.0 and (silent := self._faults.take(SilentSocket, self._path)):
            self._silent_until_s = loop.time() + silent.for_s
        if loop.time() < self._silent_until_s or self._faults.take(DropFrame, self._path, channel=channel):
            return 0
        return 2 if self._faults.take(DuplicateFrame, self._path, channel=channel) else 1

    def late(self, channel: str) -> bool:
        """Whether this frame of ``channel`` is to come behind the next one."""
        return bool(
            channel and self._faults.any and self._faults.take(LateFrame, self._path, channel=channel) is not None
        )

    def skipped(self, channel: str) -> int:
        """How many sequence numbers to leave out before the next frame of ``channel``."""
        gap = self._faults.take(SequenceGap, self._path, channel=channel) if self._faults.any else None
        return gap.skip if gap else 0

    def ended(self, channel: str) -> int:
        """The code of the terminal error to end a subscription with, or 0."""
        error = self._faults.take(ChannelError, self._path, channel=channel) if self._faults.any else None
        return error.code if error else 0

    def close(self) -> None:
        """The connection is gone: it need not be cut."""
        if self._cutting is not None:
            self._cutting.cancel()
            self._cutting = None
