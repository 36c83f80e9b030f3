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
