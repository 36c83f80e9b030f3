-- Order groups, and what the ledger needs to be proven against the exchange.

-- The exchange-side kill switch: entries go out in a group the exchange itself can stop. The newest of a mode counts.
CREATE TABLE users.order_groups (
    group_number   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mode           text NOT NULL,
    order_group_id text NOT NULL UNIQUE,
    day            date NOT NULL,                        -- in New York
    limit_e2       bigint NOT NULL CHECK (limit_e2 > 0), -- contracts in any 15 seconds
    state          text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'triggered', 'gone')),
    why            text NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL DEFAULT now(),
    changed_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX order_groups_newest ON users.order_groups (mode, group_number);

-- Moments at which the account's cash was taken as agreeing with the ledger; every later balance is held against the
-- newest. Append-only: a deposit is accepted by name, never absorbed.
CREATE TABLE users.cash_anchors (
    anchor_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mode       text NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    balance_e6 bigint NOT NULL,                          -- the exchange's
    cash_e6    bigint NOT NULL,                          -- the ledger's: what all fills and results did to the cash
    why        text NOT NULL,
    made_by    text NOT NULL DEFAULT current_user
);
CREATE INDEX cash_anchors_newest ON users.cash_anchors (mode, anchor_id);

-- What fills of markets long settled did to the cash, added up once: reconciliation reads only what came after.
CREATE TABLE users.cash_checkpoints (
    mode    text NOT NULL,
    upto    timestamptz NOT NULL,                        -- every fill recorded before is in it
    cash_e6 bigint NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (mode, upto)
);

-- A void market gives the cost back and has no value.
ALTER TABLE users.settlements ALTER COLUMN settlement_value_e4 DROP NOT NULL;
ALTER TABLE users.settlements ADD CHECK (settlement_value_e4 IS NOT NULL OR result = 'void');

-- The log of a trade is append-only for everybody, its owner included.
CREATE FUNCTION users.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'users.% is append-only: % refused', TG_TABLE_NAME, TG_OP;
END $$;
CREATE TRIGGER trade_events_append_only BEFORE UPDATE OR DELETE ON users.trade_events
    FOR EACH ROW EXECUTE FUNCTION users.refuse_change();
CREATE TRIGGER cash_checkpoints_append_only BEFORE UPDATE OR DELETE ON users.cash_checkpoints
    FOR EACH ROW EXECUTE FUNCTION users.refuse_change();
CREATE TRIGGER cash_anchors_append_only BEFORE UPDATE OR DELETE ON users.cash_anchors
    FOR EACH ROW EXECUTE FUNCTION users.refuse_change();

-- What is asked every few seconds must not read what is finished, however much that is.
CREATE INDEX trades_error ON users.trades (user_id, created_at) WHERE state = 'error';
CREATE INDEX fills_newest ON users.fills (mode, filled_at);
CREATE INDEX fills_recorded ON users.fills (mode, recorded_at);
CREATE INDEX settlements_newest ON users.settlements (mode, settled_at);
CREATE INDEX settlements_void ON users.settlements (mode, recorded_at) WHERE settlement_value_e4 IS NULL;
CREATE INDEX orders_sent ON users.orders (mode, sent_at);
