"""Panning of the spectrogram: origin and tick labels."""

from __future__ import annotations

import pytest

from app.window.spectrogram.panning import Panning
from app.window.style.time_text import duration_text
from models.music.score import SAMPLE_RATE

NOW = 100.0 * SAMPLE_RATE


@pytest.mark.parametrize(
    ("seconds", "first", "past", "pinned"),
    [
        (-10.0, 0.0, 20.0, 90.0),
        (-90.0, 0.0, 20.0, 20.0),  # no further than there is data
        (-90.0, 50.0, 20.0, 70.0),  # older columns are gone
        (-10.0, 95.0, 20.0, None),  # all data is visible
        (5.0, 0.0, 20.0, None),  # never beyond the playhead
    ],
)
def test_pan_stays_where_there_is_something(
    seconds: float, first: float, past: float, pinned: float | None
) -> None:
    panning = Panning()
    panning.pan(seconds, NOW, first * SAMPLE_RATE, past)
    assert panning.pinned == (None if pinned is None else pinned * SAMPLE_RATE)
    assert panning.is_panned is (pinned is not None)


def test_the_picture_stands_still_while_the_music_runs() -> None:
    panning = Panning()
    assert panning.origin(NOW) == NOW
    panning.pan(-30.0, NOW, 0.0, 20.0)
    assert panning.origin(NOW) == panning.origin(NOW + 5 * SAMPLE_RATE) == 70 * SAMPLE_RATE
    panning.pan(10.0, NOW + 5 * SAMPLE_RATE, 0.0, 20.0)
    assert panning.origin(NOW + 5 * SAMPLE_RATE) == 80 * SAMPLE_RATE
    panning.reset()
    assert panning.origin(NOW + 5 * SAMPLE_RATE) == NOW + 5 * SAMPLE_RATE


@pytest.mark.parametrize(("past", "future"), [(6.0, 3.0), (20.0, 4.0), (90.0, 18.0), (1800, 360)])
def test_ticks_are_few_within_and_named_after_their_place(past: float, future: float) -> None:
    panning = Panning()
    with_playhead = panning.ticks(past, future)
    assert (0.0, "now") in with_playhead and 3 <= len(with_playhead) <= 11
    panning.pinned = 65.5 * SAMPLE_RATE
    is_panned = panning.ticks(past, future)
    assert 1 <= len(is_panned) <= 11
    for seconds, words in (*with_playhead, *is_panned):
        assert -past <= seconds <= future and words
    for seconds, words in is_panned:
        assert words == duration_text(round(65.5 + seconds))
