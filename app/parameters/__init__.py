"""Parameters: everything that can be moved or triggered, by name."""
