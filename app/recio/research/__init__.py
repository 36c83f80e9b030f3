"""Recorded and simulated days through the same decisions as the services: readers, replay, backtest, reports."""
