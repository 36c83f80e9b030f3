-- Second factor, recovery codes, API tokens.
SELECT 1;
