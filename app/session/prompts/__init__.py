"""Prompts of a session: the list, their mix, their places on the map."""
