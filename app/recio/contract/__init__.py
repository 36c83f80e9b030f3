"""The resource contract: limits, ports, budgets and thresholds, typed; one import for all of them."""

from recio.contract.load import ContractError, load, parse, unknown_figures
from recio.contract.model import Contract, Directory, Health, Service, Threshold, Tier, TierName

__all__ = [
    "Contract",
    "ContractError",
    "Directory",
    "Health",
    "Service",
    "Threshold",
    "Tier",
    "TierName",
    "load",
    "parse",
    "unknown_figures",
]
