"""schemathesis asks the whole API whatever its own description allows and forbids, as a signed-in user: no 5xx, answers as
described, nothing open without a session. RECIO_FUZZ_SEED repeats a run, RECIO_FUZZ_EXAMPLES makes it longer.
"""

from __future__ import annotations

import math
import os
import random
import time
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)
from webdesk import EVENT, PASSWORD, Client, Desk, make_trade, set_price

from recio.trading.strategies import STRATEGIES
from recio.web.sessions import COOKIE

SEED = int(os.environ.get("RECIO_FUZZ_SEED") or random.SystemRandom().randrange(1 << 32))
EXAMPLES = int(os.environ.get("RECIO_FUZZ_EXAMPLES", "6"))
BUDGET_S = (
    90.0  # of the operations together: on a busy machine each gets fewer free-form requests, the likely ones stay
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
]
# Not asked, and why.
LEFT_OUT = {
    ("/api/stream", "get"): "it has no end; tests/integration/web/test_web_stream.py reads it",
    ("/api/password", "put"): "it changes what the test logs in with; test_web_openapi calls it",
}
POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
_METHODS = ("get", "post", "put", "delete", "patch")
_NAMES: dict[str, list[Any]] = {
    "market_ticker": [f"{EVENT}-T118749.99"], "event": [EVENT], "idempotency_key": ["fuzz-0001"], "monitor_id": ["mine"],
    "side": ["yes", "no"], "count": ["5", "0.25"], "limit_price": ["0.60"], "login": ["admin"], "password": [PASSWORD],
    "strategy": [next(iter(STRATEGIES))], "series_ticker": ["KXBTCSIM"], "settings": [{}],
}  # fmt: skip


def _drawn(node: Any, names: dict[str, list[Any]]) -> Any:
    """The description with what names something drawn from what there is: requests that can succeed."""
    if isinstance(node, list):
        return [_drawn(part, names) for part in node]
    if not isinstance(node, dict):
        return node
    made = {key: _drawn(value, names) for key, value in node.items()}
    if made.get("in") in ("path", "query") and made.get("name") in names:
        made["schema"] = {"enum": names[made["name"]]}
    return made


def _ask(
    desk: Desk, operation: Any, mode: schemathesis.GenerationMode, who: Client, seen: set[int], until_s: float
) -> None:
    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )  # fmt: skip
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        if seen and time.monotonic() > until_s:
            return
        case.headers.pop("Authorization", None)  # a made-up token would take the session's place
        headers = {"X-CSRF-Token": who.csrf, "X-Forwarded-For": f"198{who.address[3:]}"}
        answer = case.call(
            base_url=f"http://127.0.0.1:{desk.port}", headers=headers, cookies={COOKIE: who.cookie}, timeout=10
        )
        seen.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS, headers=headers)

    ask()


@pytest.mark.timeout(600)
def test_whatever_is_asked_the_api_answers_as_it_is_described(desk: Desk) -> None:
    print(f"seed {SEED}, {EXAMPLES} examples")
    trades = [make_trade(desk.db, state="open", entry_count_e2=500), make_trade(desk.db, state="closed", pnl_e6=5)]
    desk.db.run(
        "CREATE FUNCTION users.refuse_at_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " NEW.state := 'refused'; NEW.reason := 'a test'; RETURN NEW; END $$"
    )
    desk.db.run(
        "CREATE TRIGGER at_once BEFORE INSERT ON users.tickets FOR EACH ROW EXECUTE FUNCTION users.refuse_at_once()"
    )
    raw = desk.user().ask("GET", "/api/openapi.json").json
    names = _NAMES | {"trade_id": trades}
    likely = _drawn(raw, names)
    for shape in ("OpenTicket", "CloseTicket", "Login", "Change", "RunWish"):
        fields = likely["components"]["schemas"][shape]["properties"]
        fields |= {name: {"enum": names[name]} for name in fields if name in names and name != "idempotency_key"}
    schemas = [
        (schemathesis.openapi.from_dict(one), mode)
        for one, mode in ((likely, POSITIVE), (raw, POSITIVE), (raw, NEGATIVE))
    ]
    operations = [(path, method) for path, item in raw["paths"].items() for method in item if method in _METHODS]
    operations.sort(key=lambda one: (one[1] == "delete", one))  # what ends a session comes last
    began_s, answered, failures = time.monotonic(), {}, []
    try:
        for number, (path, method) in enumerate(operations):
            if (path, method) in LEFT_OUT:
                continue
            until_s = began_s + BUDGET_S * (number + 1) / len(operations)
            seen = answered.setdefault((path, method), set())
            for turn, (schema, mode) in enumerate(schemas):
                # Session, rate limit and failed log-ins are each operation's own.
                who = desk.client(address=f"203.0.{turn}.{number + 1}")
                assert who.log_in().status == 200
                set_price(desk.db, 11_860_000)
                try:
                    likely_turn = turn == 0
                    _ask(desk, schema[path][method.upper()], mode, who, seen, math.inf if likely_turn else until_s)
                except hypothesis.errors.Unsatisfiable:
                    continue  # nothing of this mode can be asked
                except BaseException as failure:
                    failures.append(
                        f"{method.upper()} {path} ({mode.value}, turn {turn}): {failure}\n{getattr(failure, '__notes__', '')}"
                    )
    finally:
        desk.db.run("DROP TRIGGER at_once ON users.tickets")
        desk.db.run("DROP FUNCTION users.refuse_at_once()")
    assert not failures, f"seed {SEED}:\n" + "\n\n".join(failures)
    refused = [one for one, statuses in answered.items() if not any(200 <= status < 300 for status in statuses)]
    print("only refused:", refused)
    assert len(refused) <= len(answered) // 3, f"only refusals prove little: {refused}"
