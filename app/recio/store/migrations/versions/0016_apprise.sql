-- A target may also be one of the many services that Apprise knows.
ALTER TABLE users.notify_targets DROP CONSTRAINT notify_targets_kind_check;
ALTER TABLE users.notify_targets ADD CONSTRAINT notify_targets_kind_check
    CHECK (kind IN ('email', 'telegram', 'ntfy', 'webhook', 'apprise'));
