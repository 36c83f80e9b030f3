"""Addresses, quiet hours, back-off: the rules of telling somebody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.notify.address import AddressError, parse
from recio.notify.alive import held_back
from recio.notify.events import MAX_TRIES, backoff_s, is_quiet

TOKEN = "123456:" + "A" * 35


@pytest.mark.parametrize(
    ("text", "kind", "hint", "secret"),
    [
        (
            "smtps://me:p%40ss@mail.example/?from=a@b.example&to=c@d.example",
            "email",
            "c@d.example by mail.example",
            "p@ss",
        ),
        (f"telegram://{TOKEN}/-100123", "telegram", "Telegram chat -10…", TOKEN),
        ("ntfy://ntfy.sh/my-secret-topic", "ntfy", "ntfy.sh", "/my-secret-topic"),
        ("https://hooks.example/T/abc?x=1", "webhook", "hooks.example", "/T/abc?x=1"),
        ("heartbeat://hc.example/uu-id?x=1", "heartbeat", "sign of life at hc.example", "/uu-id?x=1"),
        ("apprise+slack://T1JJ3T3L2/A1BRTD4JD/TIiajk", "apprise", "slack by Apprise", "A1BRTD4JD"),
        ("apprise+pover://user@to%2Fken", "apprise", "pover by Apprise", "user@to%2Fken"),
    ],
)
def test_addresses(text: str, kind: str, hint: str, secret: str) -> None:
    found = parse(text)
    assert (found.kind, found.hint) == (kind, hint)
    assert secret in found.secrets and secret not in found.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nobody",
        "file:///etc/passwd",
        "https://",
        "smtps://u:hunter2@h/",
        "ntfy://h/a/b",
        "telegram://hunter2/1",
        "slack://hunter2/hunter2/hunter2",
        "apprise+hunter2",
        "apprise+://hunter2",
        "apprise+../x://hunter2",
        "https://h:99999/hunter2",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(AddressError) as refused:
        parse(text)
    assert "hunter2" not in str(refused.value)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except AddressError:
        return
    assert all(secret not in found.hint for secret in found.secrets if len(secret) > 3)


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_quiet_hours_go_over_midnight(start: int, end: int, minute: int) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=minute)
    wanted = any((start + n) % 1440 == minute for n in range((end - start) % 1440))
    assert is_quiet(at, start, end, "UTC") is wanted
    assert is_quiet(at, None, None, "UTC") is False


def test_back_off_grows_and_ends() -> None:
    waits = [backoff_s(n) for n in range(1, MAX_TRIES + 1)]
    assert waits == sorted(waits) and waits[0] == 30 and waits[-1] == 3600


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"a": True, "b": True}, ""),
        ({"a": True, "b": True, "gone_with_an_upgrade": False}, ""),
        ({"a": True, "b": False}, "not healthy: b"),
        ({"a": True}, "not looked at lately: b"),
        ({}, "not looked at lately: a, b"),
        ({"b": False}, "not healthy: b; not looked at lately: a"),
    ],
)
def test_a_sign_of_life_needs_every_service_seen_healthy(seen: dict[str, bool], said: str) -> None:
    assert held_back(seen, ["a", "b"]) == said


def test_nothing_known_is_no_sign_of_life() -> None:
    assert held_back({"a": True}, []) == "no service is known"
