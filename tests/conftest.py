"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Before any native import: two test processes share two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "2")

# Busy machines are slow: neither the time of an example nor that of drawing it is a fault.
settings.register_profile(
    "steady", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("steady")
