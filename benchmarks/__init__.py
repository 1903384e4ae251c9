"""Clary and its peers, side by side."""
