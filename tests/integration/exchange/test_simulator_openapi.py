"""The simulator against the part of Kalshi's OpenAPI file that it serves: whatever is asked, no 500, and answers conform.

schemathesis makes the requests from the specification: right ones and wrong ones. Path parameters that name things are
drawn from what the running simulator has, or every answer would be a 404. Set RECIO_SPECS to the folder with
openapi.yaml, RECIO_FUZZ_SEED to repeat a run, RECIO_FUZZ_EXAMPLES for a longer one.
"""

from __future__ import annotations

import copy
import os
import random
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance
from simulator_process import Process

from recio.exchange.kalshi.models import NewOrder
from recio.exchange.kalshi.signing import Signer
from recio.exchange.simulator.app import KALSHI_PREFIX, Simulator
from recio.exchange.simulator.auth import Authenticator
from recio.exchange.simulator.core import Exchange
from recio.market.generator import GeneratedPath

Json = dict[str, Any]
SPEC = (
    Path(os.environ.get("RECIO_SPECS") or Path(__file__).parents[4] / "shared" / "reference" / "specs") / "openapi.yaml"
)
SEED = int(os.environ.get("RECIO_FUZZ_SEED") or random.SystemRandom().randrange(1 << 32))
EXAMPLES = int(os.environ.get("RECIO_FUZZ_EXAMPLES", "8"))  # half a minute for all
pytestmark = pytest.mark.skipif(not SPEC.is_file(), reason=f"there is no {SPEC}; set RECIO_SPECS to its folder")

# What the specification describes and the simulator answers otherwise, and why.
LEFT_OUT: dict[tuple[str, str], str] = {}


_METHODS = ("get", "post", "put", "delete")
_NAMES = {"ticker": "market", "market_ticker": "market", "event_ticker": "event", "series_ticker": "series"}


@cache
def whole() -> Json:
    found: Json = yaml.load(SPEC.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return found


def _shape(path: str) -> str:
    """A path with its parameters' names left out: the simulator names them otherwise."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


@cache
def operations() -> tuple[tuple[str, str], ...]:
    """(path, method) of the specification that the simulator serves."""
    exchange = Exchange(GeneratedPath(1), "routes", lambda: 1_795_478_405.0, seed=1)
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    routes = Simulator(exchange, Authenticator("k", pem, time.time), 1, "").app.router.routes()
    served = {
        (_shape(route.resource.canonical.removeprefix(KALSHI_PREFIX)), route.method.lower())
        for route in routes
        if route.resource is not None and route.resource.canonical.startswith(KALSHI_PREFIX + "/")
    }
    found = [(path, method) for path, item in whole()["paths"].items() for method in _METHODS if method in item]
    return tuple(o for o in found if (_shape(o[0]), o[1]) in served and o not in LEFT_OUT)


class Desk:
    """The subset, with the running simulator's own names, and signed calls."""

    def __init__(self, simulator: Process) -> None:
        client = simulator.client()
        self._signer, self.rest = Signer("k", simulator.pem), simulator.rest
        self.answered: dict[tuple[str, str], set[int]] = {}
        listed = [m for m in client.markets("KXBTCD", "open")]
        listed.sort(key=lambda m: (-m.close_time_s, abs(m.yes_ask_e4 - 5_000)))
        placed = client.create_order(
            NewOrder(listed[0].ticker, "bid", 100, 100, str(uuid.UUID(int=SEED)), time_in_force="good_till_canceled")
        )
        group = self._post("/portfolio/order_groups/create", {"contracts_limit": 10})["order_group_id"]
        client.close()
        names = {
            "market": [*(m.ticker for m in listed[:3]), "KXBTCD-NONE-T1"],
            "event": [*sorted({m.event_ticker for m in listed[:3]}), "KXBTCD-NONE"],
            "series": ["KXBTCD", "KXBTC15M", "KXNONE"],
            "order_id": [placed.order_id, str(uuid.UUID(int=1))],
            "order_group_id": [group, str(uuid.UUID(int=2))],
        }
        raw = copy.deepcopy(whole())
        raw["paths"] = {
            path: {k: v for k, v in item.items() if k not in _METHODS or (path, k) in operations()}
            for path, item in raw["paths"].items()
            if any((path, method) in operations() for method in _METHODS)
        }
        raw.pop("servers", None)
        _draw_from(raw, names)
        self.schema = schemathesis.openapi.from_dict(raw)

    def _post(self, path: str, body: Json) -> Json:
        answer = requests.post(self.rest + path, json=body, auth=self, timeout=5)
        found: Json = answer.json()
        return found

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign, for requests."""
        path = (request.path_url or "").partition("?")[0]
        request.headers.update(self._signer.headers(request.method or "", path, time.time()))
        return request


def _draw_from(node: Any, names: dict[str, list[str]]) -> None:
    """Path parameters that name something are drawn from what there is."""
    if isinstance(node, dict):
        kind = _NAMES.get(str(node.get("name")), str(node.get("name")))
        if node.get("in") == "path" and kind in names:
            node["schema"] = {"type": "string", "enum": names[kind]}
        for value in node.values():
            _draw_from(value, names)
    elif isinstance(node, list):
        for value in node:
            _draw_from(value, names)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A simulator without a rate limit."""
    made = Process(tmp_path_factory.mktemp("openapi"))
    made.start("--tier", "none")
    print(f"seed {SEED}")
    try:
        yield Desk(made)
    finally:
        made.end()


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("path", "method"), operations() if SPEC.is_file() else [], ids=lambda value: str(value))
def test_answers_conform(desk: Desk, path: str, method: str, mode: schemathesis.GenerationMode) -> None:
    operation = desk.schema[path][method.upper()]

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )  # fmt: skip
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        hypothesis.assume(len(str(case.query)) < 4_000)  # longer request lines the HTTP library itself refuses, as text
        answer = case.call(base_url=desk.rest, auth=desk, timeout=5)
        desk.answered.setdefault((path, method), set()).add(answer.status_code)
        case.validate_response(
            answer,
            checks=[not_a_server_error, response_schema_conformance, content_type_conformance],
        )

    try:
        ask()
    except hypothesis.errors.Unsatisfiable:
        pytest.skip(f"nothing {mode.value} can be asked of {method} {path}")


def test_most_of_what_is_served_was_answered_with_success(desk: Desk) -> None:
    """Only refusals would prove little: most operations were used rightly at least once."""
    assert len(operations()) >= 45, operations()
    if len(desk.answered) < len(operations()):
        pytest.skip("not all operations were asked in this run")
    refused = [operation for operation, codes in desk.answered.items() if not any(200 <= c < 300 for c in codes)]
    assert len(refused) <= len(operations()) // 3, refused
