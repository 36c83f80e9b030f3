-- Order groups, and what the ledger needs to be proven against the exchange.
SELECT 1;
