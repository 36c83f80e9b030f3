-- Strategies side by side: monitors, their settings' versions, and every decision they made.
SELECT 1;
