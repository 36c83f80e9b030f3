"""What the history page reads beside the trades themselves: figures by group, the equity curve, one trade's surroundings.

Hours and weekdays are New York's, where the markets' hours are; they and the dates go by when a trade was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from recio.store.db import Queries
from recio.store.web_queries import TradeFilter

__all__ = [
    "CURVE_TRADES",
    "EXITS",
    "GROUPS",
    "HistoryFilter",
    "at_entry",
    "curve",
    "entries",
    "figures",
    "filter_values",
    "neighbours",
    "trace",
]

Row = dict[str, Any]
_ET = "(t.created_at AT TIME ZONE 'America/New_York')"
_STOPPED = (
    "EXISTS (SELECT FROM users.tickets c WHERE c.user_id = t.user_id AND c.trade_id = t.trade_id AND c.kind = 'close'"
    " AND c.state = 'accepted' AND c.source = 'auto_stop')"
)
# What has an outcome: every figure and the curve count these and no others.
_FINISHED = "t.pnl_e6 IS NOT NULL AND t.entry_count_e2 > 0"
_SOLD = f"{_FINISHED} AND t.exit_count_e2 >= t.entry_count_e2"
# How a trade ended; no trade is in two of them, and every trade with a PnL is in one.
EXITS = {
    "settled": f"{_FINISHED} AND t.exit_count_e2 < t.entry_count_e2",
    "stopped": f"{_SOLD} AND {_STOPPED}",
    "by_hand": f"{_SOLD} AND NOT {_STOPPED}",
    "unfilled": "t.pnl_e6 IS NOT NULL AND t.entry_count_e2 = 0",
}
CURVE_TRADES = 30_000  # the newest that the equity curve covers: putting a million in order takes seconds
# name -> what it is in the database; the page's groups
GROUPS = {
    "hour": f"extract(hour FROM {_ET})::int",
    "weekday": f"extract(isodow FROM {_ET})::int",
    "series": "t.series_ticker",
    "monitor": "coalesce(t.monitor_id, '')",
    "side": "t.side",
    "source": "t.source",
}
_STRATEGYS = "monitor_id IN (SELECT monitor_id FROM users.monitors WHERE user_id = %s AND strategy = %s)"


@dataclass(frozen=True)
class HistoryFilter(TradeFilter):
    """TradeFilter and: ISO ``weekday`` 1 to 7 and ``hour`` 0 to 23 (None: any), ``monitor``, ``strategy`` (of the monitor as
    it is now), ``source``, ``exit`` (a key of EXITS)."""

    weekday: int | None = None
    hour: int | None = None
    monitor: str = ""
    strategy: str = ""
    source: str = ""
    exit: str = ""

    def where(self, user_id: str, mode: str) -> tuple[str, list[Any]]:
        """The condition and its parameters."""
        base, values = super().where(user_id, mode)
        parts = [base]
        for column, value in (
            (GROUPS["weekday"], self.weekday), (GROUPS["hour"], self.hour), ("t.monitor_id", self.monitor or None),
            ("t.source", self.source or None),
        ):  # fmt: skip
            if value is not None:
                parts.append(f"{column} = %s")
                values.append(value)
        if self.strategy:
            parts.append(f"t.{_STRATEGYS}")
            values += [user_id, self.strategy]
        if self.exit:
            parts.append(EXITS[self.exit])
        return " AND ".join(parts), values

    def kept(self, user_id: str, mode: str) -> tuple[str, list[Any]] | None:
        """The condition on users.trade_sums, or None where it cannot answer: it knows no dates, no live trades by
        themselves, and not who sold a trade."""
        if (
            self.since
            or self.until
            or self.state not in ("closed", "all")
            or self.exit not in ("", "settled", "unfilled")
        ):
            return None
        parts, values = ["user_id = %s", "mode = %s", "trades <> 0"], [user_id, mode]
        for column, value in (
            ("weekday", self.weekday), ("hour", self.hour), ("series_ticker", self.series or None), ("side", self.side or None),
            ("monitor_id", self.monitor or None), ("source", self.source or None), ("outcome", self.outcome or None),
            ("ending", self.exit or None),
        ):  # fmt: skip
            if value is not None:
                parts.append(f"{column} = %s")
                values.append(value)  # type: ignore[arg-type]
        if self.strategy:
            parts.append(_STRATEGYS)
            values += [user_id, self.strategy]
        return " AND ".join(parts), values


# What a group of trades adds up to, from cells: rows of trades with one ending and one outcome (users.trade_sums's columns).
_DONE = "ending IN ('settled', 'sold')"
_SUMS = ", ".join(
    f"coalesce(sum({what}) FILTER (WHERE {where}), 0)::bigint AS {name}"
    for name, what, where in (
        ("trades", "trades", "true"), ("finished", "trades", _DONE), ("won", "trades", f"{_DONE} AND outcome = 'won'"),
        ("lost", "trades", f"{_DONE} AND outcome = 'lost'"), ("count_e2", "count_e2", "true"), ("cost_e6", "cost_e6", "true"),
        ("fees_e6", "fees_e6", "true"), ("pnl_e6", "pnl_e6", _DONE), ("gain_e6", "pnl_e6", f"{_DONE} AND outcome = 'won'"),
        ("loss_e6", "pnl_e6", f"{_DONE} AND outcome = 'lost'"), ("finished_cost_e6", "cost_e6", _DONE),
        ("finished_count_e2", "count_e2", _DONE),
    )
)  # fmt: skip
_KEPT = {
    "monitor": "monitor_id",
    "series": "series_ticker",
}  # names in users.trade_sums where they differ from the group's
_CELL = "ending, outcome, trades, count_e2, cost_e6, fees_e6, pnl_e6"
_COUNTED = (
    "users.trade_ending(t.pnl_e6, t.entry_count_e2, t.exit_count_e2) AS ending, users.trade_outcome(t.pnl_e6) AS outcome,"
    " count(*) AS trades, sum(t.entry_count_e2) AS count_e2, sum(t.entry_cost_e6) AS cost_e6, sum(t.fees_e6) AS fees_e6,"
    " coalesce(sum(t.pnl_e6), 0) AS pnl_e6"
)


def figures(
    db: Queries, user_id: str, mode: str, wanted: HistoryFilter, groups: Sequence[str] = (), *, one_by_one: bool = False
) -> dict[str, list[Row]]:
    """Sums of the trades wanted: under "" one row of all of them, under each of ``groups`` (of GROUPS) a row a ``key``.

    ``trades``, ``count_e2``, ``cost_e6`` and ``fees_e6`` are of all of them; the rest of those with an outcome.
    From the sums the database keeps where the filter allows (HistoryFilter.kept), with the live trades counted anew; else,
    and with ``one_by_one``, trade by trade. Both say the same."""
    kept = None if one_by_one else wanted.kept(user_id, mode)
    if kept is None:
        cells, values = _counted(user_id, mode, wanted, groups)
    else:
        names = "".join(f"{_KEPT.get(name, name)} AS k_{name}, " for name in groups)
        cells, values = f"SELECT {names}{_CELL} FROM users.trade_sums WHERE {kept[0]}", kept[1]  # noqa: S608 - from code
        if wanted.state == "all":
            live, more = _counted(user_id, mode, replace(wanted, state="live"), groups)
            cells, values = f"{cells} UNION ALL {live}", [*values, *more]
    shown = "".join(f"k_{name}, grouping(k_{name}) AS g_{name}, " for name in groups)
    sets = ", ".join(["()", *(f"(k_{name})" for name in groups)])
    rows = db.all(f"SELECT {shown}{_SUMS} FROM ({cells}) cells GROUP BY GROUPING SETS ({sets})", values)  # noqa: S608
    found: dict[str, list[Row]] = {name: [] for name in ("", *groups)}
    for row in rows:
        name = next((group for group in groups if row[f"g_{group}"] == 0), "")
        sums = {column: value for column, value in row.items() if not column.startswith(("g_", "k_"))}
        found[name].append(sums | {"key": row[f"k_{name}"] if name else ""})
    for rows in found.values():
        rows.sort(key=lambda row: row["key"])
    return found


def _counted(user_id: str, mode: str, wanted: HistoryFilter, groups: Sequence[str]) -> tuple[str, list[Any]]:
    """Cells from the trades themselves: a million rows are put into one small table of all keys, once for every group."""
    where, values = wanted.where(user_id, mode)
    names = "".join(f"{GROUPS[name]} AS k_{name}, " for name in groups)
    keys = ", ".join(str(n + 1) for n in range(len(groups) + 2))
    return f"SELECT {names}{_COUNTED} FROM users.trades t WHERE {where} GROUP BY {keys}", values  # noqa: S608 - from code


def curve(db: Queries, user_id: str, mode: str, wanted: HistoryFilter, points: int = 240) -> Row:
    """The running PnL of the filled, finished trades wanted, in the order they closed; the newest CURVE_TRADES at most.

    ``points``: about that many rows {n, at, equity_e6, fall_e6 below the highest so far}, among them the first, the last
    and both ends of the deepest fall; ``drawdown_e6`` with ``peak_n``,
    ``peak_at`` (None: the start), ``trough_n``, ``trough_at`` (all None without a fall); ``losing_streak``."""
    where, values = wanted.where(user_id, mode)
    rows = db.all(
        "WITH f AS (SELECT trade_id, coalesce(closed_at, created_at) AS at, pnl_e6 FROM users.trades t"  # noqa: S608
        f" WHERE {where} AND {_FINISHED} ORDER BY trade_id DESC LIMIT {CURVE_TRADES}),"
        " o AS (SELECT at, pnl_e6, row_number() OVER w AS n, sum(pnl_e6) OVER w AS equity,"
        "  count(*) FILTER (WHERE pnl_e6 >= 0) OVER w AS breaks FROM f"
        "  WINDOW w AS (ORDER BY at, trade_id ROWS UNBOUNDED PRECEDING)),"
        " d AS MATERIALIZED (SELECT *, greatest(0, max(equity) OVER (ORDER BY n ROWS UNBOUNDED PRECEDING)) AS peak FROM o),"
        " total AS (SELECT count(*) AS n, (count(*) / %s + 1) AS step FROM d),"
        " deep AS (SELECT n, at, peak, peak - equity AS fall FROM d WHERE peak > equity ORDER BY peak - equity DESC, n LIMIT 1),"
        " top AS (SELECT min(d.n) AS n, min(d.at) AS at FROM d, deep WHERE d.n < deep.n AND d.equity = deep.peak AND deep.peak > 0),"
        " streak AS (SELECT count(*) AS n FROM d WHERE pnl_e6 < 0 GROUP BY breaks ORDER BY 1 DESC LIMIT 1)"
        " SELECT 0 AS kind, d.n, d.at, d.equity::bigint AS value, (d.peak - d.equity)::bigint AS fall FROM d, total"
        "  WHERE d.n %% total.step = 0 OR d.n IN (1, total.n, (SELECT n FROM deep), (SELECT n FROM top))"
        " UNION ALL SELECT 1, n, at, fall::bigint, 0 FROM deep UNION ALL SELECT 2, n, at, 0, 0 FROM top WHERE n IS NOT NULL"
        " UNION ALL SELECT 3, n, NULL, 0, 0 FROM streak ORDER BY 1, 2",
        [*values, points],
    )
    by = {row["kind"]: row for row in rows if row["kind"]}
    deep, top = by.get(1), by.get(2)
    return {
        "points": [
            {"n": r["n"], "at": r["at"], "equity_e6": r["value"], "fall_e6": r["fall"]} for r in rows if r["kind"] == 0
        ],
        "drawdown_e6": deep["value"] if deep else 0,
        "trough_n": deep["n"] if deep else None, "trough_at": deep["at"] if deep else None,
        "peak_n": top["n"] if top else None, "peak_at": top["at"] if top else None,
        "losing_streak": by[3]["n"] if 3 in by else 0,
    }  # fmt: skip


def filter_values(db: Queries, user_id: str) -> Row:
    """What can be chosen: ``monitors`` and ``strategies``."""
    rows = db.all("SELECT monitor_id, strategy FROM users.monitors WHERE user_id = %s ORDER BY monitor_id", (user_id,))
    return {"monitors": [r["monitor_id"] for r in rows], "strategies": sorted({r["strategy"] for r in rows})}


_DECISION = (
    "d.at, d.monitor_id, d.monitor_version, d.strategy, d.model_version, d.why, d.probability_model, d.probability_market,"
    " d.probability, d.ask_e4, d.differential_e4, d.raw_differential_e4"
)


def at_entry(db: Queries, ticket_id: int) -> Row | None:
    """The decision behind a trade's ticket, with what was seen (``inputs``); None: nothing decided it but the user."""
    return db.one(f"SELECT {_DECISION}, d.inputs FROM users.decisions d WHERE d.ticket_id = %s LIMIT 1", (ticket_id,))  # noqa: S608


def entries(db: Queries, user_id: str, mode: str, wanted: HistoryFilter, limit: int) -> list[Row]:
    """The newest finished trades wanted with a recorded decision in a market that ended YES or NO: what was believed, paid
    and came of it. ``result`` is the market's: a trade sold before the close is not left out, stops are mostly losses."""
    where, values = wanted.where(user_id, mode)
    return db.all(
        f"SELECT t.trade_id, t.event_ticker, t.side, res.result, t.entry_cost_e6, t.entry_count_e2, t.exit_count_e2, t.pnl_e6,"  # noqa: S608
        f" {_DECISION}, (d.inputs -> 'row' ->> 'buffer_e2')::bigint AS buffer_e2,"
        " (d.inputs -> 'row' ->> 'yes_ask_e4')::bigint AS yes_ask_e4, (d.inputs -> 'row' ->> 'no_ask_e4')::bigint AS no_ask_e4"
        " FROM users.trades t JOIN LATERAL (SELECT * FROM users.decisions d WHERE d.ticket_id = t.ticket_id LIMIT 1) d ON true"
        " LEFT JOIN live_data.markets m ON m.market_ticker = t.market_ticker AND m.mode = t.mode"
        " LEFT JOIN analytics.market_results r ON r.market_ticker = t.market_ticker AND r.mode = t.mode"
        " LEFT JOIN users.settlements s ON s.market_ticker = t.market_ticker AND s.mode = t.mode"
        " CROSS JOIN LATERAL (SELECT coalesce(t.result, nullif(m.result, ''), r.result, s.result) AS result) res"
        f" WHERE {where} AND t.source = 'auto_entry' AND {_FINISHED} AND res.result IN ('yes', 'no')"
        " AND d.probability_model IS NOT NULL AND d.probability_market IS NOT NULL"
        " ORDER BY t.trade_id DESC LIMIT %s",
        [*values, limit],
    )


def neighbours(db: Queries, user_id: str, mode: str, trade_id: int) -> Row:
    """``before`` and ``after``: ids of the trades next to this one, or None."""
    row = db.one(
        "SELECT (SELECT trade_id FROM users.trades WHERE user_id = %(u)s AND mode = %(m)s AND trade_id < %(t)s"
        " ORDER BY trade_id DESC LIMIT 1) AS before, (SELECT trade_id FROM users.trades WHERE user_id = %(u)s"
        " AND mode = %(m)s AND trade_id > %(t)s ORDER BY trade_id LIMIT 1) AS after",
        {"u": user_id, "m": mode, "t": trade_id},
    )
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return row


def trace(db: Queries, ticket_id: int, order_ids: Sequence[int]) -> list[Row]:
    """The hops on the way of a trade's orders, in order: hop, ``took_us``; kept one day, so mostly empty."""
    return db.all(
        "SELECT hop, began_ns, ((ended_ns - began_ns) / 1000)::bigint AS took_us FROM system.spans"
        " WHERE ticket_id = %s OR order_id = ANY(%s) ORDER BY began_ns LIMIT 60",
        (ticket_id, list(order_ids)),
    )
