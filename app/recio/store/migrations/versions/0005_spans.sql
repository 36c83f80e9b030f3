-- Where the milliseconds go between a tick and an order. Nanoseconds are CLOCK_MONOTONIC, which all processes of one host
-- share; a reboot starts it anew, so a trace is judged by its wall time (at) first.
CREATE TABLE system.spans (
    at        timestamptz NOT NULL DEFAULT now(),
    hop       text NOT NULL CHECK (hop IN ('price', 'table', 'entry', 'decide', 'claim', 'send', 'answer')),
    ticket_id bigint,
    order_id  bigint,
    began_ns  bigint NOT NULL,   -- the hop's process knew: its frame arrived, or the notification woke it
    ended_ns  bigint NOT NULL    -- the hop's work was done: the row written and committed, the bytes on the wire
);
CREATE INDEX spans_at ON system.spans (at);
CREATE INDEX spans_ticket ON system.spans (ticket_id) WHERE ticket_id IS NOT NULL;
CREATE INDEX spans_order ON system.spans (order_id) WHERE order_id IS NOT NULL;

-- The trace travels in the rows that travel anyway: [tick in, price written] and [.., coordinator awake, table written].
ALTER TABLE live_data.btc_price ADD COLUMN stamps_ns bigint[] NOT NULL DEFAULT '{}';
ALTER TABLE live_data.strike_tables ADD COLUMN stamps_ns bigint[] NOT NULL DEFAULT '{}';

-- Written at every move of the price: lz4 packs a table in a tenth of pglz's time.
ALTER TABLE live_data.strike_tables ALTER COLUMN rows SET COMPRESSION lz4;
ALTER TABLE live_data.books ALTER COLUMN yes_bids SET COMPRESSION lz4;
ALTER TABLE live_data.books ALTER COLUMN no_bids SET COMPRESSION lz4;

-- What a ledger of a million trades needs so that no query on an order's way reads more of it than a young one has.
CREATE INDEX trades_closed ON users.trades (user_id, mode, closed_at) WHERE state = 'closed';
CREATE INDEX trades_created ON users.trades (user_id, mode, created_at);
