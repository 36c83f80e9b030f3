"""The host's clock jumps, to and fro. A container shares its machine's clock: here what its processes are told is moved.

The database and the twelve see the jump at once; the exchange does not, as it would be.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from injury import HERE, Injury
from remote import Remote

CLOCK = "/run/clock"
DROP_INS = {
    # tcc does not say that its code needs no executable stack.
    "recio-.service.d": f"Environment=LD_PRELOAD={CLOCK}/moved_clock.so\\nMemoryDenyWriteExecute=no",
    "postgresql@.service.d": f"Environment=LD_PRELOAD={CLOCK}/moved_clock.so",
    "recio-simulator.service.d": "UnsetEnvironment=LD_PRELOAD",
}
WRONG = "grep -q clock.,.ok.:false /run/recio/kalshi_api_watchdog/health.json"  # a dot for each quotation mark
ANEW = "systemctl daemon-reload; systemctl restart postgresql; systemctl restart recio.target"


def move(seconds: int) -> str:
    """The command that puts the clock so far from the right time."""
    return f"python3 -c \"open('{CLOCK}/offset', 'r+b').write(int({seconds}).to_bytes(8, 'little', signed=True))\""


@pytest.fixture(scope="module")
def movable(injury: Injury, remote: Remote) -> Iterator[None]:
    """The processes' clock can be moved; the host is as it was at the end."""
    source = (HERE / "on_host/moved_clock.c").read_text()
    remote.out(
        f"set -e; apt-get -qq -y --no-install-recommends install tcc >/dev/null 2>&1; mkdir -p {CLOCK}; cd {CLOCK};"
        f" cat >moved_clock.c <<'END'\n{source}END\n"
        f"tcc -shared -nostdlib -o moved_clock.so moved_clock.c; truncate -s 8 offset"
    )
    for folder, line in DROP_INS.items():
        folder = f"/run/systemd/system/{folder}"
        remote.out(f"mkdir -p '{folder}'; printf '[Service]\\n{line}\\n' >'{folder}/clock.conf'")
    remote.out(ANEW)
    remote.wait_healthy(180)
    yield
    for folder in DROP_INS:
        remote.out(f"rm -r '/run/systemd/system/{folder}'")
    remote.out(f"{ANEW}; apt-get -qq -y purge tcc >/dev/null 2>&1; rm -r {CLOCK}")
    remote.wait_healthy(180)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (30, "30 s into the future"),
        pytest.param(-30, "30 s into the past", marks=pytest.mark.long),
        pytest.param(3600, "an hour into the future", marks=pytest.mark.long),
        (-3600, "an hour into the past"),
    ],
)
def test_the_clock_jumps(injury: Injury, remote: Remote, movable: None, seconds: int, words: str) -> None:
    """No entry is accepted while it is wrong; ten seconds after it was noticed it is right again, and so is everything else."""
    with injury.watch("25", f"the clock jumps {words}, and back", blames="clock") as seen:
        offer = injury.desk.wait_offer(left_min_s=30)
        seen.inject(move(seconds))
        # The watcher has the right time: a clock put back is an old report to it.
        seen.notice(WRONG)
        time.sleep(10)
        answer = injury.desk.buy(offer)
        assert answer.status != 200 or answer.body["state"] == "refused", answer
        seen.heal(move(0))
    injury.desk.buy_filled()  # nothing waits for an hour that is over
