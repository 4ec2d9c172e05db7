"""Edits of a sketch with the mouse, by tables; and where the beats lie."""

from __future__ import annotations

import pytest

from app.session import sketch_edits as edits
from models.engine.interface import ScoreInfo
from models.music.hearing.sketch import Sketch, SketchHit, SketchNote

LINE = Sketch("lead", 4.0, (SketchNote(0.0, 1.0, 60.0), SketchNote(2.0, 1.0, 64.0)))
GROOVE = Sketch("drums", 4.0, hits=(SketchHit(0.0, "kick"), SketchHit(1.0, "snare")))


@pytest.mark.parametrize(
    ("path", "notes"),
    [
        ([(1.1, 65.2)], [(0.0, 1.0, 60), (1.0, 0.25, 65), (2.0, 1.0, 64)]),
        # A slope is a scale; what was under it goes.
        (
            [(2.0 + 0.05 * i, 60 + i / 4) for i in range(20)],
            [(0.0, 1.0, 60), (2.0, 0.25, 60), (2.25, 0.25, 62), (2.5, 0.25, 63), (2.75, 0.25, 64)],
        ),
        ([(3.0, 67.0), (5.0, 67.0)], [(0.0, 1.0, 60), (2.0, 1.0, 64), (3.0, 1.0, 67)]),
    ],
)
def test_a_line_is_drawn(
    path: list[tuple[float, float]], notes: list[tuple[float, float, int]]
) -> None:
    made = edits.drawn(LINE, path)
    assert [(n.beat, n.length, n.pitch) for n in made.notes] == notes


def test_notes_and_hits_are_moved_and_deleted() -> None:
    made = edits.moved(LINE, 0, 3.0, 2)
    assert [(n.beat, n.pitch) for n in made.notes] == [(2.0, 64.0), (3.0, 62.0)]
    assert edits.moved(LINE, 1, 9.0, 99).notes[-1].beat == 3.75
    assert edits.without(LINE, 0).notes == LINE.notes[1:]
    assert edits.moved(GROOVE, 0, 0.5, 1).hits[0] == SketchHit(0.5, "snare")
    assert edits.moved(GROOVE, 1, 0.0, 9).hits[1].drum == "hat"
    assert edits.without(GROOVE, 1).hits == GROOVE.hits[:1]
    assert edits.struck(GROOVE, 2.6, "hat").hits[-1] == SketchHit(2.5, "hat")


def test_length_part_and_grid() -> None:
    assert edits.of_length(LINE, 2.5).notes[-1].length == 0.5
    assert edits.of_length(LINE, 1.0).notes == LINE.notes[:1]
    assert edits.for_part(LINE, "bass").notes == LINE.notes
    assert edits.for_part(LINE, "drums").notes == ()
    late = Sketch("lead", 4.0, (SketchNote(0.98, 0.4, 60.3), SketchNote(3.95, 0.4, 62.0)))
    assert [n.beat for n in edits.quantised(late).notes] == [0.0, 1.0]  # the last falls on the next


def test_beats_are_those_of_the_newest_plan() -> None:
    heard = edits.HeardBeats()
    for number in range(6):
        score = ScoreInfo(tempo=120.0, bars=number / 8, bars_at=0, beats_per_bar=4)
        heard.put(12_000 * number, 12_000 * number, 12_000, score)
    assert heard.around(12_500, 30_000) == [(12_000, 0.5), (24_000, 1.0), (36_000, 1.5)]
    # From 30 000 on the plan is made again, half as fast.
    heard.put(24_000, 30_000, 12_000, ScoreInfo(bars=0.3, bars_at=9_000, beats_per_bar=4))
    at, beat = heard.points[-1]
    assert at == 33_000 and beat == pytest.approx(1.2)
    assert heard.around(0, 5_000)[0] == (0, 0.0)
