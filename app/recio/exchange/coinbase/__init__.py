"""Coinbase Exchange's public market data."""
