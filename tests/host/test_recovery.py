"""The database's disk is lost: the server killed, its folder gone. The archive brings the ledger back, and the desk goes on."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
from desk import Desk
from remote import Remote, wait_for

from recio.contract import Contract

DATA = "/var/lib/postgresql/$(cat /etc/recio/postgresql-cluster)"
RPO_S, RTO_S = 60.0, 300.0


@pytest.fixture
def archived(remote: Remote, healthy: None) -> None:
    """The archive takes what the server gives it."""

    def alive() -> bool:
        row = remote.sql(
            "SELECT coalesce(extract(epoch FROM now() - last_archived_time), 1e9), coalesce(last_failed_time > last_archived_time, false)"
            " FROM pg_stat_archiver"
        )[0]
        return float(row[0]) < 120 and row[1] == "f"

    wait_for("a segment in the archive", alive, 180, every_s=2)


def test_the_archive_is_as_young_as_the_contract_says(remote: Remote, contract: Contract, archived: None) -> None:
    timeout_s = int(str(contract.postgresql.settings["archive_timeout"]).removesuffix("s"))
    listed = json.loads(remote.out("recio backup list --json"))
    assert listed["archive"]["bases"], "there is a base backup to start from"
    assert time.time() - listed["archive"]["newest_s"] < timeout_s + 60
    assert remote.out("stat -c '%a %U:%G' /etc/pgbackrest.conf /var/backups/recio/wal").split("\n")[:2] == [
        "640 root:postgres",
        "700 postgres:postgres",
    ]


def test_a_clean_restart_does_not_put_the_archive_to_sleep(remote: Remote, contract: Contract, archived: None) -> None:
    timeout_s = int(str(contract.postgresql.settings["archive_timeout"]).removesuffix("s"))
    remote.out("systemctl restart postgresql")
    remote.wait_healthy(60)
    (wal,) = remote.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")[0]  # begun by the new server
    archived_it = f"SELECT last_archived_wal >= '{wal}' FROM pg_stat_archiver"
    wait_for(f"{wal} in the archive", lambda: remote.sql(archived_it) == [["t"]], timeout_s + 45, every_s=2)


def test_the_archive_goes_on_when_its_folder_was_replaced(remote: Remote, archived: None) -> None:
    """A restore from a copy puts another folder in its place under the running server, which must reach the new one."""
    remote.out("cd /var/backups/recio && cp -a wal wal.new && mv wal wal.old && mv wal.new wal && rm -r wal.old")
    remote.sql("SELECT pg_logical_emit_message(true, 'recio', 'a segment with something in it')")
    (wal,) = remote.sql("SELECT pg_walfile_name(pg_switch_wal())")[0]
    archived_it = f"SELECT last_archived_wal >= '{wal}' FROM pg_stat_archiver"
    wait_for(f"{wal} in the archive", lambda: remote.sql(archived_it) == [["t"]], 60)
    assert remote.out(f"ls /var/backups/recio/wal/archive/recio/*/*/{wal}-*")


def test_tables_that_live_for_seconds_are_not_logged(remote: Remote) -> None:
    rows = remote.sql(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname = 'live_data' AND relkind = 'r' AND relpersistence = 'u' ORDER BY 1"
    )
    assert [row[0] for row in rows] == ["books", "btc_price", "entry_status", "exchange_state", "strike_tables"]
    logged = remote.sql("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
                        " WHERE nspname = 'users' AND relkind = 'r' AND relpersistence <> 'p'")  # fmt: skip
    assert logged == [["0"]], "nothing of the ledger is"


def test_a_moment_before_the_archive_is_refused_and_nothing_stops(remote: Remote, archived: None) -> None:
    done = remote.host.run("recio backup recover --check --to 2020-01-01T00:00:00+00:00")
    assert (done.rc, "the archive reaches back to" in done.stderr) == (1, True), done
    done = remote.host.run("recio backup recover")
    assert (done.rc, "still run" in done.stderr) == (1, True), done
    assert not remote.unhealthy()


@pytest.fixture
def quiet(remote: Remote, desk: Desk, archived: None) -> None:
    """Every order made is in the archive, and the newest segment is some time old: the usual case, not the luckiest."""

    def still() -> bool:
        row = remote.sql(
            "SELECT extract(epoch FROM now() - (SELECT max(greatest(sent_at, done_at)) FROM users.orders)),"
            " extract(epoch FROM now() - last_archived_time) FROM pg_stat_archiver"
        )[0]
        return float(row[0] or 1e9) > 80 and 10 < float(row[1]) < 30

    remote.out("recio kill on --why 'the disk is about to be lost'")
    try:
        wait_for("eighty seconds without an order", still, 390, every_s=2)
    finally:
        remote.out("recio kill off --why 'one order is to be lost with it'")


def _bought_and_not_archived(remote: Remote, desk: Desk) -> tuple[str, str]:
    """The client order id and the exchange's id of an order that is filled, and whose record no archived segment can hold."""

    def order() -> list[str] | None:
        decided = desk.buy(desk.wait_offer(left_min_s=45))
        assert decided.status == 200, decided
        trade_id = decided.body["trade_id"]
        if trade_id is None:
            return None  # the price ran away
        found: list[list[str]] = wait_for(
            "the order's end",
            lambda: remote.sql(
                "SELECT client_order_id, exchange_order_id, acked_count_e2, sent_at > (SELECT last_archived_time FROM"
                f" pg_stat_archiver) FROM users.orders WHERE trade_id = {trade_id} AND done_at IS NOT NULL"
            ),
            20,
            every_s=0.1,
        )
        return found[0] if int(found[0][2]) and found[0][3] == "t" else None

    found = wait_for("a filled order that is not archived", order, 200)
    return found[0], found[1]


@pytest.mark.timeout(900)
def test_the_lost_disk_costs_less_than_a_minute_and_no_order(remote: Remote, desk: Desk, quiet: None) -> None:
    # A trade the exchange settled minutes ago must be there again; what is seconds old is lost, and the exchange knows it.
    settled = {
        row[0]
        for row in remote.sql(
            "SELECT trade_id FROM users.trades WHERE state = 'closed' AND closed_at < now() - interval '2 minutes'"
        )
    }
    lost, exchange_id = _bought_and_not_archived(remote, desk)
    remote.out(f"kill -9 $(head -1 {DATA}/postmaster.pid)")
    lost_at = datetime.now(UTC)
    began_s = time.monotonic()
    remote.out("systemctl stop recio.target")
    remote.out(f"systemctl stop 'postgresql@*'; rm -rf {DATA}")
    said = remote.out("recio backup recover --to newest")
    remote.out("systemctl start recio.target")
    assert "recio account adopt" in said
    assert remote.sql(f"SELECT 1 FROM users.orders WHERE client_order_id = '{lost}'") == []

    def only_the_lost_order() -> bool:
        bad = remote.unhealthy()
        return set(bad) == {"kalshi_account_sync"} and lost in bad["kalshi_account_sync"]

    wait_for(f"all work but for order {lost}, which the ledger does not know", only_the_lost_order, 150)
    served_s = time.monotonic() - began_s
    adopted = remote.out("recio account adopt --yes")
    assert lost in adopted
    remote.wait_healthy(120)
    rto_s = time.monotonic() - began_s
    newest = remote.sql(
        f"SELECT max(extract(epoch FROM at)) FROM live_data.btc_bars_1s WHERE at < to_timestamp({lost_at.timestamp()})"
    )
    rpo_s = lost_at.timestamp() - float(newest[0][0])
    print(
        f"RPO {rpo_s:.1f} s of prices, no order; RTO {served_s:.1f} s until all but one line was right,"
        f" {rto_s:.1f} s with the lost order adopted and all twelve healthy; {said.strip()}"
    )
    after = {row[0] for row in remote.sql("SELECT trade_id FROM users.trades WHERE state = 'closed'")}
    assert settled <= after
    counted = remote.sql(
        "SELECT t.source, t.entry_count_e2 = (SELECT sum(count_e2) FROM users.fills f WHERE f.exchange_order_id ="
        f" '{exchange_id}') FROM users.orders o JOIN users.trades t USING (user_id, trade_id)"
        f" WHERE o.client_order_id = '{lost}'"
    )
    assert counted == [["adopted", "t"]]
    assert rpo_s <= RPO_S
    assert rto_s <= RTO_S
    remote.out("recio backup now base")
    remote.out(f"rm -rf {DATA}.before-recovery")
