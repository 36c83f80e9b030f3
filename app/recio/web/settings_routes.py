"""The settings' and the research page, each a file of its own, as one router."""

from __future__ import annotations

from fastapi import APIRouter

from recio.web import (
    api_exchange,
    mode,
    research_page,
    settings_exchange,
    settings_monitors,
    settings_notify,
    settings_risk,
)

__all__ = ["router"]

router = APIRouter()
for _part in (settings_monitors, settings_risk, settings_notify, settings_exchange, api_exchange, mode, research_page):
    router.include_router(_part.router)
