"""Composer: a seed and prompt terms become a song."""
