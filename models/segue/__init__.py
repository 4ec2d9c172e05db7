"""The embedded engine, a folder for each of its parts."""
