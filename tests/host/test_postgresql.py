"""PostgreSQL on the host: the contract's settings, the schema, and what each role may and may not do."""

from __future__ import annotations

import re

import pytest
from remote import Remote

from recio.contract import Contract
from recio.contract.fit import fitted

_SIZES = {"kB": 1, "MB": 1024, "GB": 1024 * 1024}


def comparable(value: object) -> str | float:
    """256MB and 262144 kB are the same, so are `15min` and 900 s."""
    text = str(value).strip()
    if found := re.fullmatch(r"([0-9.]+)\s*(kB|MB|GB)", text):
        return float(found[1]) * _SIZES[found[2]]
    if found := re.fullmatch(r"([0-9.]+)\s*(ms|s|min|h|d)", text):
        return float(found[1]) * {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}[found[2]]
    try:
        return float(text)
    except ValueError:
        return text


def test_settings_are_the_contracts(remote: Remote, contract: Contract) -> None:
    names = ", ".join(f"('{name}')" for name in contract.postgresql.settings)
    rows = remote.sql(f"SELECT name, current_setting(name, true) FROM (VALUES {names}) AS wanted (name)")
    found = {name: comparable(value) for name, value in rows}
    memory_mb, cores = (
        int(word) for word in remote.out("awk '/^MemTotal/ {print int($2/1024)}' /proc/meminfo; nproc --all").split()
    )
    held, less = fitted(contract.postgresql.settings, memory_mb, cores)
    assert found == {name: comparable(value) for name, value in held.items()}
    written = remote.out("grep --no-filename '^# less on this host' /etc/postgresql/*/main/conf.d/recio.conf || true")
    assert sorted(written.splitlines()) == sorted(f"# less on this host: {name}: {why}" for name, why in less.items())


def test_no_setting_waits_for_a_restart(remote: Remote) -> None:
    assert remote.sql("SELECT name FROM pg_settings WHERE pending_restart") == []


def test_nobody_comes_over_the_network(remote: Remote) -> None:
    rows = remote.sql("SELECT type, auth_method FROM pg_hba_file_rules WHERE auth_method <> 'reject'")
    assert {(kind, method) for kind, method in rows} == {("local", "peer")}


def test_schemas_are_the_contracts(remote: Remote, contract: Contract) -> None:
    found = {row[0] for row in remote.sql("SELECT nspname FROM pg_namespace")}
    assert set(contract.database.schemas) <= found


def test_users_trades_0001_is_a_partition(remote: Remote) -> None:
    rows = remote.sql(
        "SELECT p.relname, c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i "
        "JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent "
        "WHERE c.oid = 'users.trades_0001'::regclass"
    )
    assert rows == [["trades", "trades_0001", "FOR VALUES IN ('0001')"]]


def test_schema_has_one_version(remote: Remote) -> None:
    assert len(remote.sql("SELECT version_num FROM public.schema_version")) == 1
    assert remote.sql("SELECT tablename FROM pg_tables WHERE tablename = 'alembic_version'") == []


def test_every_service_has_a_role_without_privileges(remote: Remote, contract: Contract) -> None:
    rows = remote.sql(
        "SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls "
        "FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres'"
    )
    privileged = dict(rows)
    for name in [*contract.services, "recio", "recio_operator"]:
        assert privileged.get(name) == "f", f"role {name}: missing or privileged"


@pytest.mark.parametrize("role", ["btc_price_watchdog", "db_poller", "kalshi_api_watchdog", "main_app"])
def test_only_the_trade_manager_writes_trades(remote: Remote, role: str) -> None:
    for statement in (
        "UPDATE users.trades SET reason = reason WHERE false",
        "INSERT INTO users.trades SELECT * FROM users.trades WHERE false",
        "DELETE FROM users.trades WHERE false",
        "TRUNCATE users.trades",
        "CREATE TABLE users.mine ()",
    ):
        done = remote.psql(statement, role)
        assert done.rc != 0, f"{role} may {statement}"
        assert "permission denied" in done.stderr or "must be owner" in done.stderr


def test_the_trade_manager_may_write_trades(remote: Remote) -> None:
    assert remote.psql("UPDATE users.trades SET reason = reason WHERE false", "trade_manager").rc == 0


def test_nobody_deletes_from_the_ledger(remote: Remote, contract: Contract) -> None:
    for role in contract.services:
        for table in ("trades", "orders", "fills", "trade_events", "settlements"):
            allowed = remote.sql(f"SELECT has_table_privilege('{role}', 'users.{table}', 'DELETE, TRUNCATE')")
            assert allowed == [["f"]], f"{role} may delete from users.{table}"


def test_a_user_cannot_become_another_role(remote: Remote) -> None:
    done = remote.host.run("cd / && runuser -u db_poller -- psql -X -U trade_manager -d rec_io_db -c 'SELECT 1'")
    assert done.rc != 0
    assert "authentication failed" in done.stderr


def test_its_memory_is_within_the_contract(remote: Remote, contract: Contract) -> None:
    script = (
        "total=0; for pid in $(pgrep -u postgres -x postgres); do "
        "kb=$(awk '/^Pss:/ {print $2}' /proc/$pid/smaps_rollup 2>/dev/null); total=$((total + ${kb:-0})); done; echo $total"
    )
    assert int(remote.out(script)) / 1024 <= contract.memory.postgresql_mb


def test_a_server_that_does_not_read_our_settings_is_refused(remote: Remote) -> None:
    """It would run with the distribution's defaults and without an archive. Asked of the files; the running server is not touched."""
    cluster = remote.out("cat /etc/recio/postgresql-cluster").strip()
    main = f"/etc/postgresql/{cluster}/postgresql.conf"
    remote.out(f'cp -a {main} {main}.kept && sed -i "s/^include_dir = /#&/" {main}')
    try:
        done = remote.host.run(f"/usr/local/lib/recio/postgresql-apply {cluster.replace('/', '-')}")
    finally:
        remote.out(f"mv {main}.kept {main}")
    assert done.rc == 1
    assert f"{main} lacks the line include_dir = 'conf.d'" in done.stderr
