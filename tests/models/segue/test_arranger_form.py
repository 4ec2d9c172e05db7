"""The form that a stage needs: the band starts playing, breaks are short, grooves stay known."""

from __future__ import annotations

import numpy as np
import pytest

from models.engine.controls import Controls
from models.music.score import FRAME_SECONDS, PARTS
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.memory.recall import groove, with_drums
from models.segue.arranger.state import EAGER, Form, History, empty_row
from models.segue.arranger.step_targets import StepPosition
from models.segue.arranger.steps import DRUM_COLUMNS, SECTIONS
from models.segue.style import StyleModel

STEPS = 16


@pytest.fixture(scope="module")
def arranger() -> Arranger:
    return Arranger.load()


@pytest.mark.parametrize(("prompt", "seed"), [("Techno", 1), ("Trance", 2), ("Ska", 2)])
def test_the_band_starts_playing_and_breaks_are_short(
    arranger: Arranger, prompt: str, seed: int
) -> None:
    """Who asks for a genre with drums hears them within two bars, and never waits long."""
    style = StyleModel.load().embed_text(prompt)
    controls = Controls(style=style, bpm=140.0)
    state = arranger.start(seed)
    hits: list[bool] = []
    for _ in range(150):
        score, state, _ = arranger.block(state, style, controls, 6)
        hits += [bool(frame.any()) for frame in score.drums]
    times = np.flatnonzero(hits) * FRAME_SECONDS
    bar = 4 * 60.0 / 140.0
    assert times[0] < 2 * bar
    assert np.diff(times).max() < 8 * bar


def test_where_the_bar_is_agrees_from_block_to_block(arranger: Arranger) -> None:
    """`bars` and `bars_at` are one clock: at a steady tempo both blocks tell the same line."""
    style = StyleModel.load().embed_text("Techno")
    state = arranger.start(3)
    told = []
    for block in range(12):
        _, state, info = arranger.block(state, style, Controls(style=style, bpm=120.0), 6)
        told.append((block * 6 * FRAME_SECONDS + info.bars_at / 48_000, info.bars))
        assert info.beats_per_bar in (3, 4, 5, 7)
    seconds, bars = np.array(told).T
    slope = np.diff(bars) / np.diff(seconds)
    assert np.allclose(slope, 120 / 60 / info.beats_per_bar, rtol=0.2)


def history_of(bars: list[bool]) -> History:
    """Bars of sixteen steps, with a drum on the first step of those that are true."""
    history = History()
    for bar, played in enumerate(bars):
        for step in range(STEPS):
            row = empty_row()
            if played and step == 0:
                row[DRUM_COLUMNS] = bar + 1
            history = history.append(row)
    return history


@pytest.mark.parametrize(
    ("bars", "active", "remembered"),
    [
        ([True, True], True, None),  # still playing
        # Silent for a bar: from half a bar before the last hit, which may be a break's crash.
        ([True, True, False], True, 1),
        ([True, True, True, False, False, False], True, 2),
        ([True, False], False, None),  # not asked to play
        ([False, False], True, None),  # never played
        ([], True, None),
    ],
)
def test_a_groove_is_remembered(bars: list[bool], active: bool, remembered: int | None) -> None:
    history = history_of(bars)
    form = Form(active=1 if active else 0)
    if bars == [True, True]:
        history = history_of([True, True])
        place = StepPosition(step=len(bars) * STEPS - STEPS + 4, step_in_bar=4, change=0, floor=0)
    else:
        place = StepPosition(step=len(bars) * STEPS, step_in_bar=0, change=0, floor=0)
    found = groove(history, form, place, STEPS)
    if remembered is None:
        assert found is None
    else:
        assert found is not None
        assert (found[DRUM_COLUMNS] == remembered).all()
        assert (with_drums(None, found)[DRUM_COLUMNS] == remembered).all()


def test_bars_that_parts_miss_are_counted() -> None:
    form = Form()
    assert form.missed == (EAGER,) * len(PARTS)
    form = form.sounded(0b00001, thin=False).sounded(0b00011, thin=False)
    assert form.missed == (0, 0, EAGER + 2, EAGER + 2, EAGER + 2)
    assert form.steady == 2
    assert form.sounded(0, thin=True).steady == 0
    assert form.enter(SECTIONS.index("break"), 32).missed == form.missed
