"""Root causes in the dependency graph."""

from __future__ import annotations

from recio.monitoring.dependencies import conclude, restarted

GRAPH = {
    "price": (),
    "api": (),
    "table": ("price", "api"),
    "entry": ("table", "manager"),
    "manager": (),
}


def test_one_failure_below_is_the_root_and_the_rest_its_victims() -> None:
    found = conclude(["price", "table", "entry"], GRAPH)
    assert found.roots == ("price",)
    assert found.affected == ("entry", "table")


def test_victims_are_named_before_they_notice() -> None:
    assert conclude(["price"], GRAPH).affected == ("entry", "table")


def test_two_independent_roots_and_none() -> None:
    assert conclude(["price", "manager"], GRAPH).roots == ("manager", "price")
    assert conclude([], GRAPH) == conclude([], {})


def test_a_cycle_ends() -> None:
    found = conclude(["a"], {"a": ("b",), "b": ("a",)})
    assert found.affected == () or "b" in found.affected


def test_a_restart_between_two_looks_is_seen_and_nothing_else_is() -> None:
    before = {"price": 0, "api": 2, "table": 1}
    assert restarted(before, {"price": 1, "api": 2, "table": 0}) == {"price": 1}, (
        "a count that falls is a start by hand"
    )
    assert restarted({}, {"price": 3, "api": None}) == {}, "at the first look nothing can be said"
    assert restarted({"own": 0}, {"own": 2, "price": 3}) == {"own": 2}
