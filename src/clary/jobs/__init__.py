"""What runs, where, and in which state."""
