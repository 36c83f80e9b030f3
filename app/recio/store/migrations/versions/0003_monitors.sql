-- Strategies side by side: monitors, their settings' versions, and every decision they made.

-- A monitor is a strategy on a series with its own settings; `settings` holds every key, as the strategy's type wrote it,
-- or only those that differ from the defaults.
CREATE TABLE users.monitors (
    user_id       text NOT NULL,
    monitor_id    text NOT NULL CHECK (monitor_id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    strategy      text NOT NULL,
    series_ticker text NOT NULL,
    enabled       boolean NOT NULL DEFAULT false,
    settings      jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(settings) = 'object'),
    version       integer NOT NULL DEFAULT 1,
    changed_at    timestamptz NOT NULL DEFAULT now(),
    changed_by    text NOT NULL,
    PRIMARY KEY (user_id, monitor_id)
);

-- Every version of every setting and every monitor, whoever wrote it: triggers fill it, nobody changes it.
CREATE TABLE users.settings_versions (
    version_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('setting', 'monitor')),
    name       text NOT NULL,
    version    integer NOT NULL,
    value      jsonb NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL
);
CREATE INDEX settings_versions_of ON users.settings_versions (user_id, kind, name, version);

CREATE FUNCTION users.keep_setting_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'monitors' THEN
        INSERT INTO users.settings_versions (user_id, kind, name, version, value, changed_at, changed_by)
        VALUES (NEW.user_id, 'monitor', NEW.monitor_id, NEW.version, jsonb_build_object('strategy', NEW.strategy,
            'series_ticker', NEW.series_ticker, 'enabled', NEW.enabled, 'settings', NEW.settings), NEW.changed_at, NEW.changed_by);
    ELSE
        INSERT INTO users.settings_versions (user_id, kind, name, version, value, changed_at, changed_by)
        VALUES (NEW.user_id, 'setting', NEW.name, NEW.version, NEW.value, NEW.changed_at, NEW.changed_by);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER monitors_versions AFTER INSERT OR UPDATE ON users.monitors
    FOR EACH ROW EXECUTE FUNCTION users.keep_setting_version();
CREATE TRIGGER settings_versions AFTER INSERT OR UPDATE ON users.settings
    FOR EACH ROW EXECUTE FUNCTION users.keep_setting_version();
CREATE FUNCTION users.refuse_rewriting_versions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'users.settings_versions is append-only: % refused', TG_OP;
END $$;
CREATE TRIGGER settings_versions_append_only BEFORE UPDATE OR DELETE ON users.settings_versions
    FOR EACH ROW EXECUTE FUNCTION users.refuse_rewriting_versions();

-- What was decided, and from what: enough to calibrate and to make the decision again.
CREATE TABLE users.decisions (
    decision_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id             text NOT NULL,
    mode                text NOT NULL,
    at                  timestamptz NOT NULL,
    kind                text NOT NULL CHECK (kind IN ('enter', 'change', 'sample')),
    monitor_id          text NOT NULL,
    monitor_version     integer NOT NULL,
    strategy            text NOT NULL,
    model_version       text NOT NULL,
    series_ticker       text NOT NULL,
    event_ticker        text NOT NULL,
    market_ticker       text NOT NULL,
    close_time          timestamptz NOT NULL,
    side                text NOT NULL CHECK (side IN ('yes', 'no')),
    action              text NOT NULL CHECK (action IN ('enter', 'watch', 'wait')),
    reason              text NOT NULL,
    why                 text NOT NULL,
    count_e2            bigint NOT NULL DEFAULT 0,
    limit_price_e4      bigint NOT NULL DEFAULT 0,
    probability_model   double precision,              -- all three of `side`
    probability_market  double precision,
    probability         double precision,
    ask_e4              bigint,
    differential_e4     bigint,                        -- after fees, spread and depth
    raw_differential_e4 bigint,
    ticket_id           bigint,                        -- of kind enter
    inputs              jsonb NOT NULL                 -- the EntryState
);
CREATE INDEX decisions_by_market ON users.decisions (market_ticker, at);
CREATE INDEX decisions_by_ticket ON users.decisions (ticket_id) WHERE ticket_id IS NOT NULL;
CREATE INDEX decisions_by_age ON users.decisions (at) WHERE kind <> 'enter';

-- Which monitor asked for a trade, and what it saw: on the ticket, and from there on the trade.
ALTER TABLE users.tickets ADD COLUMN monitor_id text, ADD COLUMN entry_context jsonb;
ALTER TABLE users.trades ADD COLUMN monitor_id text, ADD COLUMN entry_context jsonb;
CREATE INDEX tickets_of_rules ON users.tickets (user_id, mode, market_ticker) WHERE source = 'auto_entry';
CREATE INDEX trades_by_event ON users.trades (user_id, mode, event_ticker);
CREATE INDEX trades_by_monitor ON users.trades (user_id, mode, monitor_id, created_at) WHERE monitor_id IS NOT NULL;
-- Set by the database so that a trade can never come without it, whatever code decided its ticket.
CREATE FUNCTION users.trade_takes_context() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.monitor_id IS NULL THEN
        SELECT t.monitor_id, t.entry_context INTO NEW.monitor_id, NEW.entry_context
        FROM users.tickets t WHERE t.ticket_id = NEW.ticket_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER trades_take_context BEFORE INSERT ON users.trades
    FOR EACH ROW EXECUTE FUNCTION users.trade_takes_context();

-- A stop's state outlives its process: what is being confirmed, that a trade is to be closed, how often it was tried.
ALTER TABLE users.live_trades ADD COLUMN memory jsonb NOT NULL DEFAULT '{}', ADD COLUMN alarm boolean NOT NULL DEFAULT false;

-- Why each monitor acts or does not, by market.
DELETE FROM live_data.entry_status;
ALTER TABLE live_data.entry_status ADD COLUMN monitor_id text NOT NULL,
    ADD COLUMN action text NOT NULL DEFAULT 'wait', ADD COLUMN reason text NOT NULL DEFAULT '',
    ADD COLUMN differential_e4 bigint, ADD COLUMN raw_differential_e4 bigint,
    DROP CONSTRAINT entry_status_pkey, ADD PRIMARY KEY (market_ticker, monitor_id);

-- The default monitors. What the user had set for auto entry goes to the hourly one, and the series that were on stay on.
INSERT INTO users.settings_versions (user_id, kind, name, version, value, changed_at, changed_by)
    SELECT user_id, 'setting', name, version, value, changed_at, changed_by FROM users.settings;
WITH old AS (SELECT value FROM users.settings WHERE user_id = '0001' AND name = 'auto_entry'),
     kept AS (SELECT coalesce(jsonb_object_agg(key, v.value), '{}') AS settings FROM old, jsonb_each(old.value) v
              WHERE key IN ('base_count_e2', 'multiplier', 'min_probability_percent', 'min_differential_e4',
                'min_volume_e2', 'max_ask_e4', 'watch_probability_margin_percent', 'watch_differential_margin_e4',
                'min_time_to_close_s', 'max_time_to_close_s', 'cooldown_s', 'allow_reentry', 'collar_e4',
                'max_price_age_s', 'max_book_age_s')),
     stop AS (SELECT jsonb_build_object('stop', value - 'enabled') AS settings FROM users.settings
              WHERE user_id = '0001' AND name = 'auto_stop')
INSERT INTO users.monitors (user_id, monitor_id, strategy, series_ticker, enabled, settings, changed_by)
    SELECT '0001', monitor_id, strategy, series,
           coalesce((SELECT (value ->> 'enabled')::boolean AND coalesce(value -> 'series', '["KXBTCD"]') ? series FROM old), false),
           CASE monitor_id WHEN 'hourly' THEN (SELECT settings FROM kept) || coalesce((SELECT settings FROM stop), '{}')
               ELSE own::jsonb END, 'migration'
    FROM (VALUES ('hourly', 'hourly_hold', 'KXBTCD', '{}'), ('quarter', 'quarter_hour', 'KXBTC15M', '{}'),
                 ('practice', 'hourly_hold', 'KXBTCSIM',  -- short markets of the simulator
                  '{"min_time_to_close_s": 10, "max_time_to_close_s": 100, "min_volume_e2": 0}'))
         d (monitor_id, strategy, series, own);
UPDATE users.settings SET version = version + 1, changed_at = now(), changed_by = 'migration',
    value = (SELECT coalesce(jsonb_object_agg(key, v.value), '{}') FROM jsonb_each(settings.value) v
             WHERE key IN ('enabled', 'spike_pause_bp', 'spike_resume_bp', 'spike_resume_after_s'))
    WHERE name = 'auto_entry';
