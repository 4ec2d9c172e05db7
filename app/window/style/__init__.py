"""Typeface, sizes and colours of the window."""
