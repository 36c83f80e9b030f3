"""No figure of the contract without somebody who holds the host to it and a test that proves it."""

from __future__ import annotations

import ast
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from recio.contract import parse
from recio.contract.clauses import CLAUSES, clause_of, figures

PROJECT = Path(__file__).resolve().parents[3]
SOURCE = PROJECT / "roles/contract/defaults/main.yml"
CONTRACT = parse(yaml.safe_dump(yaml.safe_load(SOURCE.read_text())["contract"]), str(SOURCE))


def test_every_figure_has_a_clause_and_every_clause_a_figure() -> None:
    paths = figures(CONTRACT)
    assert len(paths) > 200
    for path in paths:
        clause_of(path)
    used = {clause_of(path).pattern for path in paths}
    assert used == {clause.pattern for clause in CLAUSES}


def test_a_figure_nobody_holds_is_named() -> None:
    with pytest.raises(KeyError, match=r"services\.main_app\.colour"):
        clause_of("services.main_app.colour")


@pytest.mark.parametrize("proof", sorted({clause.proven_by for clause in CLAUSES}))
def test_the_proof_exists(proof: str) -> None:
    file, _, name = proof.partition("::")
    tree = ast.parse((PROJECT / "tests" / file).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_no_cache_is_larger_than_asked() -> None:
    seen = 0
    for path in (PROJECT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "lru_cache":
                size = next((k.value for k in node.keywords if k.arg == "maxsize"), None)
                assert isinstance(size, ast.Constant), f"{path}: a cache without a size"
                assert 0 < size.value <= CONTRACT.lru_cache_size, path
                seen += 1
    assert seen, "the search finds no cache at all: it looks for the wrong thing"


def test_the_page_of_the_documentation_is_the_contract() -> None:
    done = subprocess.run(
        [sys.executable, str(PROJECT / "scripts/contract_doc.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_patterns_are_looked_at_in_order() -> None:
    assert fnmatchcase("hardware.cores.minimum", clause_of("hardware.cores.minimum").pattern)
    assert clause_of("hardware.network_mbps.minimum").enforced_by == "nothing"
    assert clause_of("hardware.cores.minimum").enforced_by.startswith("preflight")
