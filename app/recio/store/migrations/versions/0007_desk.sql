-- What the trade and settings pages store.
SELECT 1;
-- settings
-- A monitor that is not wanted any more is put aside, never deleted: trades and decisions refer to it.
ALTER TABLE users.monitors ADD COLUMN archived_at timestamptz, ADD CONSTRAINT monitors_archived_is_off
    CHECK (archived_at IS NULL OR NOT enabled);

-- Where the user wants to be told, and what was told. The address holds the secrets: main_app may write it, never read it.
CREATE TABLE users.notify_targets (
    target_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    text NOT NULL REFERENCES users.users,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
    kind       text NOT NULL CHECK (kind IN ('email', 'telegram', 'ntfy', 'webhook')),
    address    text NOT NULL,
    hint       text NOT NULL,                           -- what may be shown of it: the host
    events     text[] NOT NULL,
    quiet_from integer CHECK (quiet_from BETWEEN 0 AND 1439), -- minutes of the day in `zone`; null: never quiet
    quiet_to   integer CHECK (quiet_to BETWEEN 0 AND 1439),
    zone       text NOT NULL DEFAULT 'UTC',
    enabled    boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz,
    CHECK ((quiet_from IS NULL) = (quiet_to IS NULL))
);
CREATE TABLE users.notifications (                      -- the outbox: one row a message and target
    notification_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    target_id   bigint NOT NULL REFERENCES users.notify_targets,
    key         text NOT NULL,                          -- what it is about: one message each
    event       text NOT NULL,
    urgent      boolean NOT NULL,                       -- quiet hours do not hold it
    title       text NOT NULL,
    body        text NOT NULL,
    state       text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'sent', 'failed')),
    tries       integer NOT NULL DEFAULT 0,
    answer      text NOT NULL DEFAULT '',               -- what the other side said, or what went wrong
    created_at  timestamptz NOT NULL DEFAULT now(),
    next_try_at timestamptz NOT NULL DEFAULT now(),
    sent_at     timestamptz,
    UNIQUE (target_id, key)
);
CREATE INDEX notifications_due ON users.notifications (next_try_at) WHERE state = 'new';
CREATE INDEX incidents_opened ON system.incidents (opened_at);
