"""The shapes of the API's answers, in the short hand of recio.web.shape. Read when /api/docs or /api/openapi.json is asked for the
first time, never while trading."""

from __future__ import annotations

from typing import Any

from recio.web.schemas_account import ACCOUNT_SCHEMAS
from recio.web.schemas_host import HOST_SCHEMAS
from recio.web.schemas_research import RESEARCH_SCHEMAS
from recio.web.schemas_ticket import TICKET_SCHEMAS
from recio.web.shape import schema

__all__ = ["PROBLEM", "SCHEMAS", "schema"]

_TRADE = """
    trade_id: int
    mode: str: the data of each mode is kept apart
    ticket_id: int: the ticket that asked for it
    source: web|api|cli|auto_entry|auto_stop|canary|adopted: who asked; adopted: taken in from the exchange's record
    market_ticker: str
    event_ticker: str
    series_ticker: str
    strike_e2: int?: dollars of BTC
    side: yes|no
    state: pending|open|closing|closed|expired|error
    reason: str: why it is an error, or ended so
    count_e2: int: contracts asked for
    limit_price_e4: int: of the side bought
    entry_count_e2: int: contracts bought, from fills only
    entry_cost_e6: int
    exit_count_e2: int: contracts sold
    exit_proceeds_e6: int
    fees_e6: int
    result: yes|no|scalar|void?: the market's, once settled
    settlement_value_e4: int?: of a YES contract
    pnl_e6: int?: after fees, once closed
    close_time_ms: int: of the market
    created_at_ms: int
    opened_at_ms: int?
    closed_at_ms: int?
    order_state: intent|sending|resting|partially_filled|filled|cancelled|refused|unknown?: of its last order
    order_purpose: entry|exit?
    order_reason: str?
    exit_price_e4~: int?: what the book would pay now; live trades only
    pnl_if_closed_e6~: int?: after fees, if sold now
    probability~: num?: that its side wins, 0 to 1
    stop_state~: str?: what auto stop does about it
    note~: str?
    live_at_ms~: int?: when these were seen
"""
_MONITOR = """
    monitor_id: str
    strategy: str
    series_ticker: str
    enabled: bool
    settings: map any
    version: int
    changed_at_ms: int
    changed_by: str
    archived_at_ms: int?: when it was put aside; null: it was not
"""
_DAY = schema("Since midnight in New York.", """
    pnl_e6: int: after fees, of trades closed today
    fees_e6: int
    trades: int
    wins: int
""")  # fmt: skip

PROBLEM = schema("RFC 9457. Every answer that is not a success has this shape.", """
    type: str: where this kind of problem is explained
    title: str: the same for every problem of the kind
    status: int
    detail: str: what was wrong, with its value
    instance: str: the path that was asked for
    code: str: for programs; it does not change
    cure: str: what to do
    errors~: []@BadField: every bad field of a 422
""")  # fmt: skip

SCHEMAS: dict[str, dict[str, Any]] = {
    "Problem": PROBLEM,
    "BadField": schema("One field that cannot be used.", "field: str\ndetail: str"),
    "OpenApi": schema("An OpenAPI document.", "openapi: str\ninfo: map any\ntags: any\npaths: map any\ncomponents: map any"),
    "Alive": schema("The process answers.", "alive: bool"),
    "Ready": schema("Whether the page has what it needs.", """
        ready: bool
        missing: []database|stream|price
        checks~: map @Check: with a session or a token only
    """),
    "Check": schema("One thing readiness rests on.", "ok: bool\nwhy: str\nage_s: num?: of its evidence"),
    "LoggedIn": schema("A session was opened; it is in the cookie.", """
        login: str
        csrf_token: str: goes into X-CSRF-Token
        must_change_password: bool: nothing else is open until PUT /api/password
    """),
    "Confirmed": schema("The session showed who it is.", "confirmed: bool\nminutes: num: for which that counts"),
    "Changed": schema("The password is the new one.", "changed: bool"),
    "Ended": schema("The session has ended.", "ended: bool"),
    "Session": schema("One log-in that has not ended.", """
        session_id: str: names it; opens nothing
        created_at_ms: int
        last_seen_at_ms: int: true to a minute
        expires_at_ms: int: at the latest
        remote_addr: str: as the proxy saw it
        user_agent: str
        agent: str: the same in words
        this: bool: the one that asks
    """),
    "Sessions": schema("Where you are logged in.", "sessions: []@Session"),
    "AuditLine": schema("Who changed what.", """
        audit_id: int
        at_ms: int
        actor: str
        action: str
        detail: any
        remote_addr: str: empty: not by the page
    """),
    "Audit": schema("Lines of the audit log, newest first.", "lines: []@AuditLine\nnext_before: int?: of the next page"),
    "LoggedOut": schema("The session has ended.", "logged_out: bool"),
    "Price": schema("The newest BTC price.", """
        price_e2: int: dollars
        exchange_time_ms: int
        received_at_ms: int
        momentum_bp: int?: weighted mean of the windows; null: not enough history
        momentum_windows: map int?: basis points by minutes
        volatility_per_sqrt_s: num?: of log returns
        change_1h_bp: int?
        change_3h_bp: int?
        change_1d_bp: int?
        age_s: num: since it was received
    """),
    "Bars": schema("Closing prices, oldest first; both lists are equally long.", "t_s: []int: since 1970\nclose_e2: []int: dollars"),
    "Event": schema("An open event.", """
        event_ticker: str
        series_ticker: str
        close_time_ms: int
        markets: int: how many strikes it has
    """),
    "Events": schema("Open events, soonest close first.", "now_ms: int\nevents: []@Event\nseries: map []@Event: the same by series"),
    "Strike": schema("One market of a strike table. Null is not known.", """
        market_ticker: str
        strike_e2: int: dollars
        buffer_e2: int: from the price to the strike, dollars
        buffer_percent: num
        side: yes|no: the side BTC is on now
        probability: num?: the model's, that this side wins
        probability_yes: num?
        probability_market~: num?: the middle of the book, for the same side
        probability_blend~: num?: model and market together
        yes_bid_e4: int?
        yes_ask_e4: int?
        no_bid_e4: int?
        no_ask_e4: int?
        differential_yes_e4: int?: probability less ask less fee
        differential_no_e4: int?
        raw_differential_yes_e4: int?: without the fee
        raw_differential_no_e4: int?
        depth: int?: 1/100 contract offered at the best ask of this side
        yes_depth_e2: int?: contracts
        no_depth_e2: int?: contracts
        volume_e2: int?: contracts
        book_age_s: num?
        model_version~: str
        probability_low~: num?: of the 95 % interval the newest calibration gives forecasts like this; null: none does
        probability_high~: num?
        probability_came_true~: num?: the share of forecasts like this that came true
        probability_events~: num?: independent events that rests on
    """),
    "AllStrikes": schema("Every strike of one event; probabilities are made around the price only.", """
        now_ms: int
        event_ticker: str
        price_e2: int?: dollars; null: no price, then no rows
        price_age_s: num?: of the price; over 10 there are no rows
        rows: []@Strike
        why: str: why there are no rows
    """),
    "StrikeTable": schema("The strike table of one event, as last built.", """
        event_ticker: str
        series_ticker: str
        close_time_ms: int
        built_at_ms: int
        price_e2: int: dollars, the price it was built from
        price_age_s: num: of that price at that moment
        rows: []@Strike
        calibrated_by: str?: the strategy whose forecasts the intervals rest on; null: none, then no intervals
        age_s: num: since it was built
        now_ms: int
    """),
    "Look": schema("How the user's pages look.", """
        theme: auto|dark|light
        zone: str: empty: the browser's
        clock: 24|12
        colours: green-red|blue-orange|red-up: gains and losses
        density: comfortable|compact
        title: bool: open trades in the page's title
        keys: bool: keyboard shortcuts
    """),
    "Trade": schema("A trade.", _TRADE),
    "Trades": schema(
        "Trades, newest first.", "now_ms: int\ntrades: []@Trade\nnext_before: int?: before of the next page; null on the last"
    ),
    "TradeDetail": schema("A trade with everything that happened to it.", _TRADE + """
        events: []@TradeEvent: oldest first
        orders: []@Order
        fills: []@TradeFill
    """),
    "TradeEvent": schema("One line of a trade's log.", "event_id: int\nat_ms: int\nkind: str\ndetail: any"),
    "Order": schema("An order of a trade.", """
        order_id: int
        client_order_id: str
        exchange_order_id: str?: null: the exchange has not confirmed it
        purpose: entry|exit
        side: yes|no: what the trade holds
        count_e2: int: contracts
        limit_price_e4: int: of the side
        state: intent|sending|resting|partially_filled|filled|cancelled|refused|unknown
        reason: str
        acked_count_e2: int: contracts, by the exchange's answer
        lookups: int: of an unknown order
        created_at_ms: int
        sent_at_ms: int?
        done_at_ms: int?
    """),
    "TradeFill": schema("A fill of a trade.", """
        fill_id: str
        exchange_order_id: str
        purpose: entry|exit
        book_side: bid|ask: bid bought YES, ask sold YES
        count_e2: int: contracts
        yes_price_e4: int
        fee_e6: int
        is_taker: bool
        filled_at_ms: int
    """),
    "Ticket": schema("What became of a ticket.", """
        ticket_id: int
        state: new|accepted|refused: new: not decided within 3 s; it is not lost
        replayed: bool: this key had been used for this very request before
        trade_id: int?
        reason: str: why it was refused
        trade: @Trade?
    """),
    "Today": _DAY,
    "Status": schema("The services, as `recio status --json` tells it.", """
        version: str
        mode: str
        healthy: bool: every service is
        age_s: num: at most 2
        services: []@Service
    """),
    "Service": schema("One service.", """
        name: str
        tier: str
        state: str: systemd's
        healthy: bool: it has proven its function lately
        reason: str: why not
        age_s: num?: since its last useful work
        pss_mb: num?
        cpu_percent: num?: of the whole machine
        restarts: int?
        open_files: int?
        threads: int?
    """),
    "Setting": schema("A setting, its defaults filled in.", """
        name: kill_switch|auto_entry|auto_stop
        value: map any
        version: int: 0: never stored
        changed_at_ms: int?
        changed_by: str
    """),
    "MonitorRow": schema("A monitor as it is stored.", _MONITOR),
    "Monitor": schema("A monitor, and why it waits.", _MONITOR + """
        about: str: what the strategy does
        why: str: what it does now, or what it waits for
        broken: str: why it cannot run
    """),
    "Monitors": schema("Monitors, and what one can run.", "monitors: []@Monitor\nstrategies: []@Strategy"),
    "Strategy": schema("A strategy.", "strategy: str\nabout: str\ndefaults: map any"),
    "MonitorVersion": schema("What a monitor was.", "version: int\nvalue: map any\nchanged_at_ms: int\nchanged_by: str"),
    "MonitorVersions": schema("Newest first.", "versions: []@MonitorVersion\nnext_before: int?: before of the next page; null on the last"),
} | ACCOUNT_SCHEMAS | HOST_SCHEMAS | RESEARCH_SCHEMAS | TICKET_SCHEMAS  # fmt: skip
