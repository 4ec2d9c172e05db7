"""Score output: the notes of the parts, to MIDI ports."""
