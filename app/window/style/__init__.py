"""Typeface, sizes, colours and time texts of the window."""
