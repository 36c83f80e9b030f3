-- What the trade and settings pages store.
SELECT 1;
