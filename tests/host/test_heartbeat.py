"""The dead-man's switch on a deployed host: the deliverer's own unit, user, rights and sandbox send a sign of life."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from remote import Remote, wait_for

PORT = 8977
UNIT = "recio-test-switch"


@pytest.fixture
def target(remote: Remote, healthy: None) -> Iterator[str]:
    """A switch on the host itself, and a target that leads to it."""
    remote.out(
        f"systemd-run --quiet --unit={UNIT} --property=DynamicUser=yes"
        f" /usr/bin/python3 -m http.server {PORT} --bind 127.0.0.1 --directory /usr/share/zoneinfo/Etc"
    )
    target_id = remote.sql(
        "INSERT INTO users.notify_targets (user_id, name, kind, address, hint, events)"
        f" VALUES ('0001', 'test', 'webhook', 'heartbeat://localhost:{PORT}/UTC', 'test', '{{alive}}') RETURNING target_id"
    )[0][0]
    yield target_id
    remote.sql(
        f"UPDATE users.notify_targets SET removed_at = now(), enabled = false, address = '' WHERE target_id = {target_id}"
    )
    remote.out(f"systemctl stop {UNIT}")


def test_a_sign_of_life_arrives_while_the_twelve_are_healthy(remote: Remote, target: str) -> None:
    remote.out("systemctl start recio-notify.service")
    arrived = f"SELECT state, answer FROM users.notifications WHERE target_id = {target} AND key = 'alive'"

    def sent() -> bool:  # a service that was restarted a moment ago holds it back; the timer comes twice a minute
        rows = remote.sql(arrived)
        return bool(rows) and rows[0][0] == "sent"

    wait_for("the sign of life", sent, 120, every_s=2)
    assert remote.sql(arrived)[0][1].startswith("200 OK")
    assert '"GET /UTC HTTP/1.1" 200' in remote.out(f"journalctl --no-pager --unit={UNIT}")
