from __future__ import annotations

from hypothesis import HealthCheck, settings

# A loaded machine must not fail a test: no deadline, nothing asserted about time.
settings.register_profile(
    "hopsml", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60
)
settings.load_profile("hopsml")
