"""The files for Prometheus and Grafana ask only for what /metrics tells, with the contract's bounds."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from recio.contract import parse

PROJECT = Path(__file__).resolve().parents[3]
ALERTS = PROJECT / "docs/prometheus/alerts.yml"
DASHBOARD = PROJECT / "docs/prometheus/dashboard.json"
CONTRACT = parse(
    yaml.safe_dump(yaml.safe_load((PROJECT / "roles/contract/defaults/main.yml").read_text())["contract"]), "contract"
)


def told() -> set[str]:
    """Every name and label value the page's /metrics is written to tell, from its source."""
    tree = ast.walk(ast.parse((PROJECT / "app/recio/web/metrics.py").read_text()))
    return {node.value for node in tree if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def rules() -> dict[str, dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [rule["expr"] for rule in rules().values()] + [t["expr"] for panel in panels for t in panel["targets"]]


@pytest.mark.parametrize("expression", expressions())
def test_everything_asked_for_is_told(expression: str) -> None:
    names = set(re.findall(r"recio_[a-z0-9_]+", expression))
    assert names or "up{" in expression
    assert names <= told(), f"/metrics does not tell {names - told()}"
    values = set(re.findall(r'\{\w+="(\w+)"\}', expression)) - {"recio"}
    assert values <= told(), f"no such label value: {values - told()}"


def test_every_threshold_of_the_contract_has_its_alert_with_its_bound_and_patience() -> None:
    found = rules()
    for metric, limit in CONTRACT.thresholds.items():
        for severity, bound in (("Warning", limit.warning), ("Critical", limit.critical)):
            rule = found[f"Recio{metric.capitalize()}{severity}"]
            assert rule["expr"].endswith(f">= {bound:g}")
            assert rule.get("for", "0s") == f"{limit.hold_s:g}s"
            assert rule["annotations"]["summary"] == f"{limit.action}."


def test_the_files_are_what_the_contract_says() -> None:
    done = subprocess.run(
        [sys.executable, str(PROJECT / "scripts/prometheus_doc.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
