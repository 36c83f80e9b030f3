-- A ticket may also ask that an order the exchange has and the ledger lost be put on record: `recio account adopt`.
ALTER TABLE users.tickets DROP CONSTRAINT tickets_kind_check;
ALTER TABLE users.tickets ADD CONSTRAINT tickets_kind_check CHECK (kind IN ('open', 'close', 'adopt'));
