"""A look at a deployed host by tools that are not ours: scripts/outside_look.py drives them, docs/outside.md tells."""
