"""Measurements of the host and of every service, and what they mean against the contract."""
