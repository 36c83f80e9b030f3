"""``python -m recio.cli``: the command where no entry point is installed."""

from recio.cli.main import main

main()
