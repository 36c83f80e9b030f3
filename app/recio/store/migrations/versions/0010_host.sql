-- What the host measures.
SELECT 1;
