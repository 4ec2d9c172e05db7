"""Stage mode: full screen, locked, awake."""
