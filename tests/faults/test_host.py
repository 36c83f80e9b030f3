"""What a machine does to its desk: full disks, no file descriptors, a flood of log lines, a spoilt file, everything down at once."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from desk import Answer
from injury import Injury
from remote import Remote, wait_for
from test_processes import TWELVE, pid

from recio.contract import Contract

CLUSTER = "/var/lib/postgresql"
# The unit that carries the name returns before its cluster has stopped.
STOP = "systemctl stop postgresql 'postgresql@*'"
SMALL = "/run/small-disk"  # a tmpfs in the place of a disk: it is full when it says so


@contextmanager
def small_disk(remote: Remote, folder: str, limits: str, before: str, after: str) -> Iterator[None]:
    """``folder`` with all it holds on a disk of such ``limits``; put back, with what was written meanwhile, at the end."""
    remote.out(
        f"set -e; {before}; mkdir -p {SMALL}; mount -t tmpfs -o {limits} tmpfs {SMALL}; cp -a {folder}/. {SMALL}/;"
        f" mount --bind {SMALL} {folder}; {after}"
    )
    try:
        yield
    finally:
        # Lazily: who reads the journal holds its files open until it is told anew.
        remote.out(
            f"set -e; rm -rf {folder}/ballast; {before}; umount -l {folder}; find {folder} -mindepth 1 -delete;"
            f" cp -a {SMALL}/. {folder}/; umount {SMALL} || umount -l {SMALL}; rmdir {SMALL}; {after}"
        )


def fill(folder: str) -> str:
    """Leaves nothing free."""
    # By bytes until there is no room: of a size computed before, the server may have taken a part.
    return f"cat /dev/zero >{folder}/ballast 2>/dev/null; test $(stat -f -c %a {folder}) -le 1"


def full_of_files(folder: str) -> str:
    """Leaves no inode free."""
    return (
        f"mkdir {folder}/ballast; cd {folder}/ballast; n=0; while : 2>/dev/null >$n; do n=$((n + 1)); done 2>/dev/null;"
        f" cd /; test $(stat -f -c %d {folder}) = 0"
    )


@pytest.mark.parametrize(
    ("number", "what", "fill_up"),
    [
        ("10", "disk full under the database", fill),
        pytest.param("A2", "no inode left under the database", full_of_files, marks=pytest.mark.long),
    ],
    ids=["space", "inodes"],
)
def test_disk_full_under_the_database(
    injury: Injury, remote: Remote, number: str, what: str, fill_up: Callable[[str], str]
) -> None:
    """The write-ahead log finds no room: the server stops rather than lie. Nothing is bought meanwhile; room is all it needs."""
    before = {name: pid(remote, name) for name in TWELVE}
    used_mb = int(remote.out(f"du -sm {CLUSTER}").split()[0])
    inodes = int(remote.out(f"du -s --inodes {CLUSTER}").split()[0])
    psql = "cd / && runuser -u postgres -- psql -X -q -d rec_io_db"
    limits = f"size={used_mb + 200}M,nr_inodes={inodes + 400}"
    with small_disk(remote, CLUSTER, limits, STOP, "systemctl start postgresql"):
        remote.wait_healthy(90)
        # Without space it stays away; without inodes it is back within a second or two, with segments it has, and stops again.
        blames = "database|silent|last .* ago" if fill_up is fill else ""
        with injury.watch(number, what, blames=blames, says="^database away") as seen:
            seen.inject(fill_up(CLUSTER))
            # Segments made beforehand are used up first; a day of trading in a few seconds.
            use_up = (
                f"for turn in $(seq 60); do {psql} -c 'SELECT txid_current(); SELECT pg_switch_wal()' >/dev/null 2>&1"
                " || { echo it stopped; break; }; done"
            )
            if not remote.out(use_up):
                wait_for("the database to stop", lambda: remote.host.run(f"{psql} -c 'SELECT 1'").rc, 60)

            def away() -> bool:
                """What its recovery freed lets it come back for a moment: it is used up, and the page asked again."""
                status = injury.desk.call("GET", "/api/trades").status
                assert status in (200, 500, 503), f"the database is away, and the page says {status}"
                if status == 200 and fill_up is fill:
                    remote.out(use_up)
                return status != 200 or fill_up is not fill

            wait_for("the page to say that the database is away", away, 60)
            seen.heal(f"rm -rf {CLUSTER}/ballast")
    remote.wait_healthy(90)
    assert {name: pid(remote, name) for name in TWELVE} == before, "a full disk must not cost a service its life"


@pytest.mark.long
def test_disk_full_under_the_log(injury: Injury, remote: Remote) -> None:
    """Trading is unaffected, and what is said afterwards is kept again."""
    journal = f"/var/log/journal/{remote.out('cat /etc/machine-id').strip()}"
    restart = "journalctl --flush --rotate -q; journalctl --vacuum-files=1 -q; systemctl restart systemd-journald"
    with small_disk(remote, journal, "size=64M", restart, restart):
        with injury.watch("11", "disk full under the log", unseen=True) as seen:
            seen.inject(fill(journal))
            remote.out("for turn in $(seq 200); do logger -t filler 'a line that finds no room'; done; sleep 5")
            injury.desk.buy_filled(left_min_s=10)
            seen.heal(f"rm {journal}/ballast")
        word = uuid.uuid4().hex
        remote.out(f"logger -t filler {word}")
        wait_for("the log to go on", lambda: word in remote.out("journalctl -t filler -n 50 --no-pager"), 30)


def test_the_archive_cannot_be_written(injury: Injury, remote: Remote, contract: Contract) -> None:
    """The database goes on, what is not archived waits, and somebody is told."""
    late = "^archive of the WAL is late: "
    with injury.watch("12", "the WAL's archive cannot be written", says=late) as seen:
        folder = f"{contract.directories['backup'].path}/wal"
        owner = remote.out(f"stat -c %U {folder}").strip()  # whom no mode keeps out: it may change it
        psql = "cd / && runuser -u postgres -- psql -X -q -d rec_io_db"
        try:
            seen.inject(f"chown root {folder}")
            deadline = time.monotonic() + 300
            while not injury.incident(seen.injected_s, late):
                assert time.monotonic() < deadline, "nobody said within 300 s that nothing is archived"
                remote.out(f"{psql} -c 'SELECT txid_current(); SELECT pg_switch_wal()' >/dev/null; sleep 3")
            assert injury.desk.get("/api/trades"), "the database goes on"
        finally:
            seen.heal(f"chown {owner} {folder}")


def test_no_file_descriptor_left(injury: Injury, remote: Remote) -> None:
    """The page refuses who comes next and does not run hot; with descriptors again it answers, the same process."""
    before = pid(remote, "main_app")
    limits = remote.out(f"prlimit --nofile --noheadings --output SOFT,HARD --pid {before}").split()
    address = urlsplit(injury.desk.url)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # these sockets only take places
    with injury.watch("15", "the page without a file descriptor for 10 s") as seen:
        held: list[socket.socket] = []
        try:
            seen.inject(f"prlimit --nofile=$(( $(ls /proc/{before}/fd | wc -l) + 2 )):{limits[1]} --pid {before}")
            began_s, busy_s = time.monotonic(), cpu_s(remote, before)
            for _ in range(40):
                one = context.wrap_socket(socket.create_connection((address.hostname or "", address.port or 443), 5))
                one.sendall(f"GET /livez HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
                held.append(one)
            # Not much longer: a page that does not answer for the watchdog's 25 s is rightly started anew.
            time.sleep(max(0.0, began_s + 10 - time.monotonic()))
            assert cpu_s(remote, before) - busy_s < 5.0, "half a core and more for refusing"
            soft, used = remote.out(
                f"prlimit --nofile --noheadings --output SOFT --pid {before}; ls /proc/{before}/fd | wc -l"
            ).split()
            assert int(used) >= int(soft) - 1, f"it still had descriptors: {used} of {soft} in use"
        finally:
            for one in held:
                one.close()
            seen.heal(f"prlimit --nofile={limits[0]}:{limits[1]} --pid {before}")
        wait_for("the page to answer", lambda: injury.desk.call("GET", "/api/events").status == 200, 60)
        healed_s = float(remote.out("date +%s.%N"))
        # Its proofs go on too: a page that answers while the thread that proves it has ended is killed 25 s later.
        wait_for("a health report of now", lambda: reported_s(remote, "main_app") > healed_s, 20)
    assert pid(remote, "main_app") == before


def reported_s(remote: Remote, service: str) -> float:
    """When a service last wrote its health report, Unix seconds; 0 between its end and its first report."""
    text = remote.out(f"cat /run/recio/{service}/health.json 2>/dev/null || true")
    return float(json.loads(text)["at_s"]) if text.strip() else 0.0


def cpu_s(remote: Remote, process: str) -> float:
    """Processor seconds of a process so far (proc(5), stat fields 14 and 15, in hundredths)."""
    fields = remote.out(f"cat /proc/{process}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.long
def test_a_flood_of_log_lines(injury: Injury, remote: Remote, contract: Contract) -> None:
    """Bounded on the disk, and nobody's work waits for it; what the services say is kept."""
    with injury.watch("40", "a flood of log lines for 20 s", unseen=True) as seen:
        seen.inject("timeout 20 sh -c 'yes a line of a program gone mad | systemd-cat -t flood'; true")
        injury.desk.buy_filled(left_min_s=10)
    logs = contract.directories["logs"]
    held_mb = int(remote.out(f"du -sm {logs.path}").split()[0])
    assert held_mb <= logs.size_mb, f"{held_mb} MB of logs, allowed {logs.size_mb}"
    assert remote.out("recio logs trade_manager --lines 5").strip(), "what the services said is gone"


def test_everything_down_at_once(injury: Injury, remote: Remote) -> None:
    """A start without a database: nobody gives up, and all are back when it is."""
    with injury.watch(
        "4", "all twelve started without a database, which comes 20 s later", blames="the unit is starting|database"
    ) as seen:
        seen.inject("systemctl stop postgresql; systemctl restart --no-block recio.target; sleep 20")
        shown = remote.show([f"recio-{name}.service" for name in TWELVE], "ActiveState")
        assert "failed" not in {unit["ActiveState"] for unit in shown.values()}, shown
        seen.heal("systemctl start postgresql")


def test_a_spoilt_file(injury: Injury, remote: Remote) -> None:
    """A service whose settings cannot be read refuses by name; the others go on; with the file right it is back by itself."""
    path = "/etc/recio/contract.yml"
    with injury.watch(
        "A11", "the contract's file spoilt, one service started anew", says="^auto_entry_supervisor down: "
    ) as seen:
        remote.out(f"cp -a {path} {path}.kept")
        try:
            seen.inject(
                f"head -c 200 {path}.kept >{path}; systemctl restart --no-block recio-auto_entry_supervisor; sleep 8"
            )
            said = remote.out("journalctl --unit recio-auto_entry_supervisor --since -30s --no-pager")
            assert path in said, f"it does not name the file: {said[-600:]}"
        finally:
            seen.heal(f"mv {path}.kept {path}")


def test_two_at_once_close_the_same_trade(injury: Injury) -> None:
    """Two browsers, one trade: sold once."""
    with injury.watch("A7", "two sessions close the same trade at once", unseen=True, trade=False) as seen:
        trade = injury.desk.buy_filled(left_min_s=30)
        seen.inject("true")
        answers: list[Answer] = []

        def close() -> None:
            body = {"idempotency_key": f"test-{uuid.uuid4()}", "limit_price": "0.01"}
            answers.append(injury.desk.call("POST", f"/api/trades/{trade['trade_id']}/close", body))

        both = [threading.Thread(target=close) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        assert len(answers) == 2 and all(answer.status in (200, 409) for answer in answers), answers
    ended = wait_for(
        "its end", lambda: (now := injury.desk.trade(trade["trade_id"]))["state"] == "closed" and now, 180, 1
    )
    exits = [order for order in ended["orders"] if order["purpose"] == "exit" and order["state"] == "filled"]
    assert len(exits) <= 1, exits
