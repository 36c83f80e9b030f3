"""The ratchet of the look from outside: worse fails, better is told, every finding has its reason, the page is the record's."""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(PROJECT / "scripts"))
from outside import lynis, network, record, tls  # noqa: E402 - of scripts/
from outside.result import Figure, Result  # noqa: E402

RECORD = record.load(PROJECT / "docs/outside.json")


def result(index: float, findings: dict[str, str], *, whole: bool = True) -> Result:
    return Result("lynis", "3", 1.0, {"hardening index": Figure(index, higher=True)}, findings, whole)


OLD = record.as_record([result(70, {"A-1": "a", "B-2": "b"})], "2026-11-28")


def test_the_same_is_neither() -> None:
    assert record.compare(OLD, result(70, {"A-1": "a", "B-2": "b"})) == record.Verdict([], [])


def test_a_lower_index_or_a_new_finding_is_worse() -> None:
    verdict = record.compare(OLD, result(69, {"A-1": "a", "B-2": "b", "C-3": "c"}))
    assert verdict.worse == ["lynis: hardening index is 69, recorded 70", "lynis: new: C-3 (c)"]
    assert verdict.better == []


def test_what_is_better_asks_to_be_recorded_and_a_short_look_mends_nothing() -> None:
    assert record.compare(OLD, result(71, {"A-1": "a"})).better == [
        "lynis: hardening index is 71, recorded 70",
        "lynis: B-2 is mended",
    ]
    assert record.compare(OLD, result(70, {}, whole=False)) == record.Verdict([], [])


def test_a_tool_without_a_record_is_worse() -> None:
    assert record.compare({"tools": {}}, result(70, {})).worse == ["lynis is not in the record: --record"]


def test_every_recorded_finding_has_a_reason_and_the_page_is_the_records() -> None:
    assert set(RECORD["tools"]) == set(record.ASKS)
    for tool, entry in RECORD["tools"].items():
        assert [name for name in entry["findings"] if record.reason(tool, name) is None] == []
    assert (PROJECT / "docs/outside.md").read_text() == record.page(RECORD)


def test_a_report_of_lynis_is_read_and_half_of_one_refused() -> None:
    report = (
        "warning[]=A-1|It leaks|-|-|\nsuggestion[]=SSH-7408|Harden|LogLevel (set INFO to VERBOSE)|-|\n"
        "suggestion[]=PKGS-7392|Update|-|-|\n"
    )
    assert lynis.parse(report + "hardening_index=70\n") == (
        70,
        {"A-1": "It leaks", "SSH-7408 LogLevel": "Harden LogLevel (set INFO to VERBOSE)"},
    )
    try:
        lynis.parse(report)
    except ValueError as error:
        assert "no index" in str(error)
    else:
        raise AssertionError("half a report was taken")


def test_a_refusing_port_is_a_finding_of_its_own_kind() -> None:
    xml = (
        '<nmaprun><host><ports><extraports state="filtered" count="65533"/><port portid="22"><state state="open"/></port>'
        '<port portid="9"><state state="closed"/></port></ports></host></nmaprun>'
    )
    assert network.parse(xml) == ({22: "open", 9: "closed"}, {"filtered": 65533})


def test_a_grade_is_a_figure_and_ends_of_short_certificates_are_no_finding() -> None:
    entries = [
        {"id": "overall_grade", "severity": "OK", "finding": "A+"},
        {"id": "cert_notAfter", "severity": "HIGH", "finding": "soon"},
        {"id": "HSTS_time", "severity": "MEDIUM", "finding": "short"},
    ]
    figures, findings = tls.parse(entries)
    assert record.shown("grade", figures["grade"].value) == "A+"
    assert findings == {"HSTS_time": "medium: short"}
