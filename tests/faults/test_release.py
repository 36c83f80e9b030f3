"""A release that cannot work: the one before trades on, whatever it broke off at."""

from __future__ import annotations

import os
import subprocess

import pytest
from fixtures import PROJECT
from injury import Injury
from remote import Remote
from trialhost import other_release

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]
BAD = {
    "35": ("a release whose migration fails", {"migration": "CREATE TABLE system.half (x int); SELECT 1 / 0;"}, "division by zero"),
    "36": ("a release whose watchdog cannot start", {"breaking": "raise RuntimeError('a bad release')"}, "btc_price_watchdog"),
}  # fmt: skip


@pytest.mark.parametrize("number", BAD)
def test_a_bad_release(injury: Injury, remote: Remote, facts: dict[str, str], number: str) -> None:
    """The deploy fails and says why; the release before is in service, proven, and nothing half done is left of the new one."""
    what, wrong, why = BAD[number]
    release = other_release.build(f"bad-{number}", **wrong)
    before = remote.out("readlink -f /opt/recio/current").strip()
    schema = remote.sql("SELECT version_num FROM public.schema_version")
    environment = {**os.environ, "RECIO_TRIAL_NAME": facts["host"], "PATH": f"{PROJECT}/.venv/bin:{os.environ['PATH']}"}
    words = ["ansible-playbook", "-i", "inventory/trial", "site.yml", "-e", f"app_release_dir={release}"]
    with injury.watch(number, what) as seen:
        seen.inject("true")
        done = subprocess.run(words, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0, "it was deployed"
    assert why in done.stdout, done.stdout[-3000:]
    assert remote.out("readlink -f /opt/recio/current").strip() == before
    assert remote.sql("SELECT version_num FROM public.schema_version") == schema
    assert remote.sql("SELECT count(*) FROM pg_class WHERE relname = 'half'") == [["0"]]
    assert not remote.unhealthy()
