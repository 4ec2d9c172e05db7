"""Performances: the JSON Lines format, and the log that writes it."""
