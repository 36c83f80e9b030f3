"""Bodies of requests, as strict as the exchange reads them: numbers are strings, types as in its Go structs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from recio.exchange.simulator.orders import Order, Rejected
from recio.units import parse_fixed

__all__ = [
    "AMEND",
    "CREATE",
    "DECREASE",
    "Shape",
    "check_types",
    "check_values",
    "count_e2",
    "expiry_s",
    "new_order",
    "price_e4",
    "read_object",
    "wrong",
]

Json = dict[str, Any]
_LONGEST_S = 5 * 366 * 86_400  # how far ahead an order may expire


class Shape(msgspec.Struct, frozen=True):
    """What a body's fields must be: types by name, names that may not miss, and closed sets of words."""

    name: str
    types: Mapping[str, tuple[type, str]]
    required: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)


def _types(strings: str = "", bools: str = "", ints: str = "", lists: str = "") -> dict[str, tuple[type, str]]:
    kinds = ((strings, (str, "string")), (bools, (bool, "bool")), (ints, (int, "int")), (lists, (list, "slice")))
    return {name: kind for names, kind in kinds for name in names.split()}


_SIDES = ("bid", "ask")
CREATE = Shape(
    "CreateOrderV2Request",
    _types(
        "ticker client_order_id side count price time_in_force self_trade_prevention_type order_group_id",
        "post_only reduce_only cancel_order_on_pause",
        "expiration_time exchange_index subaccount",
    ),
    ("ticker", "side", "count", "price", "time_in_force", "self_trade_prevention_type"),
    {
        "side": _SIDES,
        "time_in_force": ("good_till_canceled", "immediate_or_cancel", "fill_or_kill"),
        "self_trade_prevention_type": ("taker_at_cross", "maker"),
    },
)
AMEND = Shape(
    "AmendOrderV2Request",
    _types("ticker side price count client_order_id updated_client_order_id", "", "expiration_time exchange_index"),
    ("ticker", "side", "price", "count"),
    {"side": _SIDES},
)
DECREASE = Shape("DecreaseOrderV2Request", _types("reduce_by reduce_to market_ticker", "", "exchange_index"))


def wrong(details: str) -> Rejected:
    """A 400 about the body."""
    return Rejected(400, "bad_request", "bad request", details)


def read_object(raw: bytes, content_type: str) -> Json:
    """The request's JSON object. Rejected in the exchange's words."""
    if content_type != "application/json":
        raise Rejected(400, "invalid_content_type", "invalid content type", content_type)
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise wrong(f"json: {problem}") from problem
    if not isinstance(body, dict):
        raise wrong("json: cannot unmarshal into Go value of an object")
    return body


def check_types(body: object, shape: Shape) -> Json:
    """The object with every known field of its type; unknown fields are not looked at. Rejected."""
    if not isinstance(body, dict):
        raise wrong(f"json: cannot unmarshal into Go value of type {shape.name}")
    for name, (kind, said) in shape.types.items():
        value = body.get(name)
        if value is not None and type(value) is not kind:
            kinds = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
            given = kinds.get(type(value), "value")
            raise wrong(f"json: cannot unmarshal {given} into Go struct field {shape.name}.{name} of type {said}")
    return body


def check_values(body: Json, shape: Shape) -> Json:
    """The object with everything that must be there, of the words there are. Rejected."""
    for name in shape.required:
        if not body.get(name):
            raise wrong(f"{name} is required")
    for name, choices in shape.choices.items():
        if body[name] not in choices:
            raise wrong(f"{name} must be one of {', '.join(choices)}")
    if body.get("subaccount") not in (None, 0):
        raise Rejected(403, "forbidden", "forbidden", "this account has no numbered subaccounts")
    return body


def count_e2(text: str) -> int:
    """A positive count. Rejected."""
    try:
        count = parse_fixed(text, 2)
    except ValueError as problem:
        raise Rejected(400, "invalid_order_size", "invalid order size", str(problem)) from problem
    if count <= 0:
        raise Rejected(400, "invalid_order_size", "invalid order size", f"count {text}")
    return count


def price_e4(text: str) -> int:
    """A price. Rejected; whether it is on the market's grid is another question."""
    try:
        return parse_fixed(text, 4)
    except ValueError as problem:
        raise Rejected(400, "invalid_price", "invalid price", str(problem)) from problem


def expiry_s(given: int, now_s: float) -> int:
    """An expiration time that lies ahead. Rejected."""
    if not 0 < given - now_s < _LONGEST_S:
        raise Rejected(400, "invalid_order", "invalid order", "expiration_time must be ahead")
    return given


def new_order(body: Json, now_ms: int) -> Order:
    """An order as a checked body describes it. Rejected with the exchange's codes."""
    count, price = count_e2(body["count"]), price_e4(body["price"])
    is_gtc, expires_s = body["time_in_force"] == "good_till_canceled", body.get("expiration_time")
    if expires_s is not None:
        if not is_gtc:
            raise Rejected(400, "invalid_order", "invalid order", "expiration_time needs good_till_canceled")
        expires_s = expiry_s(expires_s, now_ms / 1000)
    if body.get("post_only") and not is_gtc:
        raise Rejected(400, "invalid_order", "invalid order", "post only needs good_till_canceled")
    return Order(
        str(uuid.uuid4()),
        body.get("client_order_id") or str(uuid.uuid4()),
        body["ticker"],
        body["side"],
        price,
        count,
        count,
        body["time_in_force"],
        now_ms,
        now_ms,
        self_trade=body["self_trade_prevention_type"],
        expires_s=expires_s,
        post_only=bool(body.get("post_only")),
        cancel_on_pause=bool(body.get("cancel_order_on_pause")),
        group_id=body.get("order_group_id") or "",
    )
