"""The exchanges: lean clients for Kalshi and Coinbase, and a simulator that speaks both protocols."""
