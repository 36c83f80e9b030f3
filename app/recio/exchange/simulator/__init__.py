"""A local exchange that speaks Kalshi's and Coinbase's protocols, for everybody who tries, tests or demonstrates."""
