"""The corpus: a seeded composer and a renderer of music whose labels are exact. Offline lane."""
