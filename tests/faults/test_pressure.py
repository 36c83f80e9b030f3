"""Memory and names give out: what eats is ended, not the desk; and no name is looked up while all is connected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from injury import Injury
from remote import Remote
from test_database import POSTMASTER, pids
from trialhost import machine, place

MEMORY = Path("/sys/fs/cgroup/memory")  # of cgroup version 1, whose memory may be counted beside systemd's groups
EATER = "import time; held = []\nwhile True: held.append(bytearray(b'x' * 16777216)); time.sleep(0.01)"


@contextmanager
def little_memory(name: str, spare_mb: int) -> Iterator[Path]:
    """The trial host with ``spare_mb`` beyond what its processes hold already: the kernel's own limit; gives its group."""
    host = place.find(name)
    leader = machine.running_pid(host) if host else None
    assert leader
    inside = [leader, *(process.pid for process in psutil.Process(leader).children(recursive=True))]
    words = Path(f"/proc/{leader}/cgroup").read_text()
    found = re.search(r"^[0-9]+:memory:(.*)$", words, re.M)
    assert found, words
    group = MEMORY / f"recio-{name}"
    group.mkdir(exist_ok=True)

    def move(to: Path) -> None:
        for process in inside:
            try:
                (to / "cgroup.procs").write_text(str(process))
            except ProcessLookupError:
                continue  # it ended meanwhile

    move(group)  # what they hold stays counted where it was
    try:
        (group / "memory.limit_in_bytes").write_text(str(spare_mb * 1024 * 1024))
        yield group
    finally:
        (group / "memory.limit_in_bytes").write_text("-1")
        inside = [int(line) for line in (group / "cgroup.procs").read_text().split()]
        move(MEMORY / found[1].lstrip("/"))
        group.rmdir()


@pytest.mark.long
@pytest.mark.skipif(
    not (MEMORY / "memory.limit_in_bytes").exists(), reason="this kernel does not count memory in groups of version 1"
)
def test_the_host_out_of_memory(injury: Injury, remote: Remote, facts: dict[str, str]) -> None:
    """A stranger's program eats all there is: the kernel ends it, the postmaster and the twelve work on."""
    before, postmaster = pids(remote), remote.out(f"echo {POSTMASTER}")
    with (
        little_memory(facts["host"], 200) as group,
        injury.watch("14", "the host's memory eaten by a stranger", unseen=True) as seen,
    ):
        ended = seen.inject(f'python3 -c "{EATER}"; echo $?')
        assert int(ended.split()[-1]) == 137, f"it was not killed: {ended}"
        assert int((group / "memory.failcnt").read_text()) > 0, "the limit was never reached"
    assert pids(remote) == before
    assert remote.out(f"echo {POSTMASTER}") == postmaster


@pytest.mark.long
def test_no_name_resolves(injury: Injury, remote: Remote) -> None:
    """Nothing the desk does waits for a name."""
    with injury.watch("27", "no name server for 20 s", unseen=True) as seen:
        try:
            seen.inject("printf 'nameserver 192.0.2.1\\noptions timeout:1 attempts:1\\n' >/run/resolv.none;"
                        " mount --bind /run/resolv.none $(readlink -f /etc/resolv.conf)")  # fmt: skip
            injury.desk.buy_filled(left_min_s=10)
            assert "192.0.2.1" in remote.out("cat /etc/resolv.conf"), "its name server was not taken away"
            remote.out("sleep 15")
        finally:
            seen.heal("umount $(readlink -f /etc/resolv.conf); rm /run/resolv.none")
