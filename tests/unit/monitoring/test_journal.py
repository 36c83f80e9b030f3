"""Lines of journalctl's JSON: who said them, how urgent they are, and what cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recio.monitoring.journal import Wanted, command, decode


def raw(**fields: Any) -> bytes:
    return json.dumps(
        {"__REALTIME_TIMESTAMP": "1700000000000001", "MESSAGE": "said", "PRIORITY": "6"} | fields
    ).encode()


@pytest.mark.parametrize(
    ("fields", "service"),
    [
        ({"_SYSTEMD_UNIT": "recio-db_poller.service"}, "db_poller"),
        ({"_SYSTEMD_UNIT": "init.scope", "UNIT": "recio-db_poller.service"}, "db_poller"),
        # the field alone may come from anybody
        ({"_SYSTEMD_UNIT": "recio-main_app.service", "UNIT": "recio-db_poller.service"}, "main_app"),
        ({"SYSLOG_IDENTIFIER": "recio-backup"}, "backup"),
        ({}, "?"),
    ],
)
def test_a_line_is_said_by_whom_it_comes_from_or_is_about(fields: dict[str, str], service: str) -> None:
    line = decode(raw(**fields))
    assert line is not None
    assert line.service == service


def test_what_is_no_line_is_none_and_bytes_are_made_readable() -> None:
    assert decode(b"not json") is None
    assert decode(b"{}") is None
    line = decode(raw(MESSAGE=[104, 105, 255], PRIORITY="3"))
    assert line is not None
    assert (line.text, line.level) == ("hi\ufffd", "error")


def test_no_word_of_the_user_is_in_the_command() -> None:
    words = command(Wanted(("db_poller",), text="; rm -rf /", names=("x",), since_s=5))
    assert not any("rm -rf" in word or word == "x" for word in words)
    assert words[-1] == "--unit=recio-db_poller.service"
