"""Underruns and xruns become sentences: not one a second, and none is left out."""

from __future__ import annotations

import pytest

from app.audio.dropouts import QUIET_SECONDS, DropoutLog
from app.audio.settings import AudioStatus


@pytest.mark.parametrize(
    ("underruns", "xruns", "words"),
    [
        (0, 0, []),
        (1, 0, ["ran dry once", "engine"]),
        (3, 0, ["ran dry 3 times"]),
        (0, 1, ["was late once", "xruns", "buffer"]),
        (0, 570, ["was late 570 times"]),
        (2, 5, ["ran dry 2 times", "was late 5 times"]),
    ],
)
def test_sentence(underruns: int, xruns: int, words: list[str]) -> None:
    said = DropoutLog().update(AudioStatus(underruns=underruns, xruns=xruns), 100.0)
    assert bool(said) is bool(words)
    assert all(word in said for word in words)


def test_every_one_is_counted_in_some_sentence() -> None:
    log = DropoutLog()
    told, sentences, steps = 0, 0, int(2 * QUIET_SECONDS / 0.1)
    for step in range(steps):
        if log.update(AudioStatus(xruns=step), step * 0.1):
            sentences, told = sentences + 1, log.xruns
    log.update(AudioStatus(xruns=steps), steps * 0.1 + QUIET_SECONDS)
    assert sentences <= 3 and told > 0 and log.xruns == steps


def test_a_line_is_to_blame_where_the_engine_is_elsewhere() -> None:
    said = DropoutLog().update(AudioStatus(underruns=1), 100.0, remote=True)
    assert said.startswith("the music ran dry once: the line to the engine was down")
