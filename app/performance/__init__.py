"""Performances: the JSON Lines format, the log that writes it, and moments."""
