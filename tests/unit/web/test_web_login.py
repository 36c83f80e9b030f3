"""The growing delay, and the password's hash."""

from __future__ import annotations

from typing import Any

import pytest

from recio.web.login import wait_s
from recio.web.passwords import hash_password, verify_password


def row(**facts: Any) -> dict[str, Any]:
    return {
        "account_failures": 0, "account_last_s": None, "address_failures": 0, "address_last_s": None, "known_here": False,
    } | facts  # fmt: skip


def test_the_first_failures_cost_nothing() -> None:
    assert wait_s(row()) == 0
    assert wait_s(row(address_failures=4, address_last_s=0.1, account_failures=4, account_last_s=0.1)) == 0


@pytest.mark.parametrize(("failures", "seconds"), [(5, 2), (6, 4), (7, 8), (13, 512), (14, 900), (5000, 900)])
def test_an_address_waits_longer_and_longer(failures: int, seconds: int) -> None:
    assert wait_s(row(address_failures=failures, address_last_s=0.0)) == seconds
    assert wait_s(row(address_failures=failures, address_last_s=seconds + 0.1)) == 0


def test_an_account_under_attack_waits_a_minute_at_most_and_not_at_all_where_its_owner_is_known() -> None:
    attacked = row(account_failures=500, account_last_s=0.0)
    assert wait_s(attacked) == 60
    assert wait_s(attacked | {"known_here": True}) == 0


def test_a_password_is_verified_and_nobody_has_none() -> None:
    stored = hash_password("correct horse battery")
    assert stored.startswith("$argon2id$")
    assert verify_password(stored, "correct horse battery")
    assert not verify_password(stored, "correct horse batterz")
    assert not verify_password(None, "nobody's password")
    assert not verify_password("unset", "unset")


@pytest.mark.parametrize("password", ["", "short", "x" * 201])
def test_a_password_of_the_wrong_length_is_refused_with_its_length(password: str) -> None:
    with pytest.raises(ValueError, match=f"{len(password)} characters"):
        hash_password(password)
