-- Where the milliseconds go between a tick and an order.
SELECT 1;
