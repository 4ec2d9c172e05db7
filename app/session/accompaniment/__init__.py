"""Accompaniment of a context that comes in pieces, by windows that are asked for."""
