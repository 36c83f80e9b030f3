"""A key on its way to the host: looked at, laid down for root alone, asked for. It is in no table, log or answer of the page."""

from __future__ import annotations

import re
from typing import Any

from fastapi import Request

from recio.contract.settings import SUPPORTED, Settings, SettingsError, load_settings
from recio.monitoring import exchange_keys as keys
from recio.monitoring.health import run_dir
from recio.store import mode_queries
from recio.web import requests
from recio.web.desk import Desk, desk_of, session_of
from recio.web.errors import ApiError
from recio.web.sessions import require_recent

__all__ = ["ask_to_remove", "ask_to_set", "known_keys", "open_now"]


def known_keys(desk: Desk) -> list[dict[str, Any]]:
    """Of every mode that can be used, what may be told of its key; None stands for what is not known."""
    found, told = [], keys.records()
    for mode in SUPPORTED:
        key_id, record = _key_id(mode, desk.settings), told.get(mode)
        record = record if record and record.key_id == key_id else None
        found.append({
            "mode": mode, "in_use": mode == desk.settings.mode, "ending": keys.ending(key_id) if key_id else None,
            "kind": record.kind if record else None, "fingerprint": record.fingerprint if record else None,
            "set_at_ms": round(record.at_s * 1000) if record else None, "set_by": record.by if record else None,
        })  # fmt: skip
    return found


def _key_id(mode: str, running: Settings) -> str:
    """As it stands on the host now: this process read its settings when it started."""
    place = keys.settings_path() if mode == running.mode else keys.mode_settings(mode)
    try:
        return load_settings(str(place)).kalshi.key_id
    except SettingsError:
        return running.kalshi.key_id if mode == running.mode else ""


def open_now(desk: Desk, user_id: str) -> str:
    """What is not finished in the mode in use, as a sentence; empty when nothing is."""
    mode = desk.settings.mode
    return keys.in_the_way(
        mode_queries.unfinished(desk.pool, user_id, mode), mode_queries.in_doubt(desk.pool, user_id, mode)
    )


def ask_to_set(request: Request, mode: str, key_id: str, private_key: str) -> int:
    """Hand a key to root, who checks it with the exchange before it replaces anything; gives the request's number.

    ApiError: not proven lately who asks, an unusable mode or key, orders under way, no way to root.
    """
    desk, session = desk_of(request), session_of(request)
    require_recent(session)
    _usable(mode)
    key_id = key_id.strip()
    if not re.fullmatch(keys.KEY_ID, key_id):
        raise _bad(
            "key_id",
            "the key id is not one: 8 to 100 letters, digits, - and _",
            "copy it from the exchange's page of API keys",
        )
    if why := keys.pem_complaint(private_key):
        raise _bad("private_key", why, "nothing was sent to the host; correct it and give it again")
    if mode == desk.settings.mode:
        orders = mode_queries.in_doubt(desk.pool, session.user_id, mode)
        same = key_id == _key_id(mode, desk.settings)
        why = keys.in_the_way([], orders) if same else open_now(desk, session.user_id)
        _refuse_open(why)
    try:
        name = keys.leave_secret(keys.Given(key_id, private_key))
    except OSError as failure:
        raise ApiError(
            503, "no_worker", f"the key cannot be handed to the host ({failure.strerror}); nothing was stored",
            "this needs a deployed host; see `recio doctor` there",
        ) from None  # fmt: skip
    try:
        return requests.ask(request, "set_exchange_key", {"mode": mode, "secret": name})
    except BaseException:
        (run_dir("main_app") / name).unlink(missing_ok=True)
        raise


def ask_to_remove(request: Request, mode: str) -> int:
    """Ask root to delete a mode's key; gives the request's number. ApiError as above."""
    desk, session = desk_of(request), session_of(request)
    require_recent(session)
    _usable(mode)
    if mode == "simulated":
        raise ApiError(
            409, "own_key", "the simulated exchange's key is this host's own and opens nothing else; it stays",
            "nothing needs to be done",
        )  # fmt: skip
    if not _key_id(mode, desk.settings):
        raise ApiError(404, "not_found", f"there is no key for mode {mode}", "GET /api/exchange lists the keys")
    if mode == desk.settings.mode:
        _refuse_open(open_now(desk, session.user_id))
    return requests.ask(request, "remove_exchange_key", {"mode": mode})


def _usable(mode: str) -> None:
    if mode not in SUPPORTED:
        raise _bad(
            "mode",
            f"no key is kept for mode {mode}: this release does not trade in it",
            f"there are: {', '.join(SUPPORTED)}",
        )


def _refuse_open(why: str) -> None:
    if why:
        raise ApiError(
            409, "not_finished", f"not now: {why}; nothing was changed", "let them end or close them, then do it again"
        )


def _bad(field: str, message: str, cure: str) -> ApiError:
    return ApiError(422, f"invalid_{field}", message, cure, fields=[{"field": field, "detail": message}])
