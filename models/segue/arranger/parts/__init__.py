"""Single parts of the score: locks, re-rolls, instruments."""
