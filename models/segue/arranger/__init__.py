"""The arranger: writes the score that is played."""
