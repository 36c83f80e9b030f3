-- Replays and backtests asked for on the page: main_app writes the wish and asks for cancel, the research worker does the rest.
CREATE TABLE analytics.research_runs (
    run_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id        text NOT NULL,
    wish           jsonb NOT NULL CHECK (jsonb_typeof(wish) = 'object' AND octet_length(wish::text) <= 8000), -- trading.wish.Wish
    asked_by       text NOT NULL,
    asked_at       timestamptz NOT NULL DEFAULT now(),
    cancel_at      timestamptz,                          -- when somebody asked for its end
    cancel_by      text,
    state          text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'running', 'done', 'failed', 'cancelled')),
    percent        smallint NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
    words          text NOT NULL DEFAULT '',             -- what it does now
    started_at     timestamptz,
    beat_at        timestamptz,                          -- when its worker last said that it lives
    finished_at    timestamptz,
    summary        jsonb CHECK (octet_length(summary::text) <= 100000), -- research.summary: figures and a thinned equity curve
    report         text CHECK (report ~ '^run-[0-9]{6,18}$'),           -- its folder's name, never a path
    report_bytes   bigint,
    report_gone_at timestamptz,                          -- when retention dropped the folder
    error          text NOT NULL DEFAULT '',
    cure           text NOT NULL DEFAULT '',
    CHECK (state <> 'done' OR (summary IS NOT NULL AND report IS NOT NULL)),
    CHECK (state NOT IN ('done', 'failed', 'cancelled') OR finished_at IS NOT NULL)
);
CREATE INDEX research_runs_open ON analytics.research_runs (run_id) WHERE state IN ('new', 'running');
CREATE INDEX research_runs_of ON analytics.research_runs (user_id, run_id DESC);
