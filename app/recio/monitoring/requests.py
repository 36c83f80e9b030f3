"""What the page may ask of root: a closed list of kinds, each with its arguments' types. Nothing else is ever done.

The page is sandboxed and stays so: it writes a row into system.requests and touches a file in its own runtime folder; a
systemd path unit starts `recio requests run` as root, which checks everything again (recio.hostwork) and keeps no memory.

kind               arguments          a password must be recent
restart_service    service            no
backup_now         -                  no
restore_test       -                  no
diagnostics        -                  no
rollback           release            yes
set_exchange_key   mode, secret       yes     the page's own form only: the secret is a file of its runtime folder
remove_exchange_key  mode             yes     the page's own form only
mode               mode               yes     the page's own form only
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from recio.contract.settings import Mode
from recio.monitoring.health import run_dir

__all__ = ["KINDS", "MAX_AGE_S", "NEEDS_PASSWORD", "OWN_PAGE", "BadRequest", "parse", "touch_trigger"]

MAX_AGE_S = 300  # an older request is refused: who asked no longer expects it
TRIGGER = "requests.trigger"


class BadRequest(ValueError):
    """A request that is not one of the list, or whose arguments are not of their type; the message says which and what is."""


class _Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of a kind: exactly these fields, no others."""


class RestartService(_Args, frozen=True, forbid_unknown_fields=True):
    """One of the contract's services by name."""

    service: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{1,40}$")]


class Nothing(_Args, frozen=True, forbid_unknown_fields=True):
    """A kind without arguments."""


class Rollback(_Args, frozen=True, forbid_unknown_fields=True):
    """A release that is kept on this host."""

    release: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,60}$")]


class SetExchangeKey(_Args, frozen=True, forbid_unknown_fields=True):
    """The mode whose exchange it is for, and the name of the file that holds id and private key."""

    mode: Mode
    secret: Annotated[str, msgspec.Meta(pattern=r"^key_[0-9a-f]{24}\.secret$")]


class RemoveExchangeKey(_Args, frozen=True, forbid_unknown_fields=True):
    """The mode whose key goes."""

    mode: Mode


class SwitchMode(_Args, frozen=True, forbid_unknown_fields=True):
    """The mode to go to; one this release does not trade in is refused by name."""

    mode: Mode


KINDS: dict[str, type[_Args]] = {
    "restart_service": RestartService,
    "backup_now": Nothing,
    "restore_test": Nothing,
    "diagnostics": Nothing,
    "rollback": Rollback,
    "set_exchange_key": SetExchangeKey,
    "remove_exchange_key": RemoveExchangeKey,
    "mode": SwitchMode,
}
NEEDS_PASSWORD = frozenset({"rollback", "set_exchange_key", "remove_exchange_key", "mode"})
OWN_PAGE = frozenset(
    {"set_exchange_key", "remove_exchange_key", "mode"}
)  # not by POST /api/requests: these have calls of their own


def parse(kind: str, args: Mapping[str, Any]) -> Any:
    """The typed arguments of a request. Raises BadRequest."""
    shape = KINDS.get(kind)
    if shape is None:
        raise BadRequest(f"there is no request {kind[:40]!r}; there are: {', '.join(sorted(KINDS))}")
    try:
        found = msgspec.convert(dict(args), shape)
    except msgspec.ValidationError as error:
        raise BadRequest(f"{kind}: {error}") from None
    for field in shape.__struct_fields__:
        value = getattr(found, field)
        if isinstance(value, str) and not re.fullmatch(r"[^\n\r\0]*", value):  # a pattern's $ lets a newline by
            raise BadRequest(f"{kind}: {field} holds a line break")
    return found


def touch_trigger() -> None:
    """Wake the worker. Raises OSError when this process has no runtime folder."""
    (run_dir("main_app") / TRIGGER).touch(mode=0o600)
