"""Real newer versions of PostgreSQL, offered as Debian offers a security update: held, installed in their window, taken back."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clicker import Clicker
from desk import Desk
from fixtures import played
from injury import Injury
from remote import Remote

pytestmark = pytest.mark.timeout(900)
ARCHIVE = (Path(__file__).parent / "on_host/archive.py").read_text()
OTHER = "distro-info-data"  # a table of releases that nothing of the desk reads: the update that does come by itself


class Archive:
    """What the host's apt is offered."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        (cluster,) = remote.out("cat /etc/recio/postgresql-cluster").split()
        self.version, name = cluster.split("/")
        self.unit = f"postgresql@{self.version}-{name}"
        # One source: an update always brings them together.
        self.held = (f"postgresql-{self.version}", f"postgresql-client-{self.version}")
        self.names = (*self.held, "libpq5")
        self("away")  # of a run that was killed
        self.came = self.installed()

    def __call__(self, *words: str) -> None:
        """One call of archive.py."""
        self._remote.out(f"python3 - {shlex.join(words)} <<'END_OF_PROGRAM'\n{ARCHIVE}\nEND_OF_PROGRAM")

    def installed(self, *names: str) -> dict[str, str]:
        """Name -> version; of the database's packages when none are named."""
        asked = " ".join(names or self.names)
        return dict(
            line.split()
            for line in self._remote.out(
                f"dpkg-query --show --showformat='${{Package}} ${{Version}}\\n' {asked}"
            ).splitlines()
        )

    def offered(self, mark: str) -> dict[str, str]:
        """The same with what archive.py offers."""
        return {name: version + mark for name, version in self.came.items()}

    def automatic(self) -> set[str]:
        """Packages that apt may remove when nothing needs them any more."""
        return set(self._remote.out("apt-mark showauto").split())


@pytest.fixture(scope="module")
def archive(remote: Remote) -> Iterator[Archive]:
    """An archive with nothing in it yet; afterwards every package, its mark and apt's own archives are as they were."""
    made = Archive(remote)
    came, marks = made.installed(*made.names, "pgbackrest", OTHER), made.automatic()
    yield made
    made("away")
    remote.wait_healthy(90)
    remote.out("recio requests measure")  # as cron does it: the updates that wait are looked for anew
    assert made.installed(*came) == came
    assert made.automatic() == marks
    places = "/var/tmp/recio-* /etc/apt/apt.conf.d/99* /var/cache/recio-earlier-packages"
    assert remote.out(f"ls -d {places} 2>/dev/null || true") == ""
    assert remote.out("find /etc -name '*.dpkg-*'") == ""


def words(done: subprocess.CompletedProcess[str]) -> str:
    """What a run said, without the line breaks of its terminal."""
    return " ".join(done.stdout.split())


def server_now(remote: Remote) -> str:
    """When the database server that answers was started, and its process's number."""
    (row,) = remote.sql("SELECT pg_postmaster_start_time(), split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")
    return " ".join(row)


def starts(remote: Remote, archive: Archive, since_s: str) -> int:
    """How often systemd has started it since."""
    said = remote.out(f"journalctl --unit {archive.unit} --since @{since_s} --output cat --no-pager")
    return len(re.findall(r"(?m)^Started ", said))


def window(remote: Remote, open_now: bool) -> str:
    """A window as extra variables: hours around now by the host's clock, or hours away from it."""
    hour = int(remote.out("date -u +%H"))
    begin, end = (hour - 2, hour + 3) if open_now else (hour + 8, hour + 10)
    return json.dumps({"host_update_window": f"{begin % 24:02d}:00-{end % 24:02d}:00"})


def updated_while_trading(
    injury: Injury, desk: Desk, facts: dict[str, str], what: str
) -> subprocess.CompletedProcess[str]:
    """The playbook in its window, while a trade is open and somebody goes on buying; ledger and exchange agree afterwards."""
    injury.remote.wait_healthy(90)
    extra = window(injury.remote, open_now=True)
    desk.buy_filled(left_min_s=10)
    clicker, began_s = Clicker(desk), time.monotonic()
    clicker.start()
    try:
        done = played(facts, "playbooks/upgrade.yml", "-e", extra)
        took_s = time.monotonic() - began_s
        injury.remote.wait_healthy(90)
        time.sleep(2)  # for one press more
    finally:
        said = clicker.end()
    counts = injury.same_story()
    print(f"\n  {what}: {took_s:.1f} s in all, {said}; {counts['orders']} orders, {counts['fills']} fills agree")
    assert clicker.judged, "nobody could buy meanwhile"
    return done


def test_unattended_upgrades_brings_others_and_leaves_the_database_alone(remote: Remote, archive: Archive) -> None:
    """The very program of the daily timer, for real. The client's library may come: nothing is restarted by it."""
    waiting = (*archive.held, "pgbackrest")
    archive("offer", "+recio1", *archive.names, "pgbackrest", OTHER)
    before, server = archive.installed(*waiting, OTHER), server_now(remote)
    said = remote.out("unattended-upgrade --verbose --debug 2>&1")
    assert archive.installed(OTHER)[OTHER] == f"{before.pop(OTHER)}+recio1", said[-3000:]
    assert archive.installed(*waiting) == before, said[-3000:]
    assert server_now(remote) == server, "the database was restarted"


def test_outside_its_window_an_update_is_named_and_waits(
    remote: Remote, archive: Archive, facts: dict[str, str]
) -> None:
    archive("offer", "+recio1", *archive.names)
    server, database = server_now(remote), archive.installed()
    extra, began_s = window(remote, open_now=False), time.monotonic()
    done = played(facts, "playbooks/upgrade.yml", "-e", extra)
    print(f"\n  a run that holds the update: {time.monotonic() - began_s:.1f} s in all")
    assert done.returncode == 0, done.stdout[-3000:]
    told = re.search(r"msg: '?([^:]*): updates that restart the database or the page wait for (\S+) UTC", words(done))
    assert told, done.stdout[-3000:]
    assert set(archive.held) <= set(told[1].split(", ")), told[1]
    assert told[2] == json.loads(extra)["host_update_window"]
    assert archive.installed() == database
    assert server_now(remote) == server, "the database was restarted"


def test_inside_its_window_it_is_installed_with_one_restart(
    injury: Injury, remote: Remote, desk: Desk, archive: Archive, facts: dict[str, str]
) -> None:
    """While somebody trades."""
    archive("offer", "+recio1", *archive.names)
    server, marks, since_s = server_now(remote), archive.automatic(), remote.out("date +%s").strip()
    done = updated_while_trading(injury, desk, facts, "a minor update")
    assert done.returncode == 0, done.stdout[-3000:]
    assert archive.installed() == archive.offered("+recio1")
    assert archive.automatic() == marks, "what came with others no longer goes with them"
    assert server_now(remote) != server
    assert starts(remote, archive, since_s) == 1
    assert not remote.unhealthy()


@pytest.mark.long
def test_an_update_that_breaks_the_database_is_taken_back(
    injury: Injury, remote: Remote, desk: Desk, archive: Archive, facts: dict[str, str]
) -> None:
    """The archive has no longer what was installed: of a security update Debian's keeps only the newest."""
    archive("offer", "+recio2", *archive.names, "--broken")
    database, marks, since_s = archive.installed(), archive.automatic(), remote.out("date +%s").strip()
    done = updated_while_trading(injury, desk, facts, "an update that is taken back")
    assert done.returncode != 0, "it was accepted"
    assert "The earlier versions are back and every service has proven itself" in words(done), done.stdout[-3000:]
    why = rf"{archive.held[0]}=\S+\+recio2.* did not pass.*What failed: The database answers after them: \S+ - no response"
    assert re.search(why, words(done)), done.stdout[-3000:]
    assert archive.installed() == database
    assert archive.automatic() == marks, "what came with others no longer goes with them"
    assert starts(remote, archive, since_s) == 1, "the broken one never was"
    assert not remote.unhealthy()
