"""Numerics and run-time objects that the algorithms share."""
