"""The probability model in force, for every service that judges: the active one, else the closed form and why."""

from __future__ import annotations

from recio.market.model import NORMAL, ModelError, ProbabilityModel, load
from recio.services import log
from recio.store.db import Database
from recio.store.models import active_model

__all__ = ["current_model"]


def current_model(db: Database) -> tuple[ProbabilityModel, str]:
    """(model, why it is not the stored one): without an active model, or with one that cannot be read, the closed form."""
    model: ProbabilityModel = NORMAL
    why = ""
    stored = active_model(db)
    if stored is not None:
        try:
            model = load(stored)
        except ModelError as wrong:
            why = f"the closed form is used: {wrong}"
    log.info("model", version=model.version, why=why)
    return model, why
