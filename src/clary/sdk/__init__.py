"""The Python estimators."""
