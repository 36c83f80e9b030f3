"""The description is true: a valid OpenAPI 3.1 document, every route in it, and real answers have the shapes it names."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from psycopg2.extras import Json
from test_web_tokens import program
from webdesk import EVENT, PASSWORD, Desk, decide, decided_for_real, make_trade, resting, set_price

from recio.web.problems import PROBLEMS
from recio.web.routes import walk

TICKER = f"{EVENT}-T118749.99"


def document(desk: Desk) -> dict[str, Any]:
    answer = desk.user().ask("GET", "/api/openapi.json")
    assert answer.status == 200
    return dict(answer.json)


def test_it_is_valid_complete_and_says_what_every_call_needs(desk: Desk) -> None:
    doc = document(desk)
    assert doc["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(doc).validate()
    described = {(path, method) for path, item in doc["paths"].items() for method in item}
    pages = {"/api/docs"}
    real = {
        (route.path, method.lower())
        for route in walk(desk.app.router.routes)
        for method in (route.methods or set()) - {"HEAD"}
        if (route.path.startswith("/api/") or route.path in ("/metrics", "/readyz", "/livez"))
        and route.path not in pages
    }
    assert described == real, "every route of the API is described, and nothing else"
    tags = {tag["name"] for tag in doc["tags"]}
    ids = []
    for path, item in doc["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            ids.append(operation["operationId"])
            assert operation.get("summary") and operation.get("description") and set(operation["tags"]) <= tags, where
            assert "security" in operation and "default" in operation["responses"], where
            assert all(p.get("description") for p in operation.get("parameters", [])), where
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            assert body is None or "example" in body, where
            for status, response in operation["responses"].items():
                kinds = set(response.get("content", {}))
                assert kinds, f"{where} {status}"
                if status == "200" and "application/json" in kinds:
                    schema = response["content"]["application/json"]["schema"]
                    assert schema.get("$ref", "").startswith("#/components/schemas/"), (
                        f"{where}: name its shape with api(answer=...)"
                    )
    assert len(ids) == len(set(ids))
    assert {"session", "csrf", "token"} <= set(doc["components"]["securitySchemes"])


def filled_desk(desk: Desk) -> int:
    """Something of everything, so that no list is empty; gives a trade with orders and fills."""
    db = desk.db
    trade_id = make_trade(db, state="closed", pnl_e6=1, entry_count_e2=100, result="yes", settlement_value_e4=10_000)
    live = make_trade(db, state="open", entry_count_e2=500)
    db.run(
        "INSERT INTO users.live_trades (user_id, trade_id, at, exit_price_e4) VALUES ('0001', %s, now(), 5000)", (live,)
    )
    db.run(
        "INSERT INTO users.trade_events (user_id, trade_id, kind, detail) VALUES ('0001', %s, 'x', '{\"a\": 1}')",
        (trade_id,),
    )
    for number, state in ((trade_id, "filled"), (live, "unknown")):
        db.run(
            "INSERT INTO users.orders (user_id, mode, trade_id, client_order_id, purpose, market_ticker, side, count_e2,"
            " limit_price_e4, state, exchange_order_id) VALUES ('0001', 'simulated', %s, %s, 'entry', %s, 'yes', 500, 6000, %s, %s)",
            (number, f"c-{number}", TICKER, state, f"x-{number}"),
        )
    db.run(
        "INSERT INTO users.fills (mode, fill_id, exchange_order_id, market_ticker, book_side, count_e2, yes_price_e4, fee_e6,"
        " is_taker, filled_at) VALUES ('simulated', 'f-1', %s, %s, 'bid', 500, 6000, 1, true, now())",
        (f"x-{trade_id}", TICKER),
    )
    db.run("INSERT INTO users.settlements VALUES ('simulated', %s, 'yes', 10000, 5, now())", (TICKER,))
    db.run("INSERT INTO users.positions VALUES ('simulated', %s, 500, 1, 1, now())", (TICKER,))
    db.run("INSERT INTO users.balances VALUES ('simulated', 1, 1, now())")
    db.run(
        "INSERT INTO users.reconciliations (mode, ok, differences) VALUES ('simulated', false, %s)",
        (Json([{"x": 1}, resting("x-rests")]),),
    )
    return trade_id


def closed(schema: Any) -> Any:
    """The same schema with nothing allowed that is not described: an undocumented field is a fault of the description."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(part) for name, part in schema.items()}
    if made.get("type") == "object" and "properties" in made and "additionalProperties" not in made:
        made["additionalProperties"] = False
    return made


def test_real_answers_have_the_shapes_that_are_described(desk: Desk) -> None:
    trade_id, doc, user = filled_desk(desk), document(desk), desk.user()
    strict = closed({"components": {"schemas": doc["components"]["schemas"]}})

    def check(path: str, method: str, address: str, data: Any = None, status: int = 200) -> Any:
        answer = user.ask(
            method.upper(), address, data, **({"Idempotency-Key": f"k-{len(seen):06d}"} if method == "post" else {})
        )
        assert answer.status == status, (method, address, answer.status, answer.body[:300])
        responses = doc["paths"][path][method]["responses"]
        (kind,) = (found := responses.get(str(status), responses["default"])["content"])
        assert answer.headers["content-type"].partition(";")[0] == kind
        problems = list(Draft202012Validator(found[kind]["schema"] | strict).iter_errors(answer.json))
        assert not problems, [
            f"{method} {address}: {'.'.join(map(str, p.absolute_path))}: {p.message[:200]}" for p in problems[:5]
        ]
        seen.add((path, method))
        return answer.json

    seen: set[tuple[str, str]] = set()
    for path, address in (
        ("/api/price", "/api/price"), ("/api/bars", "/api/bars?seconds=900"), ("/api/events", "/api/events"),
        ("/api/strikes", f"/api/strikes?event={EVENT}"),
        ("/api/strikes/all", f"/api/strikes/all?event={EVENT}"), ("/api/limits", "/api/limits"),
        ("/api/quote", f"/api/quote?market_ticker={TICKER}&side=yes&count=5&limit_price=0.60"),
        ("/api/trades", "/api/trades?state=all"), ("/api/trades", "/api/trades?state=live"),
        ("/api/trades/{trade_id}", f"/api/trades/{trade_id}"), ("/api/account", "/api/account"), ("/api/status", "/api/status"),
        ("/api/settings/{name}", "/api/settings/auto_entry"), ("/api/monitors", "/api/monitors"), ("/readyz", "/readyz"),
        ("/livez", "/livez"), ("/api/openapi.json", "/api/openapi.json"),
        ("/api/audit", "/api/audit?limit=1"), ("/api/sessions", "/api/sessions"),
        ("/api/logs", "/api/logs"),
        ("/api/account/fills", "/api/account/fills"), ("/api/account/settlements", "/api/account/settlements"),
        ("/api/account/reconciliations", "/api/account/reconciliations"), ("/api/account/cancels", "/api/account/cancels"),
    ):  # fmt: skip
        set_price(desk.db, 11_860_000)  # on a busy machine an old one would be told, rightly
        check(path, "get", address)
    check("/api/exchange", "get", "/api/exchange")
    given = {"key_id": "demo-12345678", "private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}
    check("/api/exchange/keys/{mode}", "put", "/api/exchange/keys/demo", given, status=503)  # no host behind this page
    check("/api/exchange/keys/{mode}", "delete", "/api/exchange/keys/demo", status=404)
    check("/api/mode", "get", "/api/mode")
    check("/api/mode", "put", "/api/mode", {"mode": "paper"}, status=409)
    accept = {"why": "a deposit", "balance_e6": 1, "cash_e6": 0}
    check("/api/account/accept-balance", "post", "/api/account/accept-balance", accept, status=409)
    check("/api/settings/{name}", "put", "/api/settings/kill_switch", {"on": False, "why": "x"})
    check("/api/look", "put", "/api/look", {"clock": "12"})
    check("/api/look", "get", "/api/look")
    made = {"strategy": "hourly", "series_ticker": "KXBTCSIM"}
    strategies = check("/api/monitors", "get", "/api/monitors")["strategies"]
    check("/api/monitors/{monitor_id}", "put", "/api/monitors/mine", made | {"strategy": strategies[0]["strategy"]})
    check("/api/monitors/{monitor_id}/versions", "get", "/api/monitors/mine/versions?limit=1")
    decide(desk.db)
    check(
        "/api/tickets",
        "post",
        "/api/tickets",
        {"market_ticker": TICKER, "side": "yes", "count": "5", "limit_price": "0.60"},
    )
    (row,) = desk.db.all("SELECT idempotency_key FROM users.tickets")
    check("/api/tickets/{idempotency_key}", "get", f"/api/tickets/{row['idempotency_key']}")
    decide(desk.db, "refused", "a test")
    live = make_trade(desk.db, state="open", entry_count_e2=500)
    check("/api/trades/{trade_id}/close", "post", f"/api/trades/{live}/close", {})
    decide(desk.db, "refused", "a test")
    check("/api/trades/close-all", "post", "/api/trades/close-all", {})
    take_off = "/api/account/orders/{exchange_order_id}/cancel"
    for order_id in ("x-rests", "x-unknown"):
        manager = decided_for_real(desk)
        check(take_off, "post", f"/api/account/orders/{order_id}/cancel", {})
        manager.join()
    assert check("/api/account", "get", "/api/account")["resting_elsewhere"][0]["under_way"] is True
    check("/api/account/cancels", "get", "/api/account/cancels")
    check("/api/trades/{trade_id}", "get", "/api/trades/999999", status=404)
    check("/api/tickets", "post", "/api/tickets", {"side": 1, "count": None, "x": 2}, status=422)
    check("/api/session", "post", "/api/session", {"login": "admin", "password": "correct horse battery"})
    user = desk.user()
    check("/api/research", "get", "/api/research")
    wish = {"kind": "backtest", "days": 1, "strategy": strategies[0]["strategy"]}
    run_id = check("/api/research/runs", "post", "/api/research/runs", wish)["run_id"]
    check("/api/research/runs", "post", "/api/research/runs", wish | {"days": 99}, status=422)
    check("/api/research/runs", "get", "/api/research/runs")
    check("/api/research/runs/{run_id}", "get", f"/api/research/runs/{run_id}")
    check("/api/research/runs/{run_id}/report", "get", f"/api/research/runs/{run_id}/report", status=404)
    check("/api/research/runs/{run_id}/cancel", "post", f"/api/research/runs/{run_id}/cancel")
    check("/api/requests", "post", "/api/requests", {"kind": "backup_now", "args": {}})
    (asked,) = check("/api/requests", "get", "/api/requests")["requests"]
    check("/api/requests/{request_id}", "get", f"/api/requests/{asked['request_id']}")
    other = desk.user()
    (mine,) = [row for row in other.ask("GET", "/api/sessions").json["sessions"] if row["this"]]
    check("/api/sessions/{session_id}", "delete", f"/api/sessions/{mine['session_id']}")
    new = "another long sentence"
    check("/api/session/confirm", "post", "/api/session/confirm", {"password": PASSWORD})
    user = desk.user()  # its cookie changed with the proof
    check("/api/password", "put", "/api/password", {"current": PASSWORD, "new": new})
    user = desk.client()
    assert user.log_in(new).status == 200
    check("/api/session", "delete", "/api/session")
    left = (
        {(p, m) for p, item in doc["paths"].items() for m in item}
        - seen
        - {("/api/stream", "get"), ("/metrics", "get")}
    )
    assert not left, f"call these here too: {sorted(left)}"


def test_the_reference_page_has_every_call_with_an_example_and_every_problem(desk: Desk) -> None:
    doc, user = document(desk), desk.user()
    page = user.ask("GET", "/api/docs").body.decode()
    for path, item in doc["paths"].items():
        for method, operation in item.items():
            assert f'id="{operation["operationId"]}"' in page, (method, path)
    assert page.count("curl --cacert") >= sum(len(item) for item in doc["paths"].values())
    assert all(f'id="problem-{code}"' in page for code in PROBLEMS)
    assert not re.search(r"<script(?![^>]*src=)|style=|\bon\w+=|undefined|None\b|NaN", page)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    links = set(re.findall(r'href="#([^"]+)"', page)) - set(ids)
    assert not links, f"links to nowhere: {links}"


def test_metrics_are_what_prometheus_reads(desk: Desk) -> None:
    from prometheus_client.parser import text_string_to_metric_families as parse

    filled_desk(desk)
    script = program(desk, "metrics")
    script.ask("GET", "/metrics")
    answer = script.ask("GET", "/metrics")
    assert answer.status == 200 and answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in parse(answer.body.decode())}
    for family in families.values():
        assert family.documentation and family.name.startswith("recio_"), family.name
    value = {(s.name, *sorted(s.labels.items())): s.value for f in families.values() for s in f.samples}
    assert value["recio_orders", ("state", "unknown")] == 1 and value["recio_trades", ("state", "open")] == 1
    assert value["recio_incidents_open", ("severity", "critical")] == 0 and value["recio_reconciled",] == 0
    assert value["recio_database_up",] == 1 and value["recio_balance_dollars",] == pytest.approx(1e-6)
    assert 0 <= value["recio_feed_age_seconds", ("feed", "price")] < 30
    assert ("recio_feed_age_seconds", ("feed", "exchange_stream")) not in value, "unknown is absent"
    assert value["recio_http_requests_total", ("method", "GET"), ("route", "/metrics"), ("status", "200")] == 1
    assert families["recio_http_request_duration_seconds"].type == "histogram"
    assert (
        program(desk, "read").ask("GET", "/metrics").error == "scope"
        and desk.client().ask("GET", "/metrics").status == 401
    )
    assert desk.user().ask("GET", "/metrics").status == 200


def test_readyz_says_what_is_missing_to_all_and_why_to_those_who_are_known(desk: Desk) -> None:
    import time

    stranger, user = desk.client(), desk.user()
    until_s = time.monotonic() + 10
    while stranger.ask("GET", "/readyz").status != 200:  # the stream's thread needs a moment to connect
        assert time.monotonic() < until_s
        time.sleep(0.05)  # asking faster is refused by the rate limit
    assert stranger.ask("GET", "/readyz").json == {"ready": True, "missing": []}
    assert set(user.ask("GET", "/readyz").json["checks"]) == {"database", "stream", "price"}
    desk.db.run("UPDATE live_data.btc_price SET received_at = now() - interval '1 minute'")
    until_s = time.monotonic() + 5
    while (answer := stranger.ask("GET", "/readyz")).status == 200:
        assert time.monotonic() < until_s
        time.sleep(0.05)  # asking faster is refused by the rate limit
    assert (
        answer.status == 503
        and answer.json == {"ready": False, "missing": ["price"]}
        and "retry-after" in answer.headers
    )
    assert "s old" in user.ask("GET", "/readyz").json["checks"]["price"]["why"]


def test_lists_are_paged_by_key_and_name_the_next_page(desk: Desk) -> None:
    ids = [make_trade(desk.db, state="closed", ticket_id=n, pnl_e6=0) for n in range(1, 8)]
    user, address, got = desk.user(), "/api/trades?state=closed&limit=3", []
    while address:
        answer = user.ask("GET", address)
        got += [row["trade_id"] for row in answer.json["trades"]]
        found = re.fullmatch(r'<(/api/trades\?[^>]+)>; rel="next"', answer.headers.get("link", ""))
        assert bool(found) == (answer.json["next_before"] is not None)
        address = found[1] if found else ""
        assert not found or (f"before={answer.json['next_before']}" in address and "state=closed" in address)
    assert got == ids[::-1]
