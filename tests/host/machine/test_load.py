"""Limits under load: a service that goes wild is throttled or ended, and its neighbours do not notice."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from desk import Desk
from remote import Remote, wait_for

WILD = "db_poller"  # the least of the twelve; what holds it holds the others, whose figures test_enforced reads
UNIT = f"recio-{WILD}.service"
GROUP = f"/sys/fs/cgroup$(systemctl show --value --property=ControlGroup {UNIT})"
LOAD = "recio-test-load"


def inside(remote: Remote, words: str) -> None:
    """Start a load that belongs to the wild service's control group, as if the service itself did it."""
    remote.out(
        f"systemd-run --quiet --unit={LOAD} --expand-environment=no /bin/sh -c "
        f"'echo $$ >{GROUP}/cgroup.procs; exec stress-ng {words}'"
    )


@pytest.fixture
def calm(remote: Remote) -> Iterator[None]:
    """Twelve healthy services before and after, and no load left."""
    remote.wait_healthy(240)
    yield
    remote.host.run(f"pkill -9 stress-ng; systemctl stop {LOAD}; systemctl reset-failed {LOAD}")
    remote.wait_healthy(300)


def pids(remote: Remote) -> dict[str, str]:
    """Main process of each unit of ours that runs all the time."""
    units = remote.out("systemctl list-units --plain --no-legend 'recio-*.service' | cut -d' ' -f1").split()
    shown = remote.show(units, "MainPID", "Restart")
    return {unit: values["MainPID"] for unit, values in shown.items() if values["Restart"] == "always"}


def answer_ms(desk: Desk, times: int = 25) -> float:
    """Median time of a question the page asks."""
    taken = []
    for _ in range(times):
        began = time.monotonic()
        desk.get("/api/events")
        taken.append(1000 * (time.monotonic() - began))
    return statistics.median(taken)


class Load(NamedTuple):
    """What one saw in turns with the load and without it: whatever else the machine does meets both alike."""

    quiet_ms: float
    busy_ms: float
    used: float  # cores, by the wild service's group
    throttled: int  # times


def in_turns(remote: Remote, desk: Desk, turns: int = 6, turn_s: float = 2.0) -> Load:
    """Let the load rest and work in turns; median answers of both, and what the group used while it worked."""
    usage = f"awk '/^(usage_usec|nr_throttled)/ {{print $2}}' {GROUP}/cpu.stat"
    answers: dict[bool, list[float]] = {True: [], False: []}
    used_s = worked_s = 0.0
    throttled = 0
    for busy in [False, True] * turns:
        remote.out(f"pkill -{'CONT' if busy else 'STOP'} stress-ng-cpu")
        first, began_s = [int(word) for word in remote.out(usage).split()], time.monotonic()
        while time.monotonic() - began_s < turn_s:
            answers[busy].append(answer_ms(desk, 1))
        last = [int(word) for word in remote.out(usage).split()]
        if busy:
            worked_s += time.monotonic() - began_s
            used_s += (last[0] - first[0]) / 1e6
            throttled += last[1] - first[1]
    quiet, work = (statistics.median(answers[busy]) for busy in (False, True))
    return Load(quiet, work, used_s / worked_s, throttled)


def test_a_service_that_eats_the_processor_is_held_and_its_neighbours_answer(
    remote: Remote, desk: Desk, calm: None
) -> None:
    cores = int(remote.out("nproc"))
    inside(remote, f"--cpu {cores} --timeout 180")
    wait_for("the load", lambda: remote.host.run("pgrep -c stress-ng-cpu").stdout.strip() == str(cores), 60)
    quota, period = (int(word) for word in remote.out(f"cat {GROUP}/cpu.max").split())
    seen = in_turns(remote, desk)
    print(
        f"\nused {seen.used:.2f} of {cores} cores, {quota / period:.2f} allowed; answers {seen.quiet_ms:.0f} -> {seen.busy_ms:.0f} ms"
    )
    assert seen.used < 1.2 * quota / period
    assert seen.busy_ms < 3 * seen.quiet_ms + 50, "the page's answers took as long as the load wanted"
    throttled = seen.throttled
    if not throttled:
        # With few processors the neighbours' weights leave it less than its quota: that is seen by bringing the quota down.
        remote.out(f"echo '{int(seen.used / 2 * period)} {period}' >{GROUP}/cpu.max")
        less = in_turns(remote, desk, 3)
        remote.out(f"echo '{quota} {period}' >{GROUP}/cpu.max")
        print(f"used {less.used:.2f} with half of that allowed")
        assert less.used < 1.2 * seen.used / 2
        throttled = less.throttled
    assert throttled, "never throttled"


def test_a_service_that_eats_memory_is_ended_alone_and_comes_back(remote: Remote, calm: None) -> None:
    before = pids(remote)
    first = int(remote.show([UNIT], "NRestarts")[UNIT]["NRestarts"])
    high, limit = (int(word) for word in remote.out(f"cat {GROUP}/memory.high {GROUP}/memory.max").split())
    seen: list[int] = []

    def current() -> int:
        seen.extend(int(word) for word in remote.host.run(f"cat {GROUP}/memory.current").stdout.split())
        return seen[-1] if seen else 0

    def ended() -> bool:
        current()
        return int(remote.show([UNIT], "NRestarts")[UNIT]["NRestarts"]) > first

    # Past memory.high the kernel lets it have the more slowly, the more it has: minutes for what is left up to memory.max.
    inside(remote, f"--vm 1 --vm-bytes {3 * limit} --vm-keep --oomable --timeout 240")
    wait_for("the first rail", lambda: current() >= 0.97 * high, 120)
    time.sleep(10)
    slowed = current()
    assert slowed <= limit
    # Without that rail, as one that is quicker than the kernel: the second one ends it, and the unit goes with what was killed in it.
    remote.out(f"echo max >{GROUP}/memory.high")
    wait_for(f"the end of {WILD}", ended, 200)
    wait_for(f"{WILD} healthy again", lambda: remote.service(WILD)["healthy"], 240)
    print(f"{slowed >> 20} MB after 10 s at the first rail ({high >> 20}), most {max(seen) >> 20} of {limit >> 20} MB")
    assert max(seen) <= limit
    assert int(remote.out(f"cat {GROUP}/memory.high")) == high, "the rail is there again"
    changed = {unit for unit, pid in pids(remote).items() if before.get(unit) != pid}
    assert changed == {UNIT}, f"others died with it: {changed - {UNIT}}"
