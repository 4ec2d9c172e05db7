"""Music theory: score, song, voicing."""
