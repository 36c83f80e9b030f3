"""Prices, probabilities, fees and the strike table: pure functions; time and randomness are arguments."""
