"""State and weights on disk."""
