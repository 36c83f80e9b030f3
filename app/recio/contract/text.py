"""The two files every service reads when it starts. The deploy writes them as JSON, which any reader of YAML understands too."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["UnreadableError", "decode"]


class UnreadableError(ValueError):
    """The text is neither JSON nor YAML; the message says where it breaks off."""


def decode(text: str) -> Any:
    """What ``text`` (JSON, or YAML as earlier releases wrote it) says; raises UnreadableError."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        # Imported where it is needed: it would stay in the memory of all twelve, 1.3 MB each.
        import yaml

        try:
            return yaml.load(text, yaml.CSafeLoader)
        except yaml.YAMLError as error:
            raise UnreadableError(" ".join(str(error).split())) from error
