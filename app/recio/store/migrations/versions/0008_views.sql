-- What the history page asks of a long ledger.
-- Who closed a trade: its close tickets, by trade.
CREATE INDEX tickets_closing ON users.tickets (user_id, trade_id) WHERE kind = 'close';
-- Newest settlements and fills by key, for lists that go on page by page.
CREATE INDEX settlements_pages ON users.settlements (mode, settled_at DESC, market_ticker DESC);
CREATE INDEX fills_pages ON users.fills (mode, filled_at DESC, fill_id DESC);
