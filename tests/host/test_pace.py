"""A service that keeps failing on a deployed host: slower each time, still tried, and at once back when somebody acts."""

from __future__ import annotations

import time

from remote import Remote, wait_for

from recio.contract import Contract

UNIT = "recio-db_poller.service"


def test_a_service_that_keeps_failing_waits_longer_and_comes_back_at_once_when_asked(
    remote: Remote, healthy: None, contract: Contract
) -> None:
    def pid() -> int:
        shown = remote.show([UNIT], "MainPID", "SubState")[UNIT]
        return int(shown["MainPID"]) if shown["SubState"] in ("start", "running") else 0

    remote.out(f"systemctl restart {UNIT}")  # forgets what earlier tests did to it
    quick = []
    for _ in range(contract.restarts.free):
        before = wait_for("its process", pid, 20, every_s=0.2)
        began_s = time.monotonic()
        remote.out(f"kill -9 {before}")
        wait_for("its next process", lambda gone=before: (now := pid()) and now != gone, 20, every_s=0.2)
        quick.append(time.monotonic() - began_s)
    assert max(quick) < 5, f"the first {contract.restarts.free} failures cost nothing: {quick}"
    for _ in range(3):  # waits of 2, 4 and 8 seconds
        remote.out(f"kill -9 {wait_for('its process', pid, 20, every_s=0.2)}")
    wait_for("the wait", lambda: remote.service("db_poller")["state"] == "waiting after failures", 15, every_s=0.5)
    assert "waiting after failures" in remote.service("db_poller")["reason"]
    began_s = time.monotonic()
    remote.out("recio restart db_poller")
    assert time.monotonic() - began_s < 6, "whoever asks does not wait"
    assert remote.host.run("test -e /run/recio/db_poller/failures").rc == 1, "and what was is forgotten"
    remote.wait_healthy(30)
