"""What a contract of a newer release holds that this one does not know.

A release that is gone back to finds the contract of the one that failed: figures it has never heard of must not keep it from trading. Only
the host's file is read so; what a deploy is about to write is held to the letter.
"""

from __future__ import annotations

from typing import Any

from msgspec import inspect

__all__ = ["known_part"]


def known_part(raw: Any, kind: type) -> tuple[Any, list[str]]:
    """What was read from YAML, as a struct of ``kind`` knows it; and the paths of the keys it does not know."""
    unknown: list[str] = []
    return _known(raw, inspect.type_info(kind), "", unknown), unknown


def _known(raw: Any, kind: inspect.Type, where: str, unknown: list[str]) -> Any:
    if isinstance(kind, inspect.UnionType):
        kind = next((one for one in kind.types if isinstance(one, inspect.StructType | inspect.DictType)), kind)
    if isinstance(raw, dict) and isinstance(kind, inspect.StructType):
        names = {field.encode_name: field.type for field in kind.fields}
        unknown += [f"{where}{key}" for key in raw if key not in names]
        return {key: _known(raw[key], names[key], f"{where}{key}.", unknown) for key in raw if key in names}
    if isinstance(raw, dict) and isinstance(kind, inspect.DictType):
        return {key: _known(value, kind.value_type, f"{where}{key}.", unknown) for key, value in raw.items()}
    return raw
