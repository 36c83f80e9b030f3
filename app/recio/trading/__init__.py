"""The ledger's arithmetic and the rules of trading: pure functions; the services bring the facts and the clock."""
