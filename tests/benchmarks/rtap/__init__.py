"""Benchmark of the accompaniment over OSC, played from Pd."""
