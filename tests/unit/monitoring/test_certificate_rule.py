"""When a certificate has too little left: days for a long life, a share for a short one, and never while it is renewed in time."""

from __future__ import annotations

import pytest

from recio.contract.model import CertificateRule
from recio.monitoring.certificate import DAY_S, Certificate, judge, server_name

NOW = 1_800_000_000.0
RULE = CertificateRule(warning_days=14, critical_days=3, warning_left_percent=25, critical_left_percent=10)


@pytest.mark.parametrize(
    ("lifetime_days", "left_days", "level"),
    [
        (90, 30, ""),  # when ACME's is renewed
        (90, 14.1, ""),
        (90, 13.9, "warning"),
        (90, 2.9, "critical"),
        (6, 2, ""),  # when the desk's own is renewed: never has it fourteen days
        (6, 1.51, ""),
        (6, 1.49, "warning"),
        (6, 0.59, "critical"),
        (6, 0, "critical"),
        (6, -3, "critical"),
    ],
)
def test_what_is_left_is_held_against_days_or_a_share_of_a_short_life(
    lifetime_days: float, left_days: float, level: str
) -> None:
    ends_s = NOW + left_days * DAY_S
    found, said = judge(Certificate(ends_s - lifetime_days * DAY_S, ends_s), RULE, NOW)
    assert found == level, said
    assert "expired" in said if left_days <= 0 else "holds for" in said


def test_one_that_is_not_valid_yet_is_refused_by_browsers_too() -> None:
    level, said = judge(Certificate(NOW + 60, NOW + 90 * DAY_S), RULE, NOW)
    assert (level, "only from" in said) == ("critical", True)


@pytest.mark.parametrize(
    ("url", "name"),
    [("https://desk.example.org", "desk.example.org"), ("https://10.0.0.7", ""), ("https://[::1]:8443", ""), ("", "")],
)
def test_a_name_is_asked_for_and_an_address_is_not(url: str, name: str) -> None:
    assert server_name(url) == name
