"""Which updates come now: security ones only, and what restarts the database or the page only in its window."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

_path = Path(__file__).parents[3] / "plugins" / "filter" / "recio_updates.py"
_spec = importlib.util.spec_from_file_location("recio_updates", _path)
assert _spec is not None and _spec.loader is not None
updates: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(updates)

# As Debian 12 and Ubuntu 24.04 write it.
APT = """NOTE: This is only a simulation!
Inst libpam0g [1.5.2-6+deb12u2] (1.5.2-6+deb12u3 Debian-Security:12/oldstable-security [amd64])
Conf libpam0g (1.5.2-6+deb12u3 Debian-Security:12/oldstable-security [amd64])
Inst libpam-modules-bin [1.5.2-6] (1.5.2-7 Debian-Security:12/oldstable-security [amd64]) [libpam-modules:amd64 on libpam-modules-bin:amd64]
Inst tzdata [2026a-0] (2026b-0 Debian:12-updates/oldstable-updates [all])
Inst postgresql-15 [15.18-0+deb12u1] (15.20-0+deb12u1 Debian-Security:12/oldstable-security [amd64])
Inst libpq5 [15.18-0+deb12u1] (15.20-0+deb12u1 Debian-Security:12/oldstable-security [amd64])
Inst linux-image-6.1.0-99-amd64 (6.1.200-1 Debian-Security:12/oldstable-security [amd64])
Inst openssl [3.0.13-0ubuntu3] (3.0.13-0ubuntu3.5 Ubuntu:24.04/noble-updates, Ubuntu:24.04/noble-security [amd64])
"""


def _names(entries: list[dict[str, str]]) -> list[str]:
    return [entry["name"] for entry in entries]


def test_outside_the_window_the_database_waits() -> None:
    found = updates.security_updates(APT, window_open=False)
    assert _names(found["now"]) == ["libpam0g", "libpam-modules-bin", "openssl"]
    assert found["held"][0] == {"name": "postgresql-15", "old": "15.18-0+deb12u1", "new": "15.20-0+deb12u1"}
    assert _names(found["held"]) == ["postgresql-15", "libpq5"], "apt takes the server along with its library"


def test_inside_the_window_it_comes_along() -> None:
    found = updates.security_updates(APT, window_open=True)
    assert "postgresql-15" in _names(found["now"])
    assert found["held"] == []
    assert "tzdata" not in _names(found["now"]), "no security update"


def test_what_an_installation_would_take_along_is_found() -> None:
    assert updates.dragged_along(APT, window_open=False) == ["postgresql-15", "libpq5"]
    assert updates.dragged_along(APT, window_open=True) == []


@pytest.mark.parametrize(
    ("window", "at", "wanted"),
    [
        ("03:30-05:30", (3, 29), False),
        ("03:30-05:30", (3, 30), True),
        ("03:30-05:30", (5, 29), True),
        ("03:30-05:30", (5, 30), False),
        ("23:00-01:00", (23, 30), True),
        ("23:00-01:00", (0, 59), True),
        ("23:00-01:00", (1, 0), False),
        ("00:00-00:00", (12, 0), True),
    ],
)
def test_a_window_is_of_a_day_and_may_reach_over_midnight(window: str, at: tuple[int, int], wanted: bool) -> None:
    assert updates.window_open(window, datetime(2026, 11, 28, *at, tzinfo=UTC).timestamp()) is wanted


@pytest.mark.parametrize("window", ["", "3-5", "03:30-25:00", "03:30 - 05:30", "always"])
def test_a_window_that_cannot_be_read_is_refused_with_its_form(window: str) -> None:
    with pytest.raises(AnsibleFilterError, match="write HH:MM-HH:MM in UTC"):
        updates.window_open(window, 0.0)
