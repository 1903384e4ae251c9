"""Clary: Amazon SageMaker's built-in algorithms, as open source, on any machine."""

from __future__ import annotations

from clary import settings

__version__ = "0.1.0"

settings.calm_threads()
