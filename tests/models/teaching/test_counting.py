"""Counting of what was heard in a piece."""

from __future__ import annotations

import numpy as np
import pytest

from models.music.score import FRAME_SECONDS, QUALITY_NAMES, beat_phase
from models.segue.arranger.idiom.counts import PLACES, WIDEST, triad
from models.segue.arranger.steps import bpm_bin
from models.teaching.counting import counts_of
from models.teaching.transcription import HeardScore


def piece(
    seconds: float = 40.0, bpm: float = 120.0, key: int = 9 + 12, late: float = 0.0
) -> HeardScore:
    """A minor: a chord a bar, A minor and F in turn, onsets on every beat, a rising lead."""
    frames = round(seconds / FRAME_SECONDS)
    times = (np.arange(frames) + 0.5) * FRAME_SECONDS
    beats = times * bpm / 60
    bar = (beats // 4).astype(int)
    chord = np.array([(9, QUALITY_NAMES.index("min")), (5, QUALITY_NAMES.index("maj"))])[bar % 2]
    harmony = np.column_stack([chord, np.full(frames, key), np.full(frames, 4)])
    onsets = np.arange(0.0, seconds - 0.1, 60 / bpm) + late
    tune = (69, 72, 76, 74, 72, 71)
    lead = [(t, t + 0.4, 3, tune[i % 6], 90) for i, t in enumerate(np.arange(0, seconds, 1.0))]
    return HeardScore(
        chroma=np.zeros((frames, 12), np.float32),
        beat=beat_phase(beats, beats / 4),
        known=np.ones((frames, 2), np.float32),
        tempo=np.full(frames, bpm, np.float32),
        brightness=np.zeros(frames, np.float32),
        notes=np.array(lead, np.float32),
        harmony=harmony.astype(np.float32),
        onsets=onsets.astype(np.float32),
    )


@pytest.mark.parametrize("late", [0.0, 0.02, -0.02])
def test_onsets_are_counted_by_their_place_in_the_bar(late: float) -> None:
    counts = counts_of(piece(late=max(0.0, late)))
    assert counts.bars == pytest.approx(20.0, abs=0.2)
    assert set(np.flatnonzero(counts.onsets)) == {0, 4, 8, 12}
    assert counts.onsets.sum() == pytest.approx(80, abs=1)
    assert len(counts.onsets) == PLACES


def test_chords_keys_tones_and_lines_are_counted_from_the_tonic() -> None:
    counts = counts_of(piece())
    one, six = triad(0, "min"), triad(8, "maj")
    assert counts.chords[one, six] == 10 and counts.chords[six, one] == 9
    assert counts.chords.sum() == 19 and counts.beats == pytest.approx(80.0, abs=0.2)
    assert counts.modes.tolist() == [0.0, pytest.approx(40.0)]
    assert np.flatnonzero(counts.tones).tolist() == [0, 2, 3, 5, 7]
    assert counts.steps[WIDEST - 2] > counts.steps[WIDEST + 3] > counts.steps[WIDEST - 1] > 0
    assert counts.tempo.argmax() == bpm_bin(120.0)


def test_the_key_is_that_of_the_notes_where_it_is_clear() -> None:
    heard = piece()
    wrong = heard.harmony.copy()
    wrong[:, 2] = 1  # C sharp major, as the ears heard it
    assert counts_of(heard._replace(harmony=wrong)).tones[0] > 0
    assert counts_of(heard._replace(harmony=wrong)).modes[1] > 0
    few = heard._replace(harmony=wrong, notes=heard.notes[:5])
    assert counts_of(few).modes[0] > 0
    chromatic = heard.notes.copy()
    chromatic[:, 3] = 60 + np.arange(len(chromatic)) % 12
    assert counts_of(heard._replace(notes=chromatic)).modes.sum() == 0
    split = heard.harmony.copy()
    split[:, 2] = np.arange(len(split)) % 3
    assert counts_of(few._replace(harmony=split)).modes.sum() == 0


def test_what_is_not_sure_is_not_counted() -> None:
    heard = piece()
    unsure = heard._replace(
        known=np.zeros_like(heard.known),
        harmony=np.full_like(heard.harmony, -1),
        notes=heard.notes[:5],
    )
    counts = counts_of(unsure)
    assert counts.bars == counts.beats == counts.onsets.sum() == counts.chords.sum() == 0
    assert counts.modes.sum() == counts.tempo.sum() == 0
    waltz = heard.harmony.copy()
    waltz[:, 3] = 3
    assert counts_of(heard._replace(harmony=waltz)).bars == 0
    empty = HeardScore(*(field[:0] for field in heard))
    assert counts_of(empty).bars == 0
