-- Second factor, recovery codes, API tokens.
-- access
SELECT 1;
-- api tokens
-- A token is its sha256 here; its value is shown once and kept nowhere. Revoked ones stay, as a record.
CREATE TABLE users.api_tokens (
    token_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id       text NOT NULL REFERENCES users.users,
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
    token_hash    bytea NOT NULL UNIQUE,
    hint          text NOT NULL,                        -- its last four characters, to tell tokens apart
    scopes        text[] NOT NULL CHECK (cardinality(scopes) > 0),
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    last_used_at  timestamptz,
    last_used_from text NOT NULL DEFAULT '',
    revoked_at    timestamptz
);
CREATE INDEX api_tokens_of ON users.api_tokens (user_id, token_id);

-- The first answer to a POST that carried an Idempotency-Key; tickets have the ledger instead. Kept for a day.
CREATE TABLE users.api_answers (
    user_id      text NOT NULL REFERENCES users.users,
    key          text NOT NULL CHECK (length(key) BETWEEN 8 AND 100),
    request_hash bytea NOT NULL,                        -- of method, path and body
    at           timestamptz NOT NULL DEFAULT now(),
    status       integer,                               -- null: the first request is still being answered
    media_type   text NOT NULL DEFAULT '',
    body         bytea,
    PRIMARY KEY (user_id, key)
);
CREATE INDEX api_answers_by_age ON users.api_answers (at);
