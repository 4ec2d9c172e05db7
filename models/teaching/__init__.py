"""Teaching: a learned sound from the player's own audio files."""
