"""A release that cannot work: the one before trades on, whatever it broke off at."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from urllib.error import URLError

import pytest
from desk import Desk, Offer
from fixtures import PROJECT
from injury import Injury
from remote import Remote
from trialhost import other_release

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]
BAD = {
    "35": ("a release whose migration fails", {"migration": "CREATE TABLE system.half (x int); SELECT 1 / 0;"}, "division by zero"),
    "36": ("a release whose watchdog cannot start", {"breaking": "raise RuntimeError('a bad release')"}, "btc_price_watchdog"),
}  # fmt: skip


def play(facts: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """One run of a playbook on this host."""
    environment = {**os.environ, "RECIO_TRIAL_NAME": facts["host"], "PATH": f"{PROJECT}/.venv/bin:{os.environ['PATH']}"}
    command = ["ansible-playbook", "-i", "inventory/trial", *words]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


def current(remote: Remote) -> str:
    """The release in service."""
    return remote.out("basename $(readlink -f /opt/recio/current)").strip()


class Clicker(threading.Thread):
    """Somebody who presses Buy twice a second; ``held_s``: the longest time in which no press was judged by the limits alone."""

    # What the desk says while a part of it is away; every other refusal is a rule's, and the desk at work.
    HELD = re.compile("is not known|are stopped|s old, more than|has a gap|a dependency")

    def __init__(self, desk: Desk) -> None:
        super().__init__(daemon=True)
        self.desk, self.held_s, self.accepted, self.why = desk, 0.0, 0, ""
        self._over = threading.Event()

    def run(self) -> None:
        judged_s, held, offer = time.monotonic(), "", self.desk.wait_offer(left_min_s=60)
        while not self._over.is_set():
            pressed_s = time.monotonic()
            offer = self._fresh(offer)
            said = self._press(offer)
            if said:
                held = said
            elif held:
                if pressed_s - judged_s > self.held_s:
                    self.held_s, self.why = pressed_s - judged_s, held
                held = ""
            if not said:
                judged_s = time.monotonic()
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
        return f"orders held for {self.held_s:.1f} s at most ({self.why[:90]}), {self.accepted} accepted meanwhile"


def test_a_new_release_and_back(injury: Injury, remote: Remote, desk: Desk, facts: dict[str, str]) -> None:
    """While somebody trades: the new one in service, back to the old one, and twice back lands on one that is good."""
    old = current(remote)
    release = other_release.build("newer")
    with injury.watch("36", "a new release, and back to the one before") as seen:
        seen.inject("true")
        for what, words in (
            ("a new release", ("site.yml", "-e", f"app_release_dir={release}")),
            ("back", ("playbooks/rollback.yml",)),
        ):
            clicker, began_s = Clicker(desk), time.monotonic()
            clicker.start()
            done = play(facts, *words)
            took_s = time.monotonic() - began_s
            remote.wait_healthy(60)
            print(f"\n  {what}: {took_s:.1f} s in all, {clicker.end()}")
            assert done.returncode == 0, done.stdout[-3000:]
            assert clicker.accepted, "nobody could buy meanwhile"
            assert (current(remote) == old) == (what == "back")
    again = play(facts, "playbooks/rollback.yml")
    assert again.returncode != 0, "the release that was left is no good one to go back to"
    assert "Nothing was changed" in again.stdout, again.stdout[-2000:]
    assert current(remote) == old and not remote.unhealthy()


@pytest.mark.parametrize("number", BAD)
def test_a_bad_release(injury: Injury, remote: Remote, facts: dict[str, str], number: str) -> None:
    """The deploy fails and says why; the release before is in service, proven, and nothing half done is left of the new one."""
    what, wrong, why = BAD[number]
    release = other_release.build(f"bad-{number}", **wrong)
    before = current(remote)
    schema = remote.sql("SELECT version_num FROM public.schema_version")
    with injury.watch(number, what) as seen:
        seen.inject("true")
        done = play(facts, "site.yml", "-e", f"app_release_dir={release}")
    assert done.returncode != 0, "it was deployed"
    assert why in done.stdout, done.stdout[-3000:]
    assert current(remote) == before
    assert remote.sql("SELECT version_num FROM public.schema_version") == schema
    assert remote.sql("SELECT count(*) FROM pg_class WHERE relname = 'half'") == [["0"]]
    assert not remote.unhealthy()
