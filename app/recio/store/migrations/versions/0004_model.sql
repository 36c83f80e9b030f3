-- The probability model's versions, price history for it, calibration reports.
SELECT 1;
