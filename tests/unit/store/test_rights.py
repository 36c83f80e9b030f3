"""The rights table: deny first, and the ledger stays append-only."""

from __future__ import annotations

from recio.store.rights import OPERATOR, RIGHTS, SERVICE_ROLES, grant_statements

LEDGER = ("users.trades", "users.trade_events", "users.orders", "users.fills", "users.settlements", "users.audit_log")


def test_nobody_deletes_from_the_ledger() -> None:
    for role, tables in RIGHTS.items():
        for table in LEDGER:
            assert "DELETE" not in tables.get(table, ""), (role, table)


def test_one_writer_each() -> None:
    def writers(table: str, word: str) -> set[str]:
        return {role for role, tables in RIGHTS.items() if word in tables.get(table, "")}

    assert writers("users.trades", "UPDATE") == writers("users.trades", "INSERT") == {"trade_manager"}
    assert writers("users.orders", "INSERT") == {"trade_manager"}
    assert writers("users.orders", "UPDATE") == {"trade_executor"}
    assert writers("users.fills", "INSERT") == {"kalshi_account_sync"}


def test_events_are_only_ever_added() -> None:
    for tables in RIGHTS.values():
        assert "UPDATE" not in tables.get("users.trade_events", "")


def test_twelve_services_and_the_operator() -> None:
    assert len(SERVICE_ROLES) == 12 + 2
    assert "recio_notify" in SERVICE_ROLES, "who sends messages is no service of the twelve, and has a role of its own"
    assert "recio_research" in SERVICE_ROLES, "who runs research has a role that sees no account and no trade"


def test_research_sees_history_and_its_own_runs_only() -> None:
    assert set(RIGHTS["recio_research"]) == {"historical_data.btc_candles_1m", "analytics.research_runs"}
    assert "INSERT" not in RIGHTS["recio_research"]["analytics.research_runs"]
    page = RIGHTS["main_app"]["analytics.research_runs"]
    assert page == "SELECT, INSERT (user_id, wish, asked_by), UPDATE (cancel_at, cancel_by)"
    assert OPERATOR not in SERVICE_ROLES
    assert all("ALL" not in statement for statement in grant_statements())
