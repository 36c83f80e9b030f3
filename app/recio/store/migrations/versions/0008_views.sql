-- What the history, account and system pages read.
SELECT 1;
