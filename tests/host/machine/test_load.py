"""Limits under load: a service that goes wild is throttled or ended, and its neighbours do not notice."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

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


def under_load(remote: Remote, desk: Desk, at_least_s: float = 10) -> tuple[float, float, int]:
    """Median answer in ms, cores used by the wild service's group, and how often the kernel throttled it meanwhile."""
    usage = f"awk '/^(usage_usec|nr_throttled)/ {{print $2}}' {GROUP}/cpu.stat"
    first, began = [int(word) for word in remote.out(usage).split()], time.monotonic()
    busy_ms = answer_ms(desk)
    time.sleep(max(0.0, at_least_s - (time.monotonic() - began)))
    last, took_s = [int(word) for word in remote.out(usage).split()], time.monotonic() - began
    return busy_ms, (last[0] - first[0]) / 1e6 / took_s, last[1] - first[1]


def test_a_service_that_eats_the_processor_is_held_and_its_neighbours_answer(
    remote: Remote, desk: Desk, calm: None
) -> None:
    quiet_ms = answer_ms(desk)
    cores = int(remote.out("nproc"))
    inside(remote, f"--cpu {cores} --timeout 120")
    wait_for("the load", lambda: remote.host.run("pgrep -c stress-ng-cpu").stdout.strip() == str(cores), 60)
    busy_ms, used, throttled = under_load(remote, desk)
    quota, period = (int(word) for word in remote.out(f"cat {GROUP}/cpu.max").split())
    print(f"used {used:.2f} of {cores} cores, {quota / period:.2f} allowed; answers {quiet_ms:.0f} -> {busy_ms:.0f} ms")
    assert used < 1.2 * quota / period
    assert busy_ms < 3 * quiet_ms + 50, "the page's answers took as long as the load wanted"
    if not throttled:
        # With few processors the neighbours' weights leave it less than its quota: that is seen by bringing the quota down.
        remote.out(f"echo '{int(used / 2 * period)} {period}' >{GROUP}/cpu.max")
        _, less, throttled = under_load(remote, desk)
        remote.out(f"echo '{quota} {period}' >{GROUP}/cpu.max")
        print(f"used {less:.2f} with half of that allowed")
        assert less < 1.2 * used / 2
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
