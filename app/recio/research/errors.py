"""Bad input to research: one sentence with the place and the cure; the command line ends with status 2."""

from __future__ import annotations

__all__ = ["ResearchError"]


class ResearchError(ValueError):
    """Input that cannot be used; the message names the file, the line or the series and what to do."""
