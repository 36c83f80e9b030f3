"""Kalshi's trade-api v2 and WebSocket v2, as a client sees them."""
