"""When a person is called because of security updates: not for what comes by itself, but for what waits, and for what cannot be known."""

from __future__ import annotations

import pytest

from recio.contract.model import UpdatesRule
from recio.monitoring.updates import DAY_S, Updates, complaint, told

NOW = 1_800_000_000.0
RULE = UpdatesRule(pending_max_days=7, lists_max_days=3)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, ""),
        (Updates(NOW, NOW, {}), ""),
        (Updates(NOW, NOW, {"caddy": NOW - 6.9 * DAY_S}), ""),
        (Updates(NOW, NOW, {"caddy": NOW - 7.1 * DAY_S, "tar": NOW}), "for up to 7 days: caddy"),
        (Updates(NOW - 3500, NOW, {}), ""),
        (Updates(NOW - 2 * 3600, NOW, {}), "nobody has looked for security updates for 2 h"),
        (Updates(NOW, NOW - 2.9 * DAY_S, {}), ""),
        (Updates(NOW, NOW - 3.1 * DAY_S, {}), "lists are 3 days old: which security updates there are is not known"),
        (Updates(NOW, 0.0, {}), "lists are not there"),
        (Updates(NOW, NOW, {}, why="`apt-get` gave no answer: x"), "gave no answer: x"),
    ],
)
def test_a_person_is_called_when_it_waits_too_long_or_nobody_can_know(found: Updates | None, words: str) -> None:
    said = complaint(found, RULE, NOW)
    assert words in said
    assert bool(said) == bool(words), said


def test_it_is_told_what_is_known_and_by_what() -> None:
    assert told(None, NOW).startswith("not looked for yet")
    assert told(Updates(NOW, 0.0, {}), NOW) == "not known: there are no package lists"
    assert told(Updates(NOW, NOW - 7200, {}), NOW) == "no security update waits, by lists of 2 h ago"
    many = {f"p{n}": NOW for n in range(7)}
    assert told(Updates(NOW, NOW, many), NOW).endswith("0 h ago: p0, p1, p2, p3, p4 and 2 more")
