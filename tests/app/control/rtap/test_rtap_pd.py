"""Pd plays a file through its patch, and records the answers where they belong."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from app.control.rtap.batches import ContextBatch
from app.control.rtap.messages import RATE, Samples
from app.control.rtap.server import RtapServer
from tests.support import pd


class SinePlayer:
    """Plays a sine of the context's own time, so that a place tells itself."""

    def __init__(self) -> None:
        self.heard = np.zeros(0, np.float32)

    def reset(self) -> None:
        self.heard = self.heard[:0]

    def hear(self, batch: ContextBatch, step: int) -> int:
        self.heard = np.concatenate([self.heard, batch.samples])
        return len(self.heard)

    def window(self, start: int, end: int, stems: tuple[str, ...]) -> Mapping[str, Samples]:
        line = np.sin(2 * np.pi * 441 / RATE * np.arange(start, end)).astype(np.float32)
        return dict.fromkeys(stems, line)


@pytest.mark.skipif(bool(pd.missing()), reason=pd.missing())
def test_pd_sends_every_sample_and_plays_each_answer_where_it_belongs(tmp_path: Path) -> None:
    ratio, batches, step = 0.05, 8, 13_230
    context = np.random.default_rng(3).uniform(-0.5, 0.5, 4 * RATE).astype(np.float32)
    soundfile.write(tmp_path / "in.wav", context, RATE, subtype="FLOAT")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        client = free.getsockname()[1]
    player = SinePlayer()
    server = RtapServer(player, "127.0.0.1", 0, ("127.0.0.1", client))
    server.start()
    try:
        process = pd.play(
            tmp_path / "in.wav", tmp_path / "out.wav", batches,
            server=server.port, client=client, ratio=ratio,
        )  # fmt: skip
        _, errors = process.communicate(timeout=60)
    finally:
        server.stop()
    assert "error" not in errors
    counts = server.counts
    assert (counts.batches, counts.packets, counts.answered) == (batches, 7 * batches, batches)
    assert not counts.lost and not counts.reordered and not counts.malformed
    np.testing.assert_array_equal(player.heard, context[: len(player.heard)])
    line, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert rate == RATE and len(line) >= batches * step
    np.testing.assert_array_equal(line[: batches * step, 0], context[: batches * step])
    # What is late on a loaded machine is left out by nobody's fault: the rest must be in place.
    places = np.arange(2 * step, batches * step)
    wanted = np.sin(2 * np.pi * 441 / RATE * places)
    right = np.abs(line[places, 1] - wanted) < 1e-5
    assert not line[: 2 * step, 1].any() and right.mean() > 0.2
    assert not line[places[~right], 1].any()
