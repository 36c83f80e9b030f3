"""The fixtures of a deployed host, and the injury every fault test does to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "host"))

from desk import Desk
from fixtures import PROJECT, contract, declared, desk, facts, healthy, host, remote
from injury import Injury
from remote import Remote

__all__ = ["contract", "declared", "desk", "facts", "healthy", "host", "remote"]

KEPT = PROJECT / "build/reports/faults.jsonl"


@pytest.fixture(scope="session")
def injury(facts: dict[str, str], remote: Remote, desk: Desk) -> Iterator[Injury]:
    """The host, watched from outside its database for the whole run."""
    KEPT.unlink(missing_ok=True)
    made = Injury(facts, remote, desk, KEPT)
    yield made
    made.watcher.stop()
