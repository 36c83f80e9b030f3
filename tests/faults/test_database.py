"""The database restarted, killed, frozen, locked, robbed of its connections and of its disk: trading waits, and nothing is lost."""

from __future__ import annotations

import pytest
from injury import Injury
from remote import Remote
from test_processes import TWELVE, pid

AWAY = "^database away: "
POSTMASTER = "$(head -1 /var/lib/postgresql/*/main/postmaster.pid)"
PSQL = "cd / && runuser -u postgres -- psql -X -q -d rec_io_db"
# Takes every place there is, those kept for the superuser too, for as long as it runs.
HOG = """
import sys, time, psycopg2
held = []
try:
    while True:
        held.append(psycopg2.connect("dbname=rec_io_db user=postgres host=/var/run/postgresql"))
except psycopg2.OperationalError as full:
    held[0].autocommit = True
    with held[0].cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'trade_manager'")
    time.sleep(float(sys.argv[1]))
"""


def pids(remote: Remote) -> dict[str, str]:
    """The main process of each of the twelve."""
    return {name: pid(remote, name) for name in TWELVE}


@pytest.mark.long
def test_restarted_again_and_again(injury: Injury, remote: Remote) -> None:
    before = pids(remote)
    with injury.watch("8", "PostgreSQL restarted five times", says=AWAY) as seen:
        seen.inject("for turn in 1 2 3 4 5; do systemctl restart postgresql; sleep 2; done")
    assert pids(remote) == before, "a restart of the database must not cost a service its life"


def test_postmaster_killed(injury: Injury, remote: Remote) -> None:
    before = pids(remote)
    with injury.watch("6", "the postmaster killed (SIGKILL)", says=AWAY) as seen:
        offer = injury.desk.wait_offer(left_min_s=20)
        seen.inject(f"kill -9 {POSTMASTER}")
        answer = injury.desk.buy(offer)
        assert answer.status in (200, 503), answer
    assert pids(remote) == before


def test_killed_again_while_it_starts(injury: Injury, remote: Remote) -> None:
    """In the moment in which its unit has begun and not yet ended its start: nobody may wait for that one for ever."""
    before = pids(remote)
    caught = (
        f"kill -9 {POSTMASTER}; for look in $(seq 2000); do"
        " case $(systemctl show --property=SubState --value 'postgresql@*.service') in"
        f" start-post) kill -9 {POSTMASTER} && echo caught; break;; esac; done"
    )
    with injury.watch("6", "the postmaster killed again while it starts", says=AWAY) as seen:
        assert "caught" in seen.inject(caught), "its start was over before it could be killed"
    assert pids(remote) == before


def test_restarted_while_it_starts(injury: Injury, remote: Remote) -> None:
    """The start that is broken off leaves a server behind where a container's systemd cannot end it; nobody waits for that one."""
    before = pids(remote)
    caught = (
        f"kill -9 {POSTMASTER}; for look in $(seq 2000); do"
        " case $(systemctl show --property=SubState --value 'postgresql@*.service') in"
        f" start) kill -0 {POSTMASTER} 2>/dev/null || continue; echo caught; timeout 60 systemctl restart postgresql && echo done;"
        " break;; start-post) break;; esac; done"
    )
    with injury.watch("6", "PostgreSQL restarted while it starts after a kill", says=AWAY) as seen:
        assert seen.inject(caught).split() == ["caught", "done"]
    assert pids(remote) == before


def test_every_connection_cut_while_it_trades(injury: Injury) -> None:
    """In the middle of whatever it was doing, a commit too: the outcome is looked up, no row is made twice."""
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = 'rec_io_db' AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    with injury.watch("7", "every connection to the database cut, six times", says=AWAY) as seen:
        offer = injury.desk.wait_offer(left_min_s=20)
        seen.inject(f'(for turn in 1 2 3 4 5 6; do {PSQL} -c "{cut}"; sleep 0.7; done) >/dev/null 2>&1 & sleep 0.2')
        injury.desk.buy(offer)


def test_frozen(injury: Injury) -> None:
    with injury.watch("A1", "PostgreSQL frozen (SIGSTOP) for 20 s", blames="silent|database") as seen:
        seen.inject("pkill -STOP -u postgres -x postgres; sleep 20")
        seen.heal("pkill -CONT -u postgres -x postgres")


def test_no_connection_left(injury: Injury, remote: Remote) -> None:
    """Who holds a connection goes on; who lost it says so, and is back as soon as there is one."""
    with injury.watch(
        "A1", "no connection left for 15 s", blames="^trade_manager: .*(too many|remaining|slots)"
    ) as seen:
        remote.out(f"cat >/run/hog.py <<'END'\n{HOG}END")
        seen.inject("/opt/recio/current/venv/bin/python /run/hog.py 15 >/dev/null 2>&1 & sleep 16; rm /run/hog.py")
        seen.heal("true")


@pytest.mark.parametrize("table", ["users.orders", pytest.param("system.dependency_state", marks=pytest.mark.long)])
def test_a_lock_is_held(injury: Injury, table: str) -> None:
    """Somebody's forgotten transaction holds what everybody needs; nobody hangs for good, and it is healthy when it is gone."""
    with injury.watch("9", f"{table} locked for 20 s") as seen:
        seen.inject(f"{PSQL} -c 'BEGIN; LOCK TABLE {table}; SELECT pg_sleep(20); COMMIT' >/dev/null; true")
        seen.heal("true")
