"""What the former system got wrong with orders and its ledger, each defect by its number with the tests that cover it.

A name here that does not exist fails: the map cannot outlive its tests.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
SCENARIOS, MACHINE = "property/test_ledger_scenarios.py", "property/test_ledger_machine.py"
FAILS = "property/test_ledger_machine_fails.py"
RISK_ROUTE, KILLED = "integration/web/test_risk_route.py", "integration/services/test_killed_anywhere.py"

COVERED: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "1": (
        "order sent before its row; a timeout booked as failed; lost or doubled by a restart",
        [
            (MACHINE, "test_no_history_loses_or_doubles_an_order_or_a_cent"),
            (FAILS, "test_a_timeout_booked_as_a_failure_is_caught"),
            (KILLED, "test_killed_at_every_step_neither_lost_nor_doubled"),
            ("integration/services/test_trade_flow.py", "test_killed_while_sending_is_looked_up_not_resent"),
        ],
    ),
    "2": (
        "market orders without a price cap",
        [
            ("unit/services/test_orders_on_the_wire.py", "test_wire_order"),
            ("unit/services/test_orders_on_the_wire.py", "test_every_order_has_a_limit_and_never_rests"),
            (RISK_ROUTE, "test_every_limit_refuses_at_the_route_and_again_before_sending"),
        ],
    ),
    "3": (
        "a fresh client id on every retry",
        [
            ("unit/trading/test_client_ids_reconcile.py", "test_an_id_is_a_function_of_what_the_order_is_for"),
            (FAILS, "test_a_resent_order_is_caught"),
            ("integration/web/test_web_trading.py", "test_a_ticket_is_decided_and_repeating_it_gives_the_same_answer"),
        ],
    ),
    "4": (
        "two trades on a ticker each took the sum; a long position became a short one",
        [
            (SCENARIOS, "test_two_trades_on_one_ticker_keep_their_own_quantities"),
            (SCENARIOS, "test_a_close_is_not_repeated_while_its_fills_are_owed"),
            (FAILS, "test_a_second_close_while_fills_are_owed_is_caught"),
            ("unit/trading/test_ledger.py", "test_two_trades_on_a_ticker_keep_their_own_quantities"),
        ],
    ),
    "5": (
        "the duplicate check failed open: several entries on a strike and side within a minute",
        [
            (RISK_ROUTE, "test_every_limit_refuses_at_the_route_and_again_before_sending"),
            (RISK_ROUTE, "test_no_limit_and_no_fact_is_left_out"),
            ("integration/services/test_trade_flow.py", "test_a_whole_trade_and_the_same_key_twice"),
            (FAILS, "test_a_fill_counted_twice_is_caught"),
        ],
    ),
    "6": (
        "a rejected close stayed closing for ever",
        [(SCENARIOS, "test_a_rejected_close_becomes_open_again_and_can_be_tried_again")],
    ),
    "7": (
        "every open trade was expired at the top of the hour; pending and closing ones were forgotten",
        [
            (SCENARIOS, "test_a_market_that_closes_leaves_other_trades_alone"),
            (SCENARIOS, "test_a_pending_trade_is_not_forgotten_at_the_close"),
            (SCENARIOS, "test_no_result_is_booked_over_an_exit_in_doubt"),
        ],
    ),
    "8": (
        "netted positions settle with revenue 0 and were read as losses",
        [
            (SCENARIOS, "test_netted_positions_settle_with_revenue_0_and_one_of_them_won"),
            (SCENARIOS, "test_a_long_trade_beside_a_short_one_can_be_closed"),
            ("unit/trading/test_ledger.py", "test_netted_positions_are_no_losses"),
        ],
    ),
    "9": (
        "centi-cents and cents in the same columns",
        [
            ("unit/exchange/test_kalshi_wire.py", "test_settlement_result_decides_and_cents_become_units"),
            ("unit/test_v2_defects_orders.py", "test_9_every_money_column_and_field_names_its_unit"),
        ],
    ),
}


def _names(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("number", [str(n) for n in range(1, 10)])
def test_every_defect_has_its_named_tests(number: str) -> None:
    told, tests = COVERED[number]
    missing = [f"{file}::{name}" for file, name in tests if name not in _names(TESTS / file)]
    assert tests and not missing, f"defect {number} ({told}): {missing} is gone; name the test that covers it now"


def test_9_every_money_column_and_field_names_its_unit() -> None:
    """A price, count or amount without a unit in its name is how cents and centi-cents met in one column."""
    schema = TESTS.parent / "app/recio/store/migrations/versions"
    words = (
        "price",
        "count",
        "cost",
        "fee",
        "pnl",
        "balance",
        "cash",
        "limit",
        "proceeds",
        "revenue",
        "position",
        "exposure",
    )
    naked = []
    for file in sorted(schema.glob("*.sql")):
        for line in file.read_text().splitlines():
            parts = line.split()
            if len(parts) > 1 and parts[1].strip(",") in ("bigint", "integer", "numeric") and parts[0].islower():
                name = parts[0]
                if any(word in name for word in words) and not name.endswith(
                    ("_e2", "_e4", "_e6", "_bp", "_id", "_kb")
                ):
                    naked.append(f"{file.name}: {name}")
    assert naked == []
