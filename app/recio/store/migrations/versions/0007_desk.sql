-- What the trade and settings pages store.
SELECT 1;
-- settings
-- A monitor that is not wanted any more is put aside, never deleted: trades and decisions refer to it.
ALTER TABLE users.monitors ADD COLUMN archived_at timestamptz, ADD CONSTRAINT monitors_archived_is_off
    CHECK (archived_at IS NULL OR NOT enabled);
