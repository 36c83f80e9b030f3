"""Each of the twelve killed, frozen, and ended as if it were well: it comes back by itself, and no order is lost or doubled."""

from __future__ import annotations

import pytest
import yaml
from fixtures import PROJECT
from injury import Injury
from remote import Remote

TWELVE = tuple(yaml.safe_load((PROJECT / "roles/contract/defaults/main.yml").read_text())["contract"]["services"])
# Frozen together are those that do not rely on each other: so each is its own cause.
FROZEN = tuple(TWELVE[start::4] for start in range(4))
LONG = pytest.mark.long
# `make test` kills those that hold orders, money or the watch; `make faults` each.
KILLED = [
    pytest.param(name, marks=[LONG] * (name not in ("main_app", "trade_manager", "trade_executor", "system_monitor")))
    for name in TWELVE
]


def unit(name: str) -> str:
    """The service's unit."""
    return f"recio-{name}.service"


def pid(remote: Remote, name: str) -> str:
    """Its main process, 0 for none."""
    return remote.show([unit(name)], "MainPID")[unit(name)]["MainPID"]


@pytest.mark.parametrize("name", KILLED)
def test_killed(injury: Injury, remote: Remote, name: str) -> None:
    before = pid(remote, name)
    with injury.watch("1", f"{name} killed (SIGKILL)", says=f"^{name} down: ") as seen:
        seen.inject(f"kill -9 {before}")
        injury.desk.buy(injury.desk.wait_offer(left_min_s=10)) if name != "main_app" else None
    assert pid(remote, name) not in ("0", before)


@pytest.mark.parametrize(
    "names", [pytest.param(names, marks=[LONG] * (names != FROZEN[2]), id=" ".join(names)) for names in FROZEN]
)
def test_frozen(injury: Injury, remote: Remote, names: tuple[str, ...]) -> None:
    """Stopped, not dead: only the missing useful work shows it, and the watchdog ends it."""
    before = [pid(remote, name) for name in names]
    with injury.watch(
        "2", f"{', '.join(names)} frozen (SIGSTOP)", blames=f"^({'|'.join(names)}): ", says=" down: "
    ) as seen:
        seen.inject(f"kill -STOP {' '.join(before)}")
    after = [pid(remote, name) for name in names]
    assert not set(after) & {"0", *before}, "the watchdog did not end it"


@pytest.mark.parametrize(
    "name", ["trade_executor", pytest.param("kalshi_api_watchdog", marks=LONG), pytest.param("main_app", marks=LONG)]
)
def test_ended_with_status_0(injury: Injury, remote: Remote, name: str) -> None:
    """A clean exit is not a wish to stop: only `systemctl stop` is."""
    before = pid(remote, name)
    with injury.watch("3", f"{name} ended with status 0 (SIGTERM)", says=f"^{name} down: ") as seen:
        seen.inject(f"kill -TERM {before}")
    assert pid(remote, name) not in ("0", before)
