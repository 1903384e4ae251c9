"""Bytes to batches and back; one module for each format, listed in `formats`."""
