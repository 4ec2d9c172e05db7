"""What a performer plays, written down: notes, hits and chroma, for the arranger to take up."""
