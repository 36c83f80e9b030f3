"""A desk with a virtual clock: decisions by trading.evaluate, limits by trading.risk, money by trading.ledger.

What only the world outside can do is assumed, and said: an order reaches the book ``LATENCY_S`` after its decision and
takes what that book shows up to its limit (immediate or cancel, no effect on the book afterwards); a book older than
``ORDER_LIFE_S`` by then cancels it. Fees are those of the day. Nothing here draws a random number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from recio.market.book_math import buy, sell
from recio.market.calibration import Forecast
from recio.market.fees import schedule_at, taker_fee_e6
from recio.market.model import ProbabilityModel
from recio.market.strike_table import StrikeRow, build
from recio.research.moments import WATCHING, Moment, Settlement, Trade
from recio.trading.evaluate import EntryTable, evaluate_entries, evaluate_exit
from recio.trading.ledger import Fill, closed_pnl_e6, settle
from recio.trading.monitor import Monitor
from recio.trading.risk import Intent, RiskFacts, check, order_cost_e6, sentence
from recio.trading.settings import AutoStopSettings, RiskLimits
from recio.trading.stop import HeldTrade, StopView
from recio.trading.strategies.base import EntryContext, EntryDecision, ExitState
from recio.trading.ticket import PriceRange, snap
from recio.units import ONE_DOLLAR_E4

__all__ = ["LATENCY_S", "ORDER_LIFE_S", "START_E6", "VirtualDesk"]

LATENCY_S, ORDER_LIFE_S = 1.0, 10.0
START_E6 = 1_000_000_000  # 1000 dollars
_NEW_YORK = ZoneInfo("America/New_York")
_FRESH = 0.0
# The exchange's tapered_deci_cent, the grid of 15-minute markets: limits are snapped to it as the services do.
_GRID = (PriceRange(0, 1_000, 10), PriceRange(1_000, 9_000, 100), PriceRange(9_000, 10_000, 10))


class VirtualDesk:
    """Monitors on one account. Feed it moments and settlements in the order of time."""

    def __init__(
        self,
        monitors: Sequence[Monitor],
        model: ProbabilityModel,
        limits: RiskLimits,
        stop: AutoStopSettings | None = None,
    ) -> None:
        """``stop`` carries the user's switch for all stops; the monitors' own settings say how."""
        self.monitors, self.model, self.limits, self.stop = tuple(monitors), model, limits, stop or AutoStopSettings()
        self.trades: list[Trade] = []
        self.decisions: list[dict[str, object]] = []
        self.samples: list[tuple[float, str, str, EntryDecision, StrikeRow, Trade | None]] = []
        self.equity: list[tuple[float, int]] = []
        self.cash_e6 = START_E6
        self._last_order: dict[str, float] = {}
        self._live: dict[str, list[Trade]] = {}
        self._entered: dict[str, set[tuple[str, str, str]]] = {}  # event -> (monitor, market, side)
        self._days: dict[str, int] = {}

    # ------------------------------------------------------------------ what drives it
    def look(self, moment: Moment) -> None:
        """See a market: fill what is under way, protect what is held, enter what is worth it; in the services' order."""
        ticker = moment.market.market_ticker
        for trade in list(self._live.get(ticker, ())):
            self._execute(trade, moment)
        row = self._row(moment)
        if row is None:
            return
        for trade in list(self._live.get(ticker, ())):
            if trade.state == "open":
                self._protect(trade, row, moment)
        for monitor in self.monitors:
            if monitor.enabled:
                self._enter(monitor, row, moment)

    def settle(self, settlement: Settlement) -> None:
        """The result is known: orders end, trades are paid."""
        for trade in list(self._live.get(settlement.market_ticker, ())):
            if trade.state == "pending":
                self._end(trade, settlement.at_s, 0, "cancelled", "not filled before the close")
                continue
            paid = settle(trade.folded(), trade.side, settlement.result)
            self.cash_e6 += paid.payout_e6
            self._end(trade, settlement.at_s, paid.pnl_e6, "closed", f"settled {settlement.result}")

    def waiting(self, ticker: str) -> bool:
        """An order is under way, or a stop is not simply watching: every second counts."""
        return any(
            trade.state == "pending" or trade.exit_decided_s or trade.memory != WATCHING
            for trade in self._live.get(ticker, ())
        )

    def holding(self, ticker: str) -> bool:
        """Something is held in this market."""
        return any(trade.state == "open" for trade in self._live.get(ticker, ()))

    # ------------------------------------------------------------------ parts of a look
    def _row(self, moment: Moment) -> StrikeRow | None:
        rows = build(
            [moment.market],
            {moment.market.market_ticker: moment.book},
            moment.price,
            moment.event.close_time_s - moment.at_s,
            moment.vol_per_sqrt_s,
            moment.at_s,
            below=1,
            above=1,
            fees=schedule_at(moment.at_s),
            observed=moment.observed,
            basis_sd_e2=moment.basis,
            model=self.model,
            momentum_bp=moment.momentum_bp,
        )
        return rows[0] if rows else None

    def _enter(self, monitor: Monitor, row: StrikeRow, moment: Moment) -> None:
        event = moment.event
        table = EntryTable(event=event, rows=[row], books={row.market_ticker: moment.book})
        for decision in evaluate_entries(monitor, table, self._context(monitor, moment)):
            trade = self._order(monitor, decision, moment) if decision.action == "enter" else None
            if (moment.sampled or trade is not None) and decision.probability_model is not None:
                self.samples.append((moment.at_s, monitor.strategy, event.event_ticker, decision, row, trade))

    def _context(self, monitor: Monitor, moment: Moment) -> EntryContext:
        event = moment.event.event_ticker
        live = [(t.market_ticker, t.side) for t in self._live.get(moment.market.market_ticker, ())]
        return EntryContext(
            now_s=moment.at_s,
            price_age_s=moment.price_age_s,
            momentum_bp=moment.momentum_bp,
            pause=moment.pause,
            last_order_s=self._last_order.get(monitor.monitor_id),
            live=live,
            entered=[(market, side) for _, market, side in self._entered.get(event, ())],
            bankroll_e6=self.cash_e6,
        )

    def _order(self, monitor: Monitor, decision: EntryDecision, moment: Moment) -> Trade | None:
        decision = msgspec.structs.replace(decision, limit_price_e4=snap(decision.limit_price_e4, _GRID, decision.side))
        intent = Intent(
            purpose="entry",
            market_ticker=decision.market_ticker,
            side=decision.side,
            count_e2=decision.count_e2,
            limit_price_e4=decision.limit_price_e4,
        )
        refusals = check(intent, self._facts(decision, moment), self.limits, schedule_at(moment.at_s))
        self._say(moment, monitor.monitor_id, "refused" if refusals else "enter", decision.side, decision, refusals)
        if refusals:
            return None
        trade = Trade(
            number=len(self.trades) + 1,
            monitor=monitor.monitor_id,
            market_ticker=decision.market_ticker,
            event_ticker=moment.event.event_ticker,
            side=decision.side,
            decided_s=moment.at_s,
            count_e2=decision.count_e2,
            limit_price_e4=decision.limit_price_e4,
            close_time_s=moment.event.close_time_s,
        )
        self.trades.append(trade)
        self._live.setdefault(trade.market_ticker, []).append(trade)
        self._last_order[monitor.monitor_id] = moment.at_s
        key = (monitor.monitor_id, trade.market_ticker, trade.side)
        self._entered.setdefault(trade.event_ticker, set()).add(key)
        return trade

    def _facts(self, decision: EntryDecision, moment: Moment) -> RiskFacts:
        """Nothing outside fails here: what a live desk has to ask for is fresh and well; the ledger's facts are real."""
        live = [trade for trades in self._live.values() for trade in trades]
        return RiskFacts(
            now_s=moment.at_s,
            kill_switch=False,
            entries_allowed=True,
            exchange_trading=True,
            exchange_age_s=_FRESH,
            market_status="active",
            market_open_s=0.0,
            market_close_s=moment.event.close_time_s,
            price_age_s=moment.price_age_s,
            book_age_s=max(0.0, moment.at_s - moment.book.received_s),
            book_valid=moment.book.valid,
            ask_e4=decision.ask_e4,
            clock_skew_s=0.0,
            reconcile_age_s=_FRESH,
            unknown_orders=0,
            open_trades=len(live),
            same_entries=sum(1 for t in live if (t.market_ticker, t.side) == (decision.market_ticker, decision.side)),
            exposure_e6=sum(self._at_risk_e6(trade, moment.at_s) for trade in live),
            daily_pnl_e6=self._days.get(_day(moment.at_s), 0),
            balance_e6=self.cash_e6,
            balance_age_s=_FRESH,
        )

    @staticmethod
    def _at_risk_e6(trade: Trade, at_s: float) -> int:
        if trade.state == "pending":
            return order_cost_e6(trade.count_e2, trade.limit_price_e4, schedule_at(at_s))
        sums = trade.folded()
        return sums.entry_cost_e6 + sums.fees_e6 - sums.exit_proceeds_e6

    def _protect(self, trade: Trade, row: StrikeRow, moment: Moment) -> None:
        monitor = next((known for known in self.monitors if known.monitor_id == trade.monitor), None)
        yes = row.probability_yes
        state = ExitState(
            trade=HeldTrade(
                side=trade.side,
                held_e2=trade.folded().held_e2,
                state=trade.state,
                close_time_s=trade.close_time_s,
                exit_unfinished=trade.exit_decided_s > 0,
            ),
            view=StopView(
                now_s=moment.at_s,
                probability=yes if yes is None or trade.side == "yes" else 1.0 - yes,
                momentum_bp=moment.momentum_bp,
                price_age_s=moment.price_age_s,
                book_age_s=max(0.0, moment.at_s - moment.book.received_s),
                bids=moment.book.yes_bids if trade.side == "yes" else moment.book.no_bids,
            ),
            memory=trade.memory,
        )
        decision = evaluate_exit(monitor, state, self.stop)
        trade.memory = decision.memory
        if decision.action == "close":
            decision = msgspec.structs.replace(
                decision, limit_price_e4=snap(decision.limit_price_e4, _GRID, trade.side)
            )
            trade.exit_limit_e4, trade.exit_decided_s = decision.limit_price_e4, moment.at_s
            self._say(moment, trade.monitor, "close", trade.side, decision, ())

    def _execute(self, trade: Trade, moment: Moment) -> None:
        """Let an order that is under way meet this book, if it has arrived by now."""
        decided_s = trade.decided_s if trade.state == "pending" else trade.exit_decided_s
        if not decided_s or moment.at_s < decided_s + LATENCY_S:
            return
        in_time = moment.at_s <= decided_s + ORDER_LIFE_S
        if trade.state == "pending":
            against = moment.book.no_bids if trade.side == "yes" else moment.book.yes_bids
            walk = buy(against, trade.count_e2, trade.limit_price_e4)
            if not in_time or not walk.filled_e2:
                self._end(
                    trade, moment.at_s, 0, "cancelled", "nothing left at the limit" if in_time else "no book in time"
                )
                return
            self._fill(trade, walk.levels, moment.at_s, buying=True)
            self.cash_e6 -= walk.amount_e6
            trade.state = "open"
            return
        trade.exit_decided_s = 0.0
        own = moment.book.yes_bids if trade.side == "yes" else moment.book.no_bids
        walk = sell(own, trade.folded().held_e2, trade.exit_limit_e4) if in_time else sell((), 0)
        if walk.filled_e2:
            self._fill(trade, walk.levels, moment.at_s, buying=False)
            self.cash_e6 += walk.amount_e6
        if trade.folded().held_e2 == 0:
            self._end(trade, moment.at_s, closed_pnl_e6(trade.folded()), "closed", f"stopped: {trade.memory.reason}")

    def _fill(self, trade: Trade, levels: Sequence[tuple[int, int]], at_s: float, *, buying: bool) -> None:
        fees = schedule_at(at_s)
        for price_e4, count_e2 in levels:
            fee = taker_fee_e6(count_e2, price_e4, fees)
            self.cash_e6 -= fee
            trade.fills.append(
                Fill(
                    fill_id=f"{trade.number}-{len(trade.fills) + 1}",
                    book_side="bid" if buying == (trade.side == "yes") else "ask",
                    count_e2=count_e2,
                    yes_price_e4=price_e4 if trade.side == "yes" else ONE_DOLLAR_E4 - price_e4,
                    fee_e6=fee,
                )
            )

    def _end(self, trade: Trade, at_s: float, pnl_e6: int, state: str, how: str) -> None:
        trade.state, trade.closed_s, trade.pnl_e6, trade.how = state, at_s, pnl_e6, how
        self._live[trade.market_ticker].remove(trade)
        if not self._live[trade.market_ticker]:
            del self._live[trade.market_ticker]
        if state == "closed":
            self._days[_day(at_s)] = self._days.get(_day(at_s), 0) + pnl_e6
            self.equity.append((at_s, START_E6 + sum(self._days.values())))

    def _say(
        self, moment: Moment, monitor: str, what: str, side: str, decision: object, refusals: Sequence[object]
    ) -> None:
        plain = msgspec.to_builtins(decision)
        self.decisions.append(
            {
                "at_s": moment.at_s,
                "monitor": monitor,
                "market": moment.market.market_ticker,
                "decision": what,
                "side": side,
                "count_e2": plain["count_e2"],
                "limit_price_e4": plain["limit_price_e4"],
                "why": sentence(list(refusals)) if refusals else plain["why"],  # type: ignore[arg-type]
            }
        )

    # ------------------------------------------------------------------ for the report
    def forecasts(self, results: Mapping[str, str], model_version: str) -> list[Forecast]:
        """Sampled decisions, and those that entered, with how their markets ended, as forecasts of YES."""
        found = []
        for at_s, strategy, event, decision, row, trade in self.samples:
            result = results.get(row.market_ticker)
            if result not in ("yes", "no") or decision.probability_market is None or decision.probability is None:
                continue
            yes = decision.side == "yes"
            model = decision.probability_model or 0.0
            paid = None
            if trade is not None and trade.fills:
                sums = trade.folded()
                paid = round(sums.entry_cost_e6 / sums.entry_count_e2)
            found.append(
                Forecast(
                    event=event,
                    strategy=strategy,
                    at_s=at_s,
                    won=result == "yes",
                    model=model if yes else 1.0 - model,
                    market=decision.probability_market if yes else 1.0 - decision.probability_market,
                    blend=decision.probability if yes else 1.0 - decision.probability,
                    yes_ask_e4=row.yes_ask_e4,
                    no_ask_e4=row.no_ask_e4,
                    model_version=model_version,
                    entered_side=trade.side if trade is not None and paid is not None else "",
                    paid_e4=paid,
                )
            )
        return found


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).astimezone(_NEW_YORK).strftime("%Y-%m-%d")
