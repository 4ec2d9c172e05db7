"""Replicas of a real Ray Serve come and go, and their players go on.

Runs where the extra `serve` is installed, which the tests do not ask for: Ray is large, and slow to
start. `application` and `local` need it; what they are made of is tested without (`test_asgi`,
`test_handover`, `test_kubernetes`).
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = "240"
"""Seconds that a step may take: Ray starts processes, and the machine may be busy."""


@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="the extra 'serve' is not installed"
)
def test_a_second_replica_comes_and_one_is_ended_or_killed() -> None:
    """Who was with it goes on at the very place with the other one; who was not is not cut."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.remote.cluster", "drain", "kill",
         "--engine", "tone", "--seconds", "2", "--plan", "6", "--patience", PATIENCE],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if "Ray did not start" in done.stderr:
        pytest.skip("this machine is too busy for Ray, which gives up after 30 s")
    assert done.returncode == 0, done.stderr
    for figures in json.loads(done.stdout[done.stdout.index("{\n") :]).values():
        (handed,) = (each for each in figures["each"] if each["lost_at"])
        assert handed["exact"] == [True]
        assert "the session was forgotten" not in handed["told"]
        assert all(blocks > 0 for blocks in figures["blocks_since"])
