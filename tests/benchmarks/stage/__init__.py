"""Ten minutes on stage: the real window, engine, audio process and a real JACK server, measured.

`python -m tests.benchmarks.stage --minutes 10 --engine segue` prints what was measured as JSON. Test lane.
"""
