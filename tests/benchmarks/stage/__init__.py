"""Stage benchmark: the real window, engine and audio process under a real JACK server.

`python -m tests.benchmarks.stage --minutes 10 --engine segue` prints the measurements as JSON.
"""
