"""The gate gives up early on a service that ends as often as it begins, and on no other."""

from __future__ import annotations

from recio.monitoring.gate import ENDS, WITHIN_S, Gate
from recio.monitoring.status import ServiceStatus, Status


def look(restarts: int | None, *, healthy: bool = False, name: str = "btc_price_watchdog") -> Status:
    state = "running" if healthy else "failed"
    one = ServiceStatus(name, "watchdog", state, healthy, "" if healthy else "it ended", None, None, None, restarts)
    return Status("1", "simulated", (one, ServiceStatus("main_app", "core", "running", True, "", 0.1, 50.0, 1.0, 7)))


def looked(*looks: Status, every_s: float = 2.0) -> list[tuple[str, ...]]:
    gate = Gate()
    return [gate.hopeless(one, 1000.0 + every_s * number) for number, one in enumerate(looks)]


def test_one_that_ends_again_and_again_is_given_up() -> None:
    assert looked(*(look(4 + ends) for ends in range(ENDS + 1))) == [()] * ENDS + [("btc_price_watchdog",)]


def test_one_that_its_watchdog_ends_on_a_slow_machine_is_waited_for() -> None:
    assert not any(looked(*(look(ends) for ends in range(9)), every_s=WITHIN_S / (ENDS - 1)))


def test_what_it_did_before_the_gate_does_not_count() -> None:
    assert not any(looked(look(90), look(90 + ENDS - 1)))


def test_one_that_worked_in_between_is_waited_for() -> None:
    assert not any(looked(look(0), look(1, healthy=True), look(ENDS + 5)))


def test_nothing_is_concluded_from_what_systemd_did_not_say() -> None:
    assert not any(looked(look(None), look(0), look(None), look(ENDS - 1)))
