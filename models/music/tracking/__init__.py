"""Streaming trackers of what a performer plays: onsets, pitch, beats, chords and key. Pure logic."""
