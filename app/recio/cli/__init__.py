"""`recio`: the operator's one command."""
