"""The account's token buckets are shared: who gets which part, and that the limits are learnt and learnt again."""

from __future__ import annotations

from pathlib import Path

import pytest

from recio.exchange.errors import Unavailable
from recio.exchange.kalshi.budget import AccountLimits
from recio.services import feeds
from recio.services.feeds import BUDGET_SHARES, Budget

SERVICES = Path(feeds.__file__).parent


class Account:
    """A client that knows its limits at the second asking."""

    def __init__(self) -> None:
        self.asked = 0

    def learn_limits(self) -> AccountLimits:
        self.asked += 1
        if self.asked == 1:
            raise Unavailable("HTTP 503")
        return AccountLimits("premier", 1000, 1000, 1000, 1000)


def test_the_shares_are_the_whole_and_every_signing_service_has_its_own() -> None:
    assert sum(BUDGET_SHARES.values()) == pytest.approx(1.0)
    signing = {path.stem for path in SERVICES.glob("*.py") if "= kalshi_client(" in path.read_text()}
    assert signing == set(BUDGET_SHARES)
    for name in signing:
        text = (SERVICES / f"{name}.py").read_text()
        assert f'kalshi_client(self.settings, "{name}"' in text and "self._budget.keep()" in text


def test_limits_are_asked_for_again_after_a_failure_and_not_in_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(feeds.time, "monotonic", lambda: now[0])
    account = Account()
    budget = Budget(account)  # type: ignore[arg-type]
    for _ in range(3):
        budget.keep()
    assert account.asked == 1, "a failure harms nothing and is not repeated at once"
    now[0] += 61
    for _ in range(3):
        budget.keep()
    assert account.asked == 2
    now[0] += 3_601
    budget.keep()
    assert account.asked == 3
