"""What all tests share."""

from __future__ import annotations

import os

# Before any native import: two test processes share two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "2")
