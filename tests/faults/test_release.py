"""A release that cannot work: the one before trades on, whatever it broke off at."""

from __future__ import annotations

import time

import pytest
from clicker import Clicker
from desk import Desk
from fixtures import played
from injury import Injury
from remote import Remote
from trialhost import other_release

pytestmark = pytest.mark.timeout(1200)
BAD = {
    "35": ("a release whose migration fails", {"migration": "CREATE TABLE system.half (x int); SELECT 1 / 0;"}, "division by zero"),
    "36": ("a release whose watchdog cannot start", {"breaking": "raise RuntimeError('a bad release')"}, "btc_price_watchdog"),
}  # fmt: skip


def current(remote: Remote) -> str:
    """The release in service."""
    return remote.out("basename $(readlink -f /opt/recio/current)").strip()


def test_a_new_release_and_back(injury: Injury, remote: Remote, desk: Desk, facts: dict[str, str]) -> None:
    """While somebody trades: the new one in service, back to the old one, and twice back lands on one that is good."""
    old = current(remote)
    release, left = other_release.build("newer"), ""
    with injury.watch("36", "a new release, and back to the one before") as seen:
        seen.inject("true")
        for what, words in (
            ("a new release", ("site.yml", "-e", f"app_release_dir={release}")),
            ("back", ("playbooks/rollback.yml",)),
        ):
            clicker, began_s = Clicker(desk), time.monotonic()
            clicker.start()
            done = played(facts, *words)
            took_s = time.monotonic() - began_s
            remote.wait_healthy(60)
            print(f"\n  {what}: {took_s:.1f} s in all, {clicker.end()}")
            assert done.returncode == 0, done.stdout[-3000:]
            assert clicker.accepted, "nobody could buy meanwhile"
            assert (current(remote) == old) == (what == "back")
            left = left or current(remote)
    others = set(remote.out("ls /opt/recio/releases").split()) - {old, left}
    again = played(facts, "playbooks/rollback.yml")
    assert not remote.unhealthy()
    if others:  # a host with a longer history has one more that is good
        assert again.returncode == 0 and current(remote) in others
        played(facts, "site.yml")
        assert current(remote) == old
        return
    assert again.returncode != 0, "the release that was left is no good one to go back to"
    assert "Nothing was changed" in again.stdout, again.stdout[-2000:]
    assert current(remote) == old


@pytest.mark.parametrize("number", BAD)
def test_a_bad_release(injury: Injury, remote: Remote, facts: dict[str, str], number: str) -> None:
    """The deploy fails and says why; the release before is in service, proven, and nothing half done is left of the new one."""
    what, wrong, why = BAD[number]
    release = other_release.build(f"bad-{number}", **wrong)
    before = current(remote)
    schema = remote.sql("SELECT version_num FROM public.schema_version")
    with injury.watch(number, what) as seen:
        seen.inject("true")
        done = played(facts, "site.yml", "-e", f"app_release_dir={release}")
    assert done.returncode != 0, "it was deployed"
    assert why in done.stdout, done.stdout[-3000:]
    assert current(remote) == before
    assert remote.sql("SELECT version_num FROM public.schema_version") == schema
    assert remote.sql("SELECT count(*) FROM pg_class WHERE relname = 'half'") == [["0"]]
    assert not remote.unhealthy()
