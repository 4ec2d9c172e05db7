"""Arrangements of the performer's own: MIDI files as parts, harmony or an example."""
