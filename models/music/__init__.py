"""Rules of music that composing and playing share. Pure logic: neither Qt nor torch."""
