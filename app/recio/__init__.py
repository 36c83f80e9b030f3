"""recio: one trader's self-hosted desk for Kalshi's BTC contracts."""

__all__ = ["__version__"]
__version__ = "0.1.0"
