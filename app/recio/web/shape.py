"""JSON Schema written in short hand: a line a field, ``name: kind: what it is``.

    kinds    int num str bool any, a|b|c (one of these words), @Name (another shape), []kind (a list), map kind (by name)
    kind?    may be null: not known            name~    may be left out

The unit of a number is in its name (docs/api.md) and is written out for it here.
"""

from __future__ import annotations

from typing import Any

__all__ = ["schema"]

_UNITS = {
    "_e2": "1/100", "_e4": "1/10,000 dollar", "_e6": "1/1,000,000 dollar", "_ms": "milliseconds since 1970", "_s": "seconds",
    "_bp": "basis points", "_mb": "MiB",
}  # fmt: skip
_PLAIN: dict[str, dict[str, Any]] = {
    "int": {"type": "integer"}, "num": {"type": "number"}, "str": {"type": "string"}, "bool": {"type": "boolean"}, "any": {},
}  # fmt: skip


def _kind(kind: str) -> dict[str, Any]:
    if kind.endswith("?"):
        inner = _kind(kind[:-1])
        if isinstance(inner.get("type"), str) and "enum" not in inner:
            return inner | {"type": [inner["type"], "null"]}
        return {"anyOf": [inner, {"type": "null"}]} if inner else {}
    if kind.startswith("[]"):
        return {"type": "array", "items": _kind(kind[2:])}
    if kind.startswith("map "):
        return {"type": "object", "additionalProperties": _kind(kind[4:])}
    if kind.startswith("@"):
        return {"$ref": f"#/components/schemas/{kind[1:]}"}
    if "|" in kind:
        return {"type": "string", "enum": kind.split("|")}
    return dict(_PLAIN[kind])


def schema(about: str, lines: str) -> dict[str, Any]:
    """JSON Schema of one shape."""
    fields: dict[str, Any] = {}
    required = []
    for line in filter(None, (line.strip() for line in lines.splitlines())):
        name, kind, *said = (part.strip() for part in line.split(":", 2))
        unit = next((text for end, text in _UNITS.items() if name.rstrip("~").endswith(end)), "")
        text = "; ".join(filter(None, (said[0] if said else "", unit)))
        found = _kind(kind)
        fields[name.rstrip("~")] = found | {"description": text} if text else found
        if not name.endswith("~"):
            required.append(name)
    return {"type": "object", "description": about, "properties": fields, "required": required}
