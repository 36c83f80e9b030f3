"""recio: one trader's self-hosted desk for Kalshi's BTC contracts."""

import os
import sys

__all__ = ["__version__", "release"]
__version__ = "0.1.0"


def release() -> str:
    """The installed release's name, read off its place (/opt/recio/releases/NAME/venv); elsewhere the plain version."""
    folders = os.path.realpath(sys.prefix).split("/")  # units start through the link `current`
    return folders[-2] if len(folders) > 3 and folders[-3] == "releases" else __version__
