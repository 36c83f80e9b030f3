-- What the host measures, and what the page asks of root.
CREATE TABLE system.requests (                          -- asked by the page, done by `recio requests run`; never secrets
    request_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    args        jsonb NOT NULL DEFAULT '{}' CHECK (octet_length(args::text) <= 2000),
    asked_by    text NOT NULL,
    asked_at    timestamptz NOT NULL DEFAULT now(),
    state       text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'running', 'done', 'failed')),
    started_at  timestamptz,
    finished_at timestamptz,
    progress    text NOT NULL DEFAULT '',
    result      text NOT NULL DEFAULT ''
);
CREATE INDEX requests_open ON system.requests (request_id) WHERE state IN ('new', 'running');

CREATE TABLE system.database_details (                  -- db_poller's closer look once a minute, one row
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    at         timestamptz NOT NULL,
    statements jsonb NOT NULL,                          -- the ten that took most time; null where not measured
    tables     jsonb NOT NULL,                          -- the ten with most dead rows
    sessions   jsonb NOT NULL                           -- connections by user and state
);
CREATE TABLE system.readings (                          -- every figure of the contract that a host can tell, as root reads it
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    at       timestamptz NOT NULL,
    figures  jsonb NOT NULL,                            -- path -> {figure, measured, holds}
    traffic  jsonb NOT NULL,                            -- source -> {kb_per_s, why}
    counters jsonb NOT NULL                             -- bytes by unit, for the next reading's rates
);
CREATE INDEX incidents_by_time ON system.incidents (opened_at);
