"""Channels to batches: sources, shards, pipes."""
