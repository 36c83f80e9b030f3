"""A simulator and a database, and the operator's command run against both."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "services"))
from pg import Cluster
from stack import Stack

Recio = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def desk(database: Cluster) -> Iterator[Stack]:
    """A folder with settings, a running simulator, no services yet."""
    made = Stack(database)
    try:
        made.simulator()
        yield made
    finally:
        made.stop()


@pytest.fixture
def recio(desk: Stack) -> Recio:
    """Run `recio …` as the operator; gives the finished process."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = desk.environment | {"RECIO_DSN": desk.cluster.dsn("recio_operator")}
        command = [sys.executable, "-m", "recio.cli", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)

    return run
