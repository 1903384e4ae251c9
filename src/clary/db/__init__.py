"""Rows: resources with their requests and states, their tags, their metrics."""
