"""The fault matrix names every fault, only tests that exist, and says what is missing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[3]
ROWS: list[dict[str, Any]] = yaml.safe_load((PROJECT / "tests/faults/matrix.yml").read_text())


def test_all_faults_have_one_line() -> None:
    names = [row["id"] for row in ROWS]
    assert names == [str(n) for n in range(1, 41)] + [f"A{n}" for n in range(1, len(names) - 39)]


def test_every_named_test_exists() -> None:
    missing = []
    for node in (node for row in ROWS for node in row.get("tests", [])):
        path, _, name = node.partition("::")
        file = PROJECT / path
        tree = ast.walk(ast.parse(file.read_text())) if file.exists() else iter(())
        if not any(isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name == name for n in tree):
            missing.append(node)
    assert missing == []


def test_a_fault_without_a_test_says_why() -> None:
    assert [row["id"] for row in ROWS if not row.get("tests") and not row.get("gap")] == []


def test_the_page_is_what_the_matrix_says() -> None:
    done = subprocess.run(
        [sys.executable, str(PROJECT / "scripts/faults_doc.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
