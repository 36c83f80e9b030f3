"""Telling the user: what is worth a message, and the ways it goes out. Run on demand, in a process of its own."""
