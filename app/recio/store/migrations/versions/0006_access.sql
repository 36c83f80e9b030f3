-- Second factor, recovery codes, API tokens.

-- access
-- must_change: the password came from the deploy; until the user has chosen one, nothing else is open to its session.
-- The second factor's secret is not here: it is made from totp_salt with a key that lies only on the host.
ALTER TABLE users.users
    ADD COLUMN must_change    boolean NOT NULL DEFAULT false,
    ADD COLUMN totp_salt      bytea,                    -- NULL: no second factor
    ADD COLUMN totp_since     timestamptz,
    ADD COLUMN totp_last_step bigint,                   -- the newest 30-second step a code was used of: never twice
    ADD COLUMN totp_pending   bytea;                    -- shown to the user, not yet confirmed by a code
-- A desk that was there before: a password nobody ever changed is still the deploy's.
UPDATE users.users SET must_change = true
    WHERE NOT EXISTS (SELECT FROM users.audit_log WHERE action = 'change password');

-- proven_at: when this session last showed the password (and the code). NULL: before this revision.
-- awaiting_code: the password was right, the second factor is not shown yet; such a session opens nothing.
ALTER TABLE users.sessions
    ADD COLUMN proven_at     timestamptz,
    ADD COLUMN awaiting_code boolean NOT NULL DEFAULT false;

CREATE TABLE users.recovery_codes (
    user_id    text NOT NULL REFERENCES users.users,
    code_hash  bytea NOT NULL,                          -- sha256 of 120 random bits; the code itself is not kept
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at    timestamptz,
    PRIMARY KEY (user_id, code_hash)
);

ALTER TABLE users.audit_log ADD COLUMN remote_addr text NOT NULL DEFAULT '';  -- '': not by the web page
CREATE INDEX audit_log_action ON users.audit_log (action, audit_id);

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
