"""Benchmarks of an engine elsewhere: over loopback, over bad lines, and among hostile clients."""
