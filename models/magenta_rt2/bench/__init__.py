"""Benchmarks of Magenta RealTime 2."""
