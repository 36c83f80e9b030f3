"""What each route is, told beside it with ``api(...)`` and read by the gate: who may use it, and how it is documented."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.routing import Route, compile_path

__all__ = ["SCOPES", "Rule", "Rules", "api", "walk"]

# A token carries some of these; each is told to the user who makes one.
SCOPES: dict[str, str] = {
    "read": "see everything the pages show: prices, trades, account, status, settings",
    "trade": "open and close trades, cancel orders",
    "settings": "change settings, monitors and the kill switch",
    "research": "start replays and backtests",
    "metrics": "read /metrics, for Prometheus",
}
_SCOPES, _OWN_KEYS = "x-scopes", "x-own-keys"


def api(
    tag: str, *scopes: str, answer: str | None = None, media: str = "application/json", about: str = "As asked",
    own_keys: bool = False, example: Any = None,
) -> dict[str, Any]:  # fmt: skip
    """Keywords for a route's decorator: its tag, the scopes of which a token needs one (none: no token may), and the
    schema of its answer by name (web/schemas.py). ``own_keys``: the route keeps idempotency keys itself."""
    unknown = set(scopes) - set(SCOPES)
    if unknown:
        raise ValueError(f"unknown scopes {sorted(unknown)}; there are {', '.join(SCOPES)}")
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{answer}"} if answer else {"type": "string"}}
    if example is not None:
        content["example"] = example
    return {
        "tags": [tag],
        "responses": {200: {"description": about, "content": {media: content}}},
        "openapi_extra": {_SCOPES: list(scopes), _OWN_KEYS: own_keys},
    }


@dataclass(frozen=True)
class Rule:
    """One route: its address as a template, the scopes that open it to tokens, whether it keeps its own keys."""

    methods: frozenset[str]
    template: str
    pattern: re.Pattern[str]
    scopes: frozenset[str]
    own_keys: bool


def walk(items: Sequence[Any]) -> Iterator[Route]:
    """Every route of an application, those of included routers too."""
    for item in items:
        if isinstance(item, Route):
            yield item
            continue
        inner = getattr(item, "original_router", None) or getattr(item, "app", None)
        yield from walk(getattr(inner, "routes", None) or getattr(item, "routes", None) or [])


class Rules:
    """The rules of every route, found by method and path as the router itself does: the first that matches."""

    def __init__(self, routes: Sequence[Any]) -> None:
        self._rules: list[Rule] = []
        for route in walk(routes):
            extra = getattr(route, "openapi_extra", None) or {}
            scopes, own_keys = frozenset(extra.get(_SCOPES, ())), bool(extra.get(_OWN_KEYS))
            pattern = compile_path(route.path)[0]
            self._rules.append(Rule(frozenset(route.methods or ()), route.path, pattern, scopes, own_keys))
        self._plain = {
            (method, rule.template): self._first(method, rule.template)
            for rule in self._rules
            if "{" not in rule.template
            for method in rule.methods
        }

    def _first(self, method: str, path: str) -> Rule | None:
        return next((rule for rule in self._rules if method in rule.methods and rule.pattern.match(path)), None)

    def find(self, method: str, path: str) -> Rule | None:
        """The route that will answer; None: there is none."""
        return self._plain.get((method, path)) or self._first(method, path)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)
