"""Lists of faults: what is understood, what is refused and with which words, and how faults are rationed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recio.exchange.simulator import faults as f

EVERY = [{"kind": kind} for kind in f.KINDS]


def test_every_kind_works_without_a_word_more_in_yaml_and_json() -> None:
    as_json, seed = f.parse_faults(json.dumps({"faults": EVERY, "seed": 3}), "x")
    assert seed == 3 and [type(fault) for fault in as_json] == list(f.KINDS.values())
    as_yaml, _ = f.parse_faults("\n".join(f"- kind: {kind}" for kind in f.KINDS), "x")
    assert as_yaml == as_json
    assert f.parse_faults("", "x") == ([], None) and f.parse_faults(b"{}", "x") == ([], None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "neither YAML nor JSON"),
        (b"\xff\x00", "neither YAML nor JSON"),
        ("7", "expected a mapping with a list 'faults'"),
        ("fault: []", "unknown key 'fault'; the keys are faults and seed"),
        ("faults: 7", "faults: expected a list"),
        ("seed: x", "seed: expected a whole number"),
        ("seed: true", "seed: expected a whole number"),
        ("- 7", "faults[0]: expected a mapping with a kind"),
        ("- kind: drop_frame\n- kind: oops", "faults[1].kind: 'oops' is not a fault; choose one of rate_limited"),
        ("- kind: [1]", "faults[0].kind: [1] is not a fault"),
        ("- {kind: rate_limited, status: 500}", "unknown field `status`; it takes path, method, count"),
        ("- {kind: error_after, status: 200}", "Expected `int` >= 500 - at `$.status`; it takes"),
        ("- {kind: error_after, status: '500'}", "Expected `int`, got `str` - at `$.status`"),
        ("- {kind: drop_frame, probability: 1.5}", "Expected `float` <= 1.0 - at `$.probability`"),
        ("- {kind: drop_frame, probability: .nan}", "$.probability"),
        ("- {kind: drop_frame, count: 0}", "Expected `int` >= 1 - at `$.count`"),
        ("- {kind: channel_error, code: 11}", "faults[0].code: 11 does not end a subscription; give 10 or 25"),
        ("- {kind: maintenance, scope: all}", "$.scope"),
    ],
)
def test_what_cannot_be_meant_is_named_with_its_cure(text: str | bytes, words: str) -> None:
    with pytest.raises(f.FaultError) as caught:
        f.parse_faults(text, "list.yml")
    assert str(caught.value).startswith("list.yml: ") and words in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(f.FaultError, match=r"cannot read .*nothing\.yml"):
        f.read_faults(tmp_path / "nothing.yml")


def test_counted_skipped_and_by_path_method_and_channel() -> None:
    faults = f.Faults([f.ErrorBefore(path="/a/*", method="POST", count=2, skip_first=1)])
    takes = [faults.take(f.ErrorBefore, "/a/b", "POST") is not None for _ in range(5)]
    assert takes == [False, True, True, False, False]
    assert faults.take(f.ErrorBefore, "/b", "POST") is None and faults.take(f.ErrorBefore, "/a/b", "GET") is None
    assert faults.take(f.ErrorAfter, "/a/b", "POST") is None
    assert [(row["kind"], row["hits"], row["seen"]) for row in faults.listing()] == [("error_before", 2, 3)]
    drop = f.Faults([f.DropFrame(channel="orderbook_*")])
    assert drop.take(f.DropFrame, "/ws", channel="fill") is None
    assert drop.take(f.DropFrame, "/ws", channel="orderbook_delta") is not None


def test_chance_is_seeded_and_time_runs_out() -> None:
    def drawn(seed: int) -> list[bool]:
        faults = f.Faults([f.DropFrame(probability=0.3)], seed)
        return [faults.take(f.DropFrame, "/ws") is not None for _ in range(200)]

    assert drawn(5) == drawn(5) != drawn(6) and 30 < sum(drawn(5)) < 90
    now = [100.0]
    faults = f.Faults([f.RateLimited(duration_s=10)], clock=lambda: now[0])
    assert faults.take(f.RateLimited, "/") is not None
    now[0] = 110.5
    assert faults.take(f.RateLimited, "/") is None
    faults.replace([])
    assert not faults.any and faults.listing() == []
