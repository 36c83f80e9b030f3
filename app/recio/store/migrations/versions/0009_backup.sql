-- What backups and their proofs leave on record.
SELECT 1;
