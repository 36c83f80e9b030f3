"""The exchange's keys by HTTP: what there is, give one, remove one. Only for a session that proved itself lately."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from recio.contract.settings import Mode
from recio.store import mode_queries
from recio.web.desk import desk_of
from recio.web.exchange_keys import ask_to_remove, ask_to_set, known_keys
from recio.web.routes import api
from recio.web.wire import json_response, milliseconds

__all__ = ["router"]

router = APIRouter()
Which = Annotated[Mode, Path(description="The mode whose exchange the key is for")]


class NewKey(BaseModel):
    """The key's id and its private part, a PEM without a passphrase."""

    model_config = ConfigDict(extra="forbid")
    key_id: Annotated[str, Field(min_length=1, max_length=200)]
    private_key: Annotated[str, Field(min_length=1, max_length=20_000)]


@router.get("/api/exchange", **api("Settings", "read", answer="Exchange"))
def get_exchange(request: Request) -> Response:
    """The mode, where its exchange is, and of each mode's key what may be told."""
    desk = desk_of(request)
    signed = mode_queries.signed(desk.pool, desk.settings.mode)
    at = signed["signed_call_at"] if signed else None
    return json_response({
        "mode": desk.settings.mode, "rest_url": desk.settings.kalshi.rest_url,
        "signed_call_at_ms": milliseconds(at) if at else None, "keys": known_keys(desk),
    })  # fmt: skip


@router.put("/api/exchange/keys/{mode}", **api("Settings", answer="RequestAsked"))
def put_key(request: Request, mode: Which, body: NewKey) -> Response:
    """Give this host a key: the exchange is asked with it first, then it replaces the one there is. Follow the request."""
    return json_response({"request_id": ask_to_set(request, mode, body.key_id, body.private_key)})


@router.delete("/api/exchange/keys/{mode}", **api("Settings", answer="RequestAsked"))
def delete_key(request: Request, mode: Which) -> Response:
    """Remove a key from this host. Follow the request."""
    return json_response({"request_id": ask_to_remove(request, mode)})
