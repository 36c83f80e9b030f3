"""The look from outside: no tool says worse of this host than docs/outside.json records."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures import PROJECT
from outside import record
from outside.look import look, place_of
from outside.result import Result
from outside.units import allowed
from remote import Remote

TOOLS = ["lynis", "nmap", "ssh-audit", "systemd-analyze", "testssl.sh"]


@pytest.fixture(scope="module")
def results(facts: dict[str, Any]) -> dict[str, Result]:
    """All tools, the short way (about two minutes); `make outside` looks at all of TLS."""
    found = {result.tool: result for result in look(place_of(facts), whole=False)}
    for name, result in found.items():
        print(f"{name}: {result.seconds:.0f} s")
    return found


@pytest.mark.parametrize("tool", TOOLS)
def test_no_tool_finds_worse_than_is_recorded(tool: str, results: dict[str, Result]) -> None:
    verdict = record.compare(record.load(PROJECT / "docs/outside.json"), results[tool])
    if verdict.better:
        print(f"better than recorded, `make outside` records it: {verdict.better}")
    assert verdict.worse == []


def test_every_finding_that_stays_has_a_reason(results: dict[str, Result]) -> None:
    assert record.unexplained(list(results.values())) == []


def test_from_the_network_three_ports_answer_and_no_other_gives_a_sign(results: dict[str, Result]) -> None:
    assert set(results["nmap"].findings) == {"open 22", "open 80", "open 443"}


def test_ssh_offers_nothing_that_fails(results: dict[str, Result]) -> None:
    assert results["ssh-audit"].figures["failures"].value == 0


def test_every_unit_of_ours_is_as_closed_as_the_rules_say(results: dict[str, Result]) -> None:
    exposure = results["systemd-analyze"].figures
    judged = [unit for unit in exposure if allowed(unit) is not None]
    assert len(judged) >= 14
    assert results["systemd-analyze"].findings == {}


def test_nothing_of_it_stays_on_the_host(results: dict[str, Result], remote: Remote) -> None:
    assert results["lynis"].figures
    assert remote.out("ls -d /run/outside.* /var/log/lynis* /usr/share/lynis /tmp/lynis* 2>/dev/null || true") == ""
