"""Somebody who goes on buying while the desk is worked on, and what that costs."""

from __future__ import annotations

import re
import threading
import time
from urllib.error import URLError

from desk import Desk, Offer


class Clicker(threading.Thread):
    """Somebody who presses Buy twice a second; ``held_s``: the longest time in which no press was judged by the limits alone."""

    # What the desk says while a part of it is away; every other refusal is a rule's, and the desk at work.
    HELD = re.compile("is not known|are stopped|s old, more than|has a gap|a dependency")

    def __init__(self, desk: Desk) -> None:
        super().__init__(daemon=True)
        self.desk, self.held_s, self.judged, self.accepted, self.why = desk, 0.0, 0, 0, ""
        self._over = threading.Event()

    def run(self) -> None:
        judged_s, held, offer = time.monotonic(), "", self.desk.wait_offer(left_min_s=60)
        while not self._over.is_set():
            pressed_s = time.monotonic()
            offer = self._fresh(offer)
            said = self._press(offer)
            if held and pressed_s - judged_s > self.held_s:
                self.held_s, self.why = pressed_s - judged_s, held
            held = said
            if not said:
                judged_s = time.monotonic()
                self.judged += 1
            self._over.wait(max(0.0, 0.5 - (time.monotonic() - pressed_s)))

    def _fresh(self, offer: Offer) -> Offer:
        try:
            found = self.desk.offers(left_min_s=30) if offer.close_s - time.time() < 20 else []
        except (AssertionError, URLError, OSError, KeyError):
            found = []
        return found[0] if found else offer

    def _press(self, offer: Offer) -> str:
        """Why nobody judged it; empty when it was accepted or a rule refused it."""
        try:
            answer = self.desk.buy(offer)
        except (URLError, OSError) as failure:
            return f"no answer: {failure}"
        if answer.status != 200:
            return f"{answer.status} {answer.error}"
        self.accepted += answer.body["state"] == "accepted"
        reason = answer.body["reason"] or ""
        return reason if answer.body["state"] == "refused" and self.HELD.search(reason) else ""

    def end(self) -> str:
        """Stop; what was seen, in a line."""
        self._over.set()
        self.join(30)
        return f"orders held for {self.held_s:.1f} s at most ({self.why[:90]}), {self.judged} judged and {self.accepted} accepted meanwhile"
