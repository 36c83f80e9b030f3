"""The settings' pages, each a file of its own, as one router."""

from __future__ import annotations

from fastapi import APIRouter

from recio.web import settings_exchange, settings_monitors, settings_risk

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
for _part in (settings_monitors, settings_risk, settings_exchange):
    router.include_router(_part.router)
