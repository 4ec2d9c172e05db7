"""Data sets of the trainings: what is drawn from, and how it is varied."""
