-- What the feeds bring anew within seconds is not written to the WAL: of 3.4 MB a minute 3.0 were rewrites of these five, and the
-- continuous archive would have had to keep them. After a crash of the server they are empty, which every reader takes as
-- "not known": entries wait until the watchdogs, who begin anew with their connection, have written them again.
ALTER TABLE live_data.books SET UNLOGGED;
ALTER TABLE live_data.strike_tables SET UNLOGGED;
ALTER TABLE live_data.btc_price SET UNLOGGED;
ALTER TABLE live_data.exchange_state SET UNLOGGED;
ALTER TABLE live_data.entry_status SET UNLOGGED;
