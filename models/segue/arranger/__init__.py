"""Arranger: writes the score of the next block."""
