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
import zlib
from pathlib import Path

import pytest

from models.engine.controls import Controls
from tests.support.tone_engine import ToneEngine

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = "240"
"""Seconds that a step may take: Ray starts processes, and the machine may be busy."""


def crcs(seed: int, count: int) -> list[int]:
    """What the load generator tells of its first hundreds of blocks, rendered here."""
    stream, crc, found = ToneEngine(block_seconds=0.08).start(seed), 0, []
    for number in range(1, 100 * count + 1):
        crc = zlib.crc32(stream.render(Controls(bpm=120.0)).tobytes(), crc)
        if number % 100 == 0:
            found.append(crc)
    return found


@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="the extra 'serve' is not installed"
)
def test_a_second_replica_comes_and_one_is_ended_or_killed() -> None:
    """Who was with it goes on at the very place with the other one; who was not is not cut."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.remote.cluster", "drain", "kill",
         "--engine", "tone", "--seconds", "9", "--plan", "6", "--patience", PATIENCE],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if "Ray did not start" in done.stderr:
        pytest.skip("this machine is too busy for Ray, which gives up after 30 s")
    assert done.returncode == 0, done.stderr
    for figures in json.loads(done.stdout[done.stdout.index("{\n") :]).values():
        (handed,) = (each for each in figures["each"] if each["lost_at"])
        assert handed["exact"] == [True]
        assert "the session was forgotten" not in handed["told"]
        for each, blocks in zip(figures["each"], figures["blocks_since"], strict=True):
            assert blocks >= 100  # so that the last hundred is from afterwards
            assert each["crc"] == crcs(each["seed"], len(each["crc"]))
