-- Probability models by version, and what calibrations found. Models are never changed: a new one is another version.
CREATE TABLE analytics.models (
    version     text PRIMARY KEY,
    made_at     timestamptz NOT NULL DEFAULT now(),
    train_from  timestamptz NOT NULL,                   -- history it was built from: [train_from, train_to)
    train_to    timestamptz NOT NULL CHECK (train_to > train_from),
    minutes     bigint NOT NULL,
    samples     bigint NOT NULL,
    basis_bp    double precision NOT NULL,              -- our price against the index, standard deviation
    basis_pairs integer NOT NULL,                       -- settlements it was measured on; 0: assumed
    source      text NOT NULL DEFAULT '',
    active      boolean NOT NULL DEFAULT false,
    content     text                                    -- market.model's JSON; null: too old to be of use, its range stays
);
CREATE UNIQUE INDEX models_active ON analytics.models (active) WHERE active;
CREATE TABLE analytics.calibrations (
    calibration_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_at  timestamptz NOT NULL DEFAULT now(),
    mode     text NOT NULL,
    strategy text NOT NULL,
    verdict  text NOT NULL CHECK (verdict IN ('edge shown', 'no edge shown')),
    report   jsonb NOT NULL
);
CREATE INDEX calibrations_newest ON analytics.calibrations (mode, strategy, made_at DESC);
-- How markets ended that decisions were made about: live_data forgets a market after a day, calibration must not.
CREATE TABLE analytics.market_results (
    mode          text NOT NULL,
    market_ticker text NOT NULL,
    close_time    timestamptz NOT NULL,
    result        text NOT NULL CHECK (result IN ('yes', 'no')),
    PRIMARY KEY (mode, market_ticker)
);
