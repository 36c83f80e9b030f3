"""The adviser: a small host gets what it can hold, and is told; no host gets more than was asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from recio.contract import Contract, parse
from recio.contract.fit import fitted

HOME = Path(__file__).parents[3] / "roles/contract/defaults/main.yml"


@pytest.fixture(scope="module")
def contract() -> Contract:
    return parse(yaml.safe_dump(yaml.safe_load(HOME.read_text())["contract"]))


def test_the_machine_that_was_asked_for_holds_all_of_it(contract: Contract) -> None:
    asked = contract.postgresql.settings
    assert fitted(asked, 8192, 4) == (asked, {})
    assert fitted(asked, 65536, 64) == (asked, {}), "a larger one is given no more than was asked"


@pytest.mark.parametrize(
    "memory_mb, cores, less",
    [
        (4096, 2, {"max_parallel_workers_per_gather": 2}),
        (900, 4, {"shared_buffers": "225MB", "effective_cache_size": "675MB", "maintenance_work_mem": "56MB"}),
        (8192, 1, {"max_parallel_workers_per_gather": 1}),
    ],
)
def test_a_small_one_gets_less_and_is_told_why(
    contract: Contract, memory_mb: int, cores: int, less: dict[str, object]
) -> None:
    asked = contract.postgresql.settings
    held, why = fitted(asked, memory_mb, cores)
    assert {name: value for name, value in held.items() if value != asked[name]} == less
    assert why.keys() == less.keys()
    for name, reason in why.items():
        assert f"{asked[name]} asked" in reason
