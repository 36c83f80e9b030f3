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
    """Main process of each unit of ours."""
    units = remote.out("systemctl list-units --plain --no-legend 'recio-*.service' | cut -d' ' -f1").split()
    return {
        unit: values["MainPID"] for unit, values in remote.show(units, "MainPID").items() if unit != f"{LOAD}.service"
    }


def answer_ms(desk: Desk, times: int = 25) -> float:
    """Median time of a question the page asks."""
    taken = []
    for _ in range(times):
        began = time.monotonic()
        desk.get("/api/switches")
        taken.append(1000 * (time.monotonic() - began))
    return statistics.median(taken)


def test_a_service_that_eats_the_processor_is_held_and_its_neighbours_answer(
    remote: Remote, desk: Desk, calm: None
) -> None:
    quiet_ms = answer_ms(desk)
    cores = int(remote.out("nproc"))
    usage = f"awk '/^(usage_usec|nr_throttled)/ {{print $2}}' {GROUP}/cpu.stat"
    inside(remote, f"--cpu {cores} --timeout 60")
    wait_for("the load", lambda: remote.host.run("pgrep -c stress-ng-cpu").stdout.strip() == str(cores), 60)
    first, began = [int(word) for word in remote.out(usage).split()], time.monotonic()
    busy_ms = answer_ms(desk)
    while time.monotonic() - began < 10:
        time.sleep(0.5)
    last, took_s = [int(word) for word in remote.out(usage).split()], time.monotonic() - began
    used = (last[0] - first[0]) / 1e6 / took_s
    quota, period = (int(word) for word in remote.out(f"cat {GROUP}/cpu.max").split())
    print(
        f"used {used:.2f} cores of {cores} wanted, {quota / period:.2f} allowed; answers {quiet_ms:.0f} -> {busy_ms:.0f} ms"
    )
    assert last[1] > first[1], "never throttled"
    assert used < 1.2 * quota / period
    assert busy_ms < 3 * quiet_ms + 50, "the page's answers took as long as the load wanted"


def test_a_service_that_eats_memory_is_ended_alone_and_comes_back(remote: Remote, calm: None) -> None:
    before = pids(remote)
    first = int(remote.show([UNIT], "NRestarts")[UNIT]["NRestarts"])
    limit = int(remote.out(f"cat {GROUP}/memory.max"))
    held: list[int] = []

    def ended() -> bool:
        held.extend(int(word) for word in remote.host.run(f"cat {GROUP}/memory.current").stdout.split())
        return int(remote.show([UNIT], "NRestarts")[UNIT]["NRestarts"]) > first

    # The kernel kills in the group that is full, and the unit goes with it; a service that only waits for memory misses its watchdog.
    inside(remote, f"--vm 1 --vm-bytes {3 * limit} --vm-keep --oomable --timeout 240")
    wait_for(f"the end of {WILD}", ended, 300)
    wait_for(f"{WILD} healthy again", lambda: remote.service(WILD)["healthy"], 240)
    print(f"held {max(held) >> 20} MB of {limit >> 20} MB allowed, {3 * limit >> 20} wanted")
    assert limit / 4 < max(held) <= limit
    changed = {unit for unit, pid in pids(remote).items() if before.get(unit) != pid}
    assert changed == {UNIT}, f"others died with it: {changed - {UNIT}}"
