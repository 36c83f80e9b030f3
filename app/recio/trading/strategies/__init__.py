"""The strategies a monitor can run, by name. A new one is one file with a STRATEGY, and its name in the list here."""

from recio.trading.strategies import hourly_hold, quarter_hour
from recio.trading.strategies.base import Strategy

__all__ = ["STRATEGIES"]

STRATEGIES: dict[str, Strategy] = {module.STRATEGY.name: module.STRATEGY for module in (hourly_hold, quarter_hour)}
