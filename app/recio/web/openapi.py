"""OpenAPI 3.1 of the whole API: FastAPI's own reading of the routes, with true answers, errors and ways in."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from recio.trading.settings import AutoEntrySettings, AutoStopSettings, KillSwitch
from recio.web.routes import SCOPES, walk

__all__ = ["TAGS", "build"]

Json = dict[str, Any]
_JSON = "application/json"
TAGS: dict[str, str] = {
    "Log in": "A session for people and their scripts; programs better carry a token.",
    "Market": "The BTC price, open events, strike tables, and what a ticket would cost.",
    "Trades": "The ledger read, and the two tickets: open and close. Every ticket has an idempotency key.",
    "Account": "Money, positions and orders as the exchange has them.",
    "Monitors": "Strategies side by side, each with its own settings.",
    "Settings": "The kill switch and the automatic switches.",
    "History": "Finished trades, their totals, and exports.",
    "Research": "Replays and backtests.",
    "System": "Services, health and metrics.",
    "Stream": "Server-sent events: everything that moves.",
    "Reference": "This description.",
}
_PARAMETERS = {
    "limit": "How many at most.",
    "before": "The next_before of the page before: entries older than that.",
    "market": "Only of markets whose ticker begins so.",
    "differing": "Only those that differed.",
    "trade_id": "The trade's number.",
    "exchange_order_id": "The exchange's id of the order.",
    "session_id": "The session's session_id in GET /api/sessions.",
    "action": "Only lines of this action; empty: all.",
    "monitor_id": "The monitor's name: lower-case letters, digits, - and _.",
    "idempotency_key": "The key the ticket was sent with.",
    "name": "Which setting.",
    "state": "live: not finished; closed: finished, errors too; all.",
    "series": "A series' ticker; empty: all.",
    "event": "An event's ticker, from GET /api/events.",
    "tables": "off: no strike table when none is named.",
    "since": "Milliseconds: the id of the last news heard; what came after it is told first.",
    "market_ticker": "A market's ticker, from GET /api/strikes.",
    "side": "yes or no.",
    "count": "Contracts, as a number of at most two decimals.",
    "dollars": "Instead of count: dollars that may be lost at most, fee included.",
    "limit_price": "Dollars of the side bought, between 0 and 1, on the market's grid.",
    "seconds": "How far back; seconds.",
    "request_id": "The request's number.",
    "run_id": "The run's number.",
    "service": "A service's name; empty: all.",
    "level": "The least urgent level shown.",
    "text": "What a line must hold, whatever its case.",
    "trade": "Only lines that name this trade or its orders; 0: all.",
    "minutes": "How far back; 0: as far as is kept.",
    "after": "at_us of the newest line you have: only newer ones.",
}
_PROBLEMS = {
    401: "No session or token, or one that has ended.",
    403: "The CSRF token is missing, the request came from another site, or the token's scopes do not cover this.",
    404: "There is no such thing.",
    405: "Not with this method.",
    409: "The idempotency key stands for another request, or the thing is not in a state for this.",
    413: "The body is over 64 KiB.",
    422: "A value cannot be used; ``errors`` names every one.",
    429: "Too fast, or too many failures; Retry-After says how many seconds to wait.",
    503: "The database does not answer, or a fact is missing.",
}
_EXAMPLES: dict[tuple[str, str], Any] = {
    ("/api/account/accept-balance", "post"): {
        "why": "deposit from my bank", "balance_e6": 260_000_000, "cash_e6": -1_250_000,
    },
    ("/api/account/orders/{exchange_order_id}/cancel", "post"): {},
    ("/api/tickets", "post"): {"market_ticker": "KXBTCSIM-26NOV23174630-T118749.99", "side": "yes", "count": "5", "limit_price": "0.60"},
    ("/api/trades/close-all", "post"): {"trade_ids": [12, 13]},
    ("/api/trades/{trade_id}/close", "post"): {"limit_price": "0.55"},
    ("/api/session", "post"): {"login": "admin", "password": "correct horse battery"},
    ("/api/exchange/keys/{mode}", "put"): {
        "key_id": "00000000-0000-0000-0000-000000000000",
        "private_key": "-----BEGIN RSA PRIVATE KEY-----\n…\n-----END RSA PRIVATE KEY-----",
    },
    ("/api/mode", "put"): {"mode": "demo"},
    ("/api/requests", "post"): {"kind": "restart_service", "args": {"service": "db_poller"}},
    ("/api/research/runs", "post"): {
        "kind": "backtest", "days": 7, "seed": 1, "strategy": "quarter_hour", "settings": {"min_probability_percent": 90},
    },
    ("/api/look", "put"): {"theme": "dark", "zone": "Europe/Berlin"},
    ("/api/session/confirm", "post"): {"password": "correct horse battery"},
    ("/api/password", "put"): {"current": "correct horse battery", "new": "another long sentence"},
    ("/api/settings/{name}", "put"): {"on": True, "why": "going out"},
    ("/api/monitors/{monitor_id}", "put"): {"enabled": True, "settings": {"min_probability_percent": 96}},
}  # fmt: skip
_KEY = {
    "name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string", "pattern": r"^[A-Za-z0-9_.:\-]{8,100}$"},
    "description": "The same key and request get the first answer again, with Idempotent-Replayed: true. Make one per order.",
}  # fmt: skip


def build(app: FastAPI) -> Json:
    """The description of every route that is in the schema."""
    from recio.web.schemas import SCHEMAS  # some hundred kilobytes nobody needs while trading

    found = get_openapi(
        title=app.title, version=app.version, routes=app.routes, description=_ABOUT,
        tags=[{"name": name, "description": about} for name, about in TAGS.items()],
    )  # fmt: skip
    parts = found.setdefault("components", {})
    own = {
        name: s
        for name, s in parts.get("schemas", {}).items()
        if name not in ("HTTPValidationError", "ValidationError")
    }
    settings, named = msgspec.json.schema_components(
        (KillSwitch, AutoEntrySettings, AutoStopSettings), ref_template="#/components/schemas/{name}"
    )
    parts["schemas"] = own | named | SCHEMAS
    body = found["paths"]["/api/settings/{name}"]["put"]["requestBody"]["content"][_JSON]
    body["schema"] = {"anyOf": list(settings), "description": "Keys not named keep their value."}
    parts["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": "__Host-recio_session", "description": "POST /api/session gives it."},
        "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token", "description": "With the cookie, for everything but GET."},
        "token": {"type": "http", "scheme": "bearer", "description": "Made under Settings, API tokens. Scopes: "
                  + "; ".join(f"{name}: {about}" for name, about in SCOPES.items()) + "."},
    }  # fmt: skip
    scopes = {
        (route.path, method.lower()): (getattr(route, "openapi_extra", None) or {}).get("x-scopes", [])
        for route in walk(app.routes)
        for method in route.methods or ()
    }
    for path, item in found["paths"].items():
        for method, operation in item.items():
            _finish(path, method, operation, scopes.get((path, method), []))
    return found


def _finish(path: str, method: str, operation: Json, scopes: list[str]) -> None:
    operation.pop("x-own-keys", None)
    operation["operationId"] = (
        f"{method}_{path.strip('/').replace('/', '_').replace('{', '').replace('}', '') or 'root'}"
    )
    for parameter in operation.get("parameters", []):
        parameter.setdefault("description", _PARAMETERS.get(parameter["name"], ""))
    if method == "post" and path != "/api/session":
        operation.setdefault("parameters", []).append(_KEY)
    if "requestBody" in operation and (path, method) in _EXAMPLES:
        operation["requestBody"]["content"][_JSON]["example"] = _EXAMPLES[path, method]
    _secure(path, method, operation, scopes)
    _answers(path, method, operation)


def _answers(path: str, method: str, operation: Json) -> None:
    """The success as the route described it, and every refusal that can come."""
    responses = operation["responses"]
    kinds = responses["200"]["content"]
    if len(kinds) > 1 and not kinds.get(_JSON, {}).get("schema"):
        kinds.pop(_JSON, None)  # FastAPI's guess beside what the route said
    if path == "/readyz":
        responses["503"] = {"description": "Something is missing, by name.", "content": responses["200"]["content"]}
    taken = _statuses(path, method, operation)
    responses.pop("422", None)
    for status in sorted(taken):
        responses.setdefault(str(status), _problem(_PROBLEMS[status]))
    responses["default"] = _problem("Anything else that is not a success.")
    for status, response in responses.items():
        if path not in ("/livez",) and not path.startswith("/static/"):
            response["headers"] = {n: {"schema": {"type": "string"}} for n in ("RateLimit", "RateLimit-Policy")}
        if status == "429":
            response["headers"]["Retry-After"] = {"schema": {"type": "integer"}, "description": "seconds"}


def _statuses(path: str, method: str, operation: Json) -> set[int]:
    """Which refusals a call may meet."""
    if path == "/livez":
        return set()
    taken = {401, 403, 429, 503}
    if operation.get("parameters") or "requestBody" in operation:
        taken |= {422}
    if "{" in path or path in ("/api/strikes", "/api/quote", "/api/tickets"):
        taken |= {404}
    if method != "get":
        taken |= {409, 413}
    return taken


def _secure(path: str, method: str, operation: Json, scopes: list[str]) -> None:
    if path in ("/livez", "/readyz") or (path, method) == ("/api/session", "post"):
        operation["security"] = [] if path != "/readyz" else [{}, {"session": []}, {"token": []}]
        return
    session: Json = {"session": []} if method == "get" else {"session": [], "csrf": []}
    operation["security"] = [session, *({"token": [scope]} for scope in scopes)]


def _problem(about: str) -> Json:
    return {
        "description": about,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


_ABOUT = """The same door for people and programs: the page uses this API and nothing else.

Numbers are integers with their unit in the name: `_e2` 1/100, `_e4` 1/10,000 dollar, `_e6` 1/1,000,000 dollar, `_ms`
milliseconds since 1970, `_s` seconds, `_bp` basis points. Probabilities are 0 to 1. `null` is not known, never 0."""
