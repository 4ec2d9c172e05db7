"""Segue's own engines: arranger, renderer, codec and style model."""
