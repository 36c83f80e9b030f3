"""Our parsers and the simulator's frames beside Kalshi's own specification files, when they are there.

Each parser is run over a row that has every field of the specification, and notes which it reads: what it reads must
be specified, what it cannot do without must be required there, and what is enumerated there must be taken. The tables
below name each exception and why. Set RECIO_SPECS to the folder with openapi.yaml and asyncapi.yaml.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from recio.exchange.kalshi import messages, wire
from recio.exchange.kalshi.models import NewOrder
from recio.exchange.simulator import frames
from recio.exchange.simulator.account import Position
from recio.exchange.simulator.core import Exchange
from recio.exchange.simulator.index import Index
from recio.exchange.simulator.orders import BookChanged, Fill, GroupChanged, Order, Traded
from recio.exchange.simulator.path import PathClock
from recio.market.generator import GeneratedPath

SPECS = Path(os.environ.get("RECIO_SPECS") or Path(__file__).parents[4] / "shared" / "reference" / "specs")
Json = dict[str, Any]
pytestmark = pytest.mark.skipif(
    not (SPECS / "openapi.yaml").is_file() or not (SPECS / "asyncapi.yaml").is_file(),
    reason=f"no openapi.yaml and asyncapi.yaml in {SPECS}; set RECIO_SPECS to their folder",
)

# (schema, field): why our parser reads what the specification does not name
READ_UNSPECIFIED: dict[tuple[str, str], str] = {
    ("Order", "created_ts_ms"): "one parser for REST rows and user_order frames; the frame has it",
    ("Order", "last_updated_ts_ms"): "the same",
    ("userOrderPayload", "exchange_index"): "named by both; kept for rows of before the shards",
    ("Fill", "ts_ms"): "one parser for REST rows and fill frames; the frame has it",
    ("Fill", "post_position_fp"): "the same",
    ("Fill", "client_order_id"): "the same; REST dropped it on 2026-03-30",
    ("fillPayload", "fill_id"): "REST's name of trade_id, read when trade_id is absent",
    ("fillPayload", "ticker"): "REST's name of market_ticker",
    ("marketLifecycleV2Payload", "floor_strike"): "metadata_updated carries the strike beside event_type (own message in the spec)",
}  # fmt: skip
# (schema, field): why our parser cannot do without what the specification calls optional
NEEDED_OPTIONAL: dict[tuple[str, str], str] = {
    ("Fill", "created_time"): "a fill has a time: neither created_time nor ts is required, one of them always came",
}
# (payload, field): why the simulator sends what the specification does not name
SENT_UNSPECIFIED: dict[tuple[str, str], str] = {}


@cache
def spec(name: str) -> Json:
    found: Json = yaml.load((SPECS / name).read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return found


def schema(file: str, name: str) -> Json:
    found: Json = spec(file)["components"]["schemas"][name]
    if "allOf" in found:
        merged: Json = {"properties": {}, "required": []}
        for part in found["allOf"]:
            part = resolve(file, part)
            merged["properties"] |= part.get("properties", {})
            merged["required"] += part.get("required", [])
        return merged
    return found


def resolve(file: str, node: Json) -> Json:
    return schema(file, node["$ref"].rpartition("/")[2]) if "$ref" in node else node


def body(name: str) -> Json:
    """The msg of a WebSocket payload."""
    found: Json = resolve("asyncapi.yaml", schema("asyncapi.yaml", name)["properties"]["msg"])
    return found


class Noted(dict[str, Any]):
    """A row that remembers what was asked of it."""

    def __init__(self, values: Json) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)


VALUES: Json = {
    "book_side": "bid", "side": "yes", "status": "active", "result": "yes", "market_result": "yes", "strike_type": "greater",
    "exchange_index": 2, "is_taker": True, "revenue": 100, "value": 100, "balance": 5, "portfolio_value": 5,
    "ts": 1_700_000_000, "ts_ms": 1_700_000_000_000, "created_ts_ms": 1_700_000_000_000, "settled_ts": 1_700_000_000,
    "last_updated_ts_ms": 1_700_000_000_000, "open_ts": 1_700_000_000, "close_ts": 1_700_000_000, "clock": 7,
    "exchange_active": True, "trading_active": True, "floor_strike": 72749.99, "cap_strike": 72999.99, "event_type": "created",
    "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}], "settlement_value": "1.0000",
    "yes_dollars_fp": [["0.4000", "1.00"]], "no_dollars_fp": [["0.5000", "1.00"]],
    "additional_metadata": {"floor_strike": 72749.99}, "order_id": "o", "ticker": "KXBTCD-26NOV2317-T72749.99",
    "balance_breakdown": [{"exchange_index": 2, "balance": "1.000000"}], "exchange_index_statuses": [],
    "read": {"refill_rate": 200, "bucket_capacity": 200}, "write": {"refill_rate": 100, "bucket_capacity": 100},
    "index_id": "BRTI", "received_at": 1_700_000_000_000, "data": '{"value":"68000.12","time":1700000000123}',
    "avg_60s_data": {"value": "68000.12000000", "window_size": 60, "window_start_ts_ms": 1, "window_end_ts_exclusive": 2},
}  # fmt: skip


def sample(name: str, form: str = "") -> Any:
    if (form, name) == ("orderbookDeltaPayload", "ts"):
        return "2026-11-23T23:00:00Z"  # epoch seconds everywhere else
    if name in VALUES:
        return VALUES[name]
    if name.endswith(("_dollars", "_fp", "_cost")) or name in ("fill_count", "remaining_count", "average_fill_price",
                                                              "average_fee_paid", "count", "reduced_by"):  # fmt: skip
        return "0.5000" if "dollars" in name or "average" in name else "1.00"
    return "2026-11-23T23:00:00Z" if name.endswith("_time") else f"a {name}"


REST: dict[str, Callable[[Json], object]] = {
    "Market": wire.market,
    "Order": wire.order,
    "Fill": wire.fill,
    "MarketPosition": wire.position,
    "Settlement": wire.settlement,
    "GetBalanceResponse": wire.balance,
    "ExchangeStatus": wire.exchange_status,
    "GetAccountApiLimitsResponse": wire.account_limits,
    "CreateOrderV2Response": lambda row: wire.order_ack(row, "c"),
}
FRAMES = {
    "orderbookSnapshotPayload": "orderbook_snapshot",
    "orderbookDeltaPayload": "orderbook_delta",
    "tickerPayload": "ticker",
    "tradePayload": "trade",
    "fillPayload": "fill",
    "userOrderPayload": "user_order",
    "marketPositionPayload": "market_position",
    "orderGroupUpdatesPayload": "order_group_updates",
    "marketLifecycleV2Payload": "market_lifecycle_v2",
    "cfbenchmarksValuePayload": "cfbenchmarks_value",
}
HEAD = {"sid": 1, "seq": 1, "id": None}


def cases() -> Iterator[tuple[str, str, Callable[[Json], object]]]:
    for name, parse in REST.items():
        yield "openapi.yaml", name, parse
    for name, kind in FRAMES.items():
        if kind.startswith("orderbook"):
            of_book = messages._snapshot if kind.endswith("snapshot") else messages._delta
            yield "asyncapi.yaml", name, lambda row, of_book=of_book: of_book(row, HEAD, True)  # type: ignore[misc]
        else:
            yield "asyncapi.yaml", name, lambda row, parse=messages._PARSERS[kind]: parse(row, HEAD)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("file", "name", "parse"), list(cases()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_we_read_is_specified_and_what_we_need_is_required(
    file: str, name: str, parse: Callable[[Json], object]
) -> None:
    form = schema(file, name) if file == "openapi.yaml" else body(name)
    fields, required = set(form["properties"]), set(form.get("required", []))
    row = Noted({field: sample(field, name) for field in fields})
    parse(row)
    # A field is read as "this or that": a second run with nothing optional shows the fallbacks.
    bare = Noted(
        {field: value for field, value in row.items() if field in required or (name, field) in NEEDED_OPTIONAL}
    )
    parse(bare)
    unspecified = {
        field for field in row.read | bare.read if field not in fields and (name, field) not in READ_UNSPECIFIED
    }
    assert not unspecified, f"{name} reads {sorted(unspecified)}, which {file} does not name"
    for field in sorted(required):
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):  # nothing worse, and never a guess
            parse({key: value for key, value in bare.items() if key != field})
    optional_needed = set()
    for field in sorted(fields - required):
        try:
            parse({key: value for key, value in row.items() if key != field})
        except (ValueError, KeyError, TypeError, AttributeError):
            optional_needed.add(field)
    missing = {field for field in optional_needed if (name, field) not in NEEDED_OPTIONAL}
    assert not missing, f"{name} cannot do without {sorted(missing)}, which {file} calls optional"


def test_unknown_fields_are_tolerated() -> None:
    for file, name, parse in cases():
        form = schema(file, name) if file == "openapi.yaml" else body(name)
        parse({field: sample(field, name) for field in form["properties"]} | {"brand_new": {"deep": [1]}})


def test_an_order_we_send_is_one_the_specification_takes() -> None:
    form = schema("openapi.yaml", "CreateOrderV2Request")
    new = NewOrder(
        "T", "bid", 100, 5_000, "c", post_only=True, reduce_only=True, expiration_time_s=1, order_group_id="g"
    )
    sent = wire.new_order_body(new)
    assert set(sent) <= set(form["properties"]), sorted(set(sent) - set(form["properties"]))
    assert set(form["required"]) <= set(sent)
    for field, value in sent.items():
        allowed = resolve("openapi.yaml", form["properties"][field]).get("enum")
        assert allowed is None or value in allowed, (field, value, allowed)


def simulated() -> Iterator[tuple[str, Json]]:
    now_s = 1_795_474_800.0
    exchange = Exchange(GeneratedPath(1), "p", lambda: now_s, seed=1)
    exchange.tick()
    market = next(m for m in exchange.markets.values() if m.status == "active")
    book = exchange.engine.book(market.ticker)
    order = Order("o", "c", market.ticker, "bid", 5_000, 100, 100, "good_till_canceled", 1, 2, reason="Decrease")
    fill = Fill("t", "o", "c", market.ticker, "bid", 100, 5_000, 17_500, True, 1_700_000_000_000, 100)
    index = Index(GeneratedPath(1), PathClock.start(GeneratedPath(1), now_s, 1.0), 1)
    yield "orderbookSnapshotPayload", frames.snapshot(market, book, 1, True)
    changed = BookChanged(market.ticker, "no", 5_000, 100, "c")
    yield "orderbookDeltaPayload", frames.delta(changed, market, 1, 1, True)
    yield "tickerPayload", frames.ticker(market, book, 100, 1)
    yield "tradePayload", frames.trade(Traded("t", market.ticker, 5_000, 100, "bid", 1))
    yield "fillPayload", frames.fill(fill)
    yield "userOrderPayload", frames.user_order(order)
    yield "marketPositionPayload", frames.market_position(Position(market.ticker))
    yield "cfbenchmarksValuePayload", frames.index_value(index, int(now_s), 1)
    yield "cfbenchmarksValue5HzPayload", frames.index_value_5hz(index, now_s, 1)
    yield "orderGroupUpdatesPayload", frames.order_group(GroupChanged("created", "g", 100, 1_700_000_000_000))
    for kind in ("created", "determined", "settled"):
        told = frames.lifecycle(kind, market)
        assert told is not None
        yield "marketLifecycleV2Payload", told
    told = frames.lifecycle("metadata_updated", market)
    assert told is not None
    yield "marketMetadataUpdatedPayload", told


def test_the_simulators_frames_have_what_is_required_and_nothing_unspecified() -> None:
    wrong = []
    for name, sent in simulated():
        form = body(name)
        wrong += [f"{name} lacks {field}" for field in form.get("required", []) if field not in sent]
        wrong += [
            f"{name} has {field}"
            for field in sent
            if field not in form["properties"] and (name, field) not in SENT_UNSPECIFIED
        ]
        for field, value in sent.items():
            node = resolve("asyncapi.yaml", form["properties"].get(field, {}))
            kinds = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
            kind = kinds.get(str(node.get("type")))
            if kind is not None and not isinstance(value, kind):
                wrong.append(f"{name}.{field} is {value!r}, not a {node['type']}")
            if "enum" in node and value not in node["enum"]:
                wrong.append(f"{name}.{field} is {value!r}, not one of {node['enum']}")
    assert not wrong, "\n".join(wrong)


def test_the_channels_and_error_codes_we_know_are_the_specifications() -> None:
    from recio.exchange.simulator import ws_client

    channels = schema("asyncapi.yaml", "subscribeCommandPayload")["properties"]["params"]["properties"]["channels"]
    assert set(ws_client._CHANNELS) <= set(channels["items"]["enum"])
    ours = set(FRAMES.values()) - {"orderbook_snapshot", "user_order", "market_position"}
    assert ours <= set(channels["items"]["enum"])
