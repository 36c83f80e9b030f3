"""Property tests print what reproduces a failure."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "recio", print_blob=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150
)
settings.load_profile("recio")
