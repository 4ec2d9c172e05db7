"""Learned sounds on disk: their file, and the folder in which they are found by name."""
