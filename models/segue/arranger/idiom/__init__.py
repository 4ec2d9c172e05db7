"""What is usual in the music that a sound was learned from: rhythm, chords, lines, tempo, mode."""
