"""/api/openapi.json, and /api/docs: the reference made from it, readable and searchable without script."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from recio.web.desk import desk_of
from recio.web.limits import LIMITS
from recio.web.openapi import TAGS, build
from recio.web.problems import PROBLEMS
from recio.web.routes import SCOPES, api
from recio.web.wire import encode

__all__ = ["curl", "router", "type_text"]

router = APIRouter()
_lock = threading.Lock()
Json = dict[str, Any]
_FILLED = {
    "trade_id": "12", "monitor_id": "hourly", "name": "kill_switch", "idempotency_key": "2f6c1d9e-0001", "event": "$EVENT",
    "market_ticker": "$TICKER", "side": "yes", "count": "5", "limit_price": "0.60",
}  # fmt: skip


def _bytes(request: Request) -> bytes:
    """The description, made once: the few hundred kilobytes it takes to make it are let go again."""
    app = request.app
    with _lock:
        if not hasattr(app.state, "openapi"):
            app.state.openapi = encode(build(app))
        made: bytes = app.state.openapi
    return made


@router.get("/api/openapi.json", **api("Reference", "read", answer="OpenApi", about="OpenAPI 3.1"))
def openapi_json(request: Request) -> Response:
    """This description as OpenAPI 3.1."""
    return Response(_bytes(request), media_type="application/json")


@router.get("/api/docs", include_in_schema=False)
def docs(request: Request) -> Response:
    """Every call, grouped, with an example."""
    described = msgspec.json.decode(_bytes(request))
    schemas = described["components"]["schemas"]
    groups: dict[str, list[Json]] = {tag: [] for tag in TAGS}
    for path, item in described["paths"].items():
        for method, operation in item.items():
            call = _call(path, method, operation, schemas)
            groups.setdefault(call["tag"], []).append(call)
    desk = desk_of(request)
    return desk.page(request, "api_docs.html", {
        "groups": {tag: calls for tag, calls in groups.items() if calls}, "about": TAGS, "problems": PROBLEMS, "scopes": SCOPES,
        "limits": LIMITS, "shapes": {name: _fields(shape, schemas) for name, shape in sorted(schemas.items())},
        "shape_about": {name: shape.get("description", "") for name, shape in schemas.items()},
        "url": desk.settings.url.rstrip("/"), "version": described["info"]["version"],
    })  # fmt: skip


def type_text(schema: Json) -> tuple[str, str]:
    """A schema in words, and the shape it names ('' for none): ('list of Trade', 'Trade')."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return name, name
    if "anyOf" in schema:
        parts = [type_text(part) for part in schema["anyOf"]]
        said = " or ".join(dict.fromkeys(text for text, _ in parts))
        return said, next((name for _, name in parts if name), "")
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"])), ""
    kind = schema.get("type", "anything")
    if kind == "array":
        text, name = type_text(schema.get("items", {}))
        return f"list of {text}", name
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        text, name = type_text(schema["additionalProperties"])
        return f"{text}, by name", name
    return (" or ".join(kind) if isinstance(kind, list) else str(kind)), ""


def _bounds(schema: Json) -> str:
    found = []
    for part in (schema, *schema.get("anyOf", [])):
        low, high = part.get("minimum"), part.get("maximum")
        if low is not None or (high is not None and high < 2**62):
            found.append(f"{low if low is not None else ''} to {high if high is not None and high < 2**62 else '…'}")
        if "maxLength" in part:
            found.append(f"at most {part['maxLength']} characters")
    default = schema.get("default")
    return "; ".join([*found, *([f"default {default}"] if default not in (None, "") else [])])


def _fields(schema: Json, schemas: Json) -> list[Json]:
    required = set(schema.get("required", ()))
    rows = []
    for name, field in schema.get("properties", {}).items():
        text, shape = type_text(field)
        about = "; ".join(filter(None, (field.get("description", ""), _bounds(field))))
        rows.append(
            {
                "name": name,
                "kind": text,
                "shape": shape if shape in schemas else "",
                "about": about,
                "required": name in required,
            }
        )
    return rows


def _call(path: str, method: str, operation: Json, schemas: Json) -> Json:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    body_name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
    choice = " or ".join(type_text(one)[0] for one in body.get("schema", {}).get("anyOf", []))
    media, answer = next(iter(operation["responses"]["200"]["content"].items()))
    parameters = []
    for one in operation.get("parameters", []):
        text, _ = type_text(one.get("schema", {}))
        about = "; ".join(filter(None, (one.get("description", ""), _bounds(one.get("schema", {})))))
        parameters.append(
            {
                "name": one["name"],
                "where": one["in"],
                "kind": text,
                "required": one.get("required", False),
                "about": about,
            }
        )
    public = operation["security"] in ([], [{}]) or {} in operation["security"]
    return {
        "id": operation["operationId"], "method": method.upper(), "path": path, "tag": operation["tags"][0],
        "summary": operation.get("summary", ""), "about": operation.get("description", ""), "parameters": parameters,
        "body": _fields(schemas.get(body_name, {}), schemas), "choice": choice.split(" or ") if choice else [],
        "media": media, "answer": type_text(answer.get("schema", {}))[1],
        "scopes": operation.get("x-scopes", []), "public": public, "curl": curl(path, method, operation),
    }  # fmt: skip


def curl(path: str, method: str, operation: Json) -> str:
    """The call as a command line: $URL, $TOKEN and $CA are the reader's."""
    asked = []
    for one in operation.get("parameters", []):
        value = _FILLED.get(one["name"], "")
        if one["in"] == "path":
            path = path.replace("{" + one["name"] + "}", value or "1")
        elif one["in"] == "query" and one.get("required"):
            asked.append(f"{one['name']}={value or one.get('schema', {}).get('default', '')}")
    parts = ["curl --cacert $CA"]
    if operation["security"] and {} not in operation["security"]:
        parts.append(
            '-H "Authorization: Bearer $TOKEN"' if operation.get("x-scopes") else '-b jar -H "X-CSRF-Token: $CSRF"'
        )
    if "text/event-stream" in operation["responses"]["200"]["content"]:
        parts.append("-N")
    if method != "get":
        parts.append(f"-X {method.upper()}")
    if method == "post" and path != "/api/session":
        parts.append('-H "Idempotency-Key: $(uuidgen)"')
    if "requestBody" in operation:
        example = operation["requestBody"]["content"].get("application/json", {}).get("example", {})
        parts.append("-H 'Content-Type: application/json' -d '" + encode(example).decode() + "'")
    return " ".join([*parts, f'"$URL{path}{"?" + "&".join(asked) if asked else ""}"'])
