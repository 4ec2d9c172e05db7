"""Velocities of the arranger's notes: those of the corpus."""

import numpy as np
import pytest

from models.corpus.composer.composer import compose
from models.music.score import DRUMS, PARTS, PITCHED
from models.segue.arranger.steps import levels_of
from models.segue.arranger.velocities import drum_velocity, part_velocity

CHANCES = np.linspace(0.0, 0.999, 13)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_velocity_read_back_is_of_the_level_that_was_written(level: int) -> None:
    for chance in CHANCES:
        for drum in range(len(DRUMS)):
            assert levels_of(drum_velocity(drum, level, chance)) == level
        for part in PITCHED:
            assert levels_of(part_velocity(PARTS.index(part), level, chance)) == level


def test_notes_of_a_level_are_as_loud_as_the_corpus_plays_them() -> None:
    events = np.concatenate([compose(seed).events() for seed in range(40)])
    levels = levels_of(events["velocity"])
    for part, index in (("kick", None), ("hat", None), ("bass", 1), ("chords", 2), ("extra", 4)):
        if index is None:
            drum = DRUMS.index(part)
            chosen = (events["part"] == 0) & (events["pitch"] == drum)
        else:
            chosen = events["part"] == index
        for level in (2, 3):
            velocities = events["velocity"][chosen & (levels == level)]
            if len(velocities) < 200:
                continue
            written = [
                drum_velocity(drum, level, chance)
                if index is None
                else part_velocity(index, level, chance)
                for chance in CHANCES
            ]
            assert np.mean(written) == pytest.approx(np.mean(velocities), abs=4.0), (part, level)
