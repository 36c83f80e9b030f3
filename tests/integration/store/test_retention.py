"""What is removed when it has outlived its use, and what never is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pg import Cluster

from recio.store.account import agreed_at_s
from recio.store.db import Database
from recio.store.system import prune


@pytest.fixture
def coordinator(database: Cluster) -> Iterator[Database]:
    """The one role that may remove, with its own rights."""
    db = Database("tests", database.dsn("unified_production_coordinator"))
    yield db
    db.close()


@pytest.fixture
def owner(database: Cluster) -> Iterator[Database]:
    db = Database("tests", database.dsn("postgres"))
    yield db
    db.close()


def test_the_newest_agreement_is_never_forgotten(coordinator: Database, owner: Database) -> None:
    owner.run(
        "INSERT INTO users.reconciliations (mode, ok, differences, at) SELECT 'demo', n <> 4, '[]', now() - (20 - n) * interval '1 d'"
        " FROM generate_series(1, 4) n"
    )
    assert prune(coordinator, 45)["users.reconciliations"] == 2
    kept = owner.all("SELECT ok, extract(day FROM now() - at)::int AS days FROM users.reconciliations ORDER BY 2 DESC")
    assert kept == [{"ok": True, "days": 17}, {"ok": False, "days": 16}]
    assert agreed_at_s(owner, "demo") is not None
    assert agreed_at_s(owner, "live") is None


def test_what_was_asked_and_tried_is_kept_ninety_days_and_what_waits_for_ever(
    coordinator: Database, owner: Database
) -> None:
    owner.run(
        "INSERT INTO users.login_attempts (at, login, remote_addr, ok) SELECT now() - n * interval '1 d', 'admin', '', false"
        " FROM unnest(ARRAY[1, 89, 91, 400]) n"
    )
    owner.run(
        "INSERT INTO system.requests (kind, asked_by, asked_at, state) SELECT 'backup_now', 'admin', now() - days * interval '1 d',"
        " state FROM (VALUES (91, 'done'), (91, 'failed'), (91, 'new'), (89, 'done')) v (days, state)"
    )
    removed = prune(coordinator, 45)
    assert (removed["users.login_attempts"], removed["system.requests"]) == (2, 2)
    assert prune(coordinator, 45)["system.requests"] == 0
    last = owner.one("SELECT removed FROM system.retention_runs ORDER BY at DESC LIMIT 1")
    assert last is not None
    assert last["removed"]["users.notifications"] == 0, "a count of nothing is kept too"


def test_decisions_go_after_the_days_asked_for_and_entries_never(coordinator: Database, owner: Database) -> None:
    owner.run(
        "INSERT INTO users.decisions (user_id, mode, at, kind, monitor_id, monitor_version, strategy, model_version, series_ticker,"
        " event_ticker, market_ticker, close_time, action, reason, why, side, inputs)"
        " SELECT '0001', 'demo', now() - days * interval '1 d', kind, 'm', 1, 's', '', '', '', '', now(), 'wait', '', '', 'yes', '{}'"
        " FROM (VALUES (2, 'change'), (4, 'sample'), (44, 'change'), (46, 'sample'), (400, 'enter')) v (days, kind)"
    )
    assert prune(coordinator, 45)["users.decisions"] == 1
    assert prune(coordinator, 3)["users.decisions"] == 2
    left = owner.all("SELECT kind FROM users.decisions ORDER BY at")
    assert [row["kind"] for row in left] == ["enter", "change"]
