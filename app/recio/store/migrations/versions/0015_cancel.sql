-- A ticket may also ask that a resting order the ledger does not know be taken off the exchange's book. The cancel is on
-- record before anything is sent, like an order.
ALTER TABLE users.tickets DROP CONSTRAINT tickets_kind_check;
ALTER TABLE users.tickets ADD CONSTRAINT tickets_kind_check CHECK (kind IN ('open', 'close', 'adopt', 'cancel'));

CREATE TABLE users.cancels (
    cancel_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id           text NOT NULL REFERENCES users.users,
    mode              text NOT NULL,
    ticket_id         bigint NOT NULL UNIQUE REFERENCES users.tickets,
    exchange_order_id text NOT NULL,
    client_order_id   text NOT NULL,                   -- the key reconciliation knows the order by
    market_ticker     text NOT NULL,
    book_side         text NOT NULL CHECK (book_side IN ('bid', 'ask')),
    yes_price_e4      bigint NOT NULL,
    count_e2          bigint NOT NULL CHECK (count_e2 > 0),   -- these as the account's last reading had them
    filled_e2         bigint NOT NULL,
    rests_since       timestamptz NOT NULL,
    state             text NOT NULL DEFAULT 'intent'
                      CHECK (state IN ('intent', 'sending', 'unknown', 'cancelled', 'gone', 'refused')),
    reduced_e2        bigint,                          -- contracts taken off the book; NULL: not known, or none
    reason            text NOT NULL DEFAULT '',
    not_found         boolean NOT NULL DEFAULT false,  -- the exchange answered 404: not this cancel ended the order
    lookups           integer NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL DEFAULT now(),
    sent_at           timestamptz,
    done_at           timestamptz
);
-- One cancel of an order at a time; also what trade_executor looks for.
CREATE UNIQUE INDEX cancels_under_way ON users.cancels (mode, exchange_order_id)
    WHERE state IN ('intent', 'sending', 'unknown');
CREATE INDEX cancels_order ON users.cancels (mode, exchange_order_id, cancel_id);
