"""Duplex benchmark: input played at a known time, and when the instrument first sounds by it.

`python -m tests.benchmarks.duplex --minutes 10` prints the measurements as JSON.
"""
