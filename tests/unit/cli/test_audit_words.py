"""`recio audit`: how differences are told to a person, and when the page is told of a look."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from recio.cli import audit
from recio.hostwork.audit.record import Look
from recio.monitoring.audit import Difference

NEW = [Difference(f"/opt/recio/releases/2.0/venv/{n}", "new") for n in range(30)]
FEW = [Difference("/etc/sudoers", "content"), Difference("/opt/recio/releases/1.0/venv/x.py", "content")]


def look(differences: list[Difference]) -> Look:
    return Look(0.0, 0.0, "the deploy of 1.0", 9, 1.0, differences)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Whether each look was told to the page; the host has one difference."""
    seen: list[bool] = []

    def looked(_self: object, tell: bool = True) -> Look:
        seen.append(tell)
        return look(FEW[:1])

    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("recio.hostwork.audit.record.Audit.look", looked)
    monkeypatch.setattr(audit, "_AGAIN_S", 0.01)
    yield seen


def test_every_file_has_its_line_but_a_whole_release() -> None:
    words = audit._words(look([*FEW, *NEW]))
    assert "/etc/sudoers" in words and "/opt/recio/releases/1.0/venv/x.py" in words
    assert "/opt/recio/releases/2.0/" in words and "new: 30 files" in words and "venv/3" not in words
    assert "32 differences from what was recorded 1970-01-01 00:00:00 UTC by the deploy of 1.0" in words
    assert "1 difference from" in audit._words(look(FEW[:1]))
    assert audit._words(look([])).startswith("all 9 privileged files are as recorded")


def test_a_difference_ends_with_one_and_is_told(told: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_busy", lambda: "")
    done = CliRunner().invoke(audit.app, ["--json"])
    assert (done.exit_code, told) == (1, [True])
    assert '"path":"/etc/sudoers"' in done.stdout


def test_while_something_is_half_way_the_page_is_not_told(told: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_busy", lambda: "a deploy is under way")
    assert CliRunner().invoke(audit.app, []).exit_code == 1
    assert told == [False]


def test_cron_waits_for_what_is_half_way_and_not_for_ever(told: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    busy = iter(["dpkg works", "dpkg works", ""])
    monkeypatch.setattr(audit, "_busy", lambda: next(busy))
    assert CliRunner().invoke(audit.app, ["--wait-s", "30"]).exit_code == 1
    assert told == [True] and next(busy, "all asked") == "all asked"
    monkeypatch.setattr(audit, "_busy", lambda: "dpkg works")
    assert CliRunner().invoke(audit.app, ["--wait-s", "0.05"]).exit_code == 1
    assert told == [True, True], "what never ends is looked at, too"


def test_others_than_root_are_told_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    done = CliRunner().invoke(audit.app, [])
    assert done.exit_code == 1 and "run it as root" in done.output
