-- What the history sums up.
-- Who closed a trade: its close tickets, by trade.
CREATE INDEX tickets_closing ON users.tickets (user_id, trade_id) WHERE kind = 'close';

-- How a trade ended, and what came of it: one definition for the sums below and for every query that counts trades one by one.
-- 'settled' and 'sold' were filled and have a PnL; 'unfilled' has one of nothing; 'none' has none (an error, or not finished).
CREATE FUNCTION users.trade_ending(pnl_e6 bigint, entry_count_e2 bigint, exit_count_e2 bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN pnl_e6 IS NULL THEN 'none' WHEN entry_count_e2 <= 0 THEN 'unfilled'
                WHEN exit_count_e2 < entry_count_e2 THEN 'settled' ELSE 'sold' END;
CREATE FUNCTION users.trade_outcome(pnl_e6 bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN pnl_e6 > 0 THEN 'won' WHEN pnl_e6 < 0 THEN 'lost' WHEN pnl_e6 = 0 THEN 'even' ELSE 'none' END;

-- Trades that are no longer live, summed by when they were asked for (New York's weekday and hour) and by what they were:
-- a few thousand rows, however many trades. Kept by the triggers below, so no service writes it and none may.
CREATE TABLE users.trade_sums (
    user_id       text NOT NULL REFERENCES users.users,
    mode          text NOT NULL,
    weekday       smallint NOT NULL,                    -- ISO, 1 is Monday
    hour          smallint NOT NULL,
    series_ticker text NOT NULL,
    monitor_id    text NOT NULL,                        -- '': none
    side          text NOT NULL,
    source        text NOT NULL,
    ending        text NOT NULL,                        -- users.trade_ending
    outcome       text NOT NULL,                        -- users.trade_outcome
    trades        bigint NOT NULL,                      -- 0: there were some, changed since; every sum is then 0
    count_e2      bigint NOT NULL,
    cost_e6       bigint NOT NULL,
    fees_e6       bigint NOT NULL,
    pnl_e6        bigint NOT NULL,
    PRIMARY KEY (user_id, mode, weekday, hour, series_ticker, monitor_id, side, source, ending, outcome)
) WITH (fillfactor = 70);

-- The same, added up anew from the trades: what fills the table, and what a test holds it against.
CREATE VIEW users.trade_sums_anew AS
    SELECT user_id, mode, extract(isodow FROM created_at AT TIME ZONE 'America/New_York')::smallint AS weekday,
           extract(hour FROM created_at AT TIME ZONE 'America/New_York')::smallint AS hour, series_ticker,
           coalesce(monitor_id, '') AS monitor_id, side, source,
           users.trade_ending(pnl_e6, entry_count_e2, exit_count_e2) AS ending, users.trade_outcome(pnl_e6) AS outcome,
           count(*) AS trades, sum(entry_count_e2)::bigint AS count_e2, sum(entry_cost_e6)::bigint AS cost_e6,
           sum(fees_e6)::bigint AS fees_e6, coalesce(sum(pnl_e6), 0)::bigint AS pnl_e6
    FROM users.trades WHERE state NOT IN ('pending', 'open', 'closing', 'expired')
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10;

-- What a row was is taken off, what it is now is put on, in the writer's own transaction: late corrections count as they come.
-- It runs as the owner: the writer needs no right on the sums.
CREATE FUNCTION users.keep_trade_sums() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM users.trade_sums;
        RETURN NULL;
    END IF;
    INSERT INTO users.trade_sums AS s
    SELECT user_id, mode, extract(isodow FROM created_at AT TIME ZONE 'America/New_York'),
           extract(hour FROM created_at AT TIME ZONE 'America/New_York'), series_ticker, coalesce(monitor_id, ''), side, source,
           users.trade_ending(pnl_e6, entry_count_e2, exit_count_e2), users.trade_outcome(pnl_e6),
           sum(sign), sum(sign * entry_count_e2), sum(sign * entry_cost_e6), sum(sign * fees_e6), sum(sign * coalesce(pnl_e6, 0))
    FROM (VALUES
        (-1, OLD.user_id, OLD.mode, OLD.created_at, OLD.series_ticker, OLD.monitor_id, OLD.side, OLD.source, OLD.state,
         OLD.entry_count_e2, OLD.exit_count_e2, OLD.entry_cost_e6, OLD.fees_e6, OLD.pnl_e6),
        (1, NEW.user_id, NEW.mode, NEW.created_at, NEW.series_ticker, NEW.monitor_id, NEW.side, NEW.source, NEW.state,
         NEW.entry_count_e2, NEW.exit_count_e2, NEW.entry_cost_e6, NEW.fees_e6, NEW.pnl_e6)
    ) AS t (sign, user_id, mode, created_at, series_ticker, monitor_id, side, source, state,
            entry_count_e2, exit_count_e2, entry_cost_e6, fees_e6, pnl_e6)
    WHERE state NOT IN ('pending', 'open', 'closing', 'expired')       -- no row (of an insert, a delete) has no state
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
    ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10                             -- two writers lock the sums in one order
    ON CONFLICT (user_id, mode, weekday, hour, series_ticker, monitor_id, side, source, ending, outcome) DO UPDATE SET
        trades = s.trades + excluded.trades, count_e2 = s.count_e2 + excluded.count_e2, cost_e6 = s.cost_e6 + excluded.cost_e6,
        fees_e6 = s.fees_e6 + excluded.fees_e6, pnl_e6 = s.pnl_e6 + excluded.pnl_e6;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION users.keep_trade_sums() FROM PUBLIC;

-- Live trades are not in the sums: their many changes cost nothing.
CREATE TRIGGER trade_sums_insert AFTER INSERT ON users.trades FOR EACH ROW
    WHEN (NEW.state NOT IN ('pending', 'open', 'closing', 'expired')) EXECUTE FUNCTION users.keep_trade_sums();
CREATE TRIGGER trade_sums_update AFTER UPDATE ON users.trades FOR EACH ROW
    WHEN (OLD.state NOT IN ('pending', 'open', 'closing', 'expired') OR NEW.state NOT IN ('pending', 'open', 'closing', 'expired'))
    EXECUTE FUNCTION users.keep_trade_sums();
CREATE TRIGGER trade_sums_delete AFTER DELETE ON users.trades FOR EACH ROW
    WHEN (OLD.state NOT IN ('pending', 'open', 'closing', 'expired')) EXECUTE FUNCTION users.keep_trade_sums();
CREATE TRIGGER trade_sums_truncate AFTER TRUNCATE ON users.trades FOR EACH STATEMENT EXECUTE FUNCTION users.keep_trade_sums();
INSERT INTO users.trade_sums SELECT * FROM users.trade_sums_anew;
