"""The twelve services: each a small file that wires pure rules to feeds and the store, all on one runtime."""
