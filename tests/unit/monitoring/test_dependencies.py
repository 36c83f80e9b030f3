"""Root causes in the dependency graph."""

from __future__ import annotations

from recio.monitoring.dependencies import conclude

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
