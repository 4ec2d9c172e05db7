"""Memory of what is played in, as rows that the arranger goes on from."""
