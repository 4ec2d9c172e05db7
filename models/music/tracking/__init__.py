"""Trackers of what a performer plays, as it comes in: onsets, pitch, beats, chords, key."""
