"""Processes of the instrument beside its own: the handle on one, and their priorities."""
