"""The lead's blocks are played ahead while controls rest, and what is heard is the same."""

from __future__ import annotations

import threading
from typing import Any, cast

import numpy as np
import pytest

from models.engine.controls import Controls
from models.errors import SegueError
from models.segue.engine import SegueEngine
from models.segue.lead_player import AHEAD_BLOCKS, LeadPlayer
from models.segue.stream_state import LeadEntry, PlayedBlock, StudioStreamState

REST, MOVED = Controls(bpm=120.0), Controls(bpm=121.0)


class Place:
    """State that tells how many blocks were played before it."""

    def __init__(self, number: int) -> None:
        self.number = number


class Recorder:
    """Plays blocks of nothing and tells which."""

    def __init__(self) -> None:
        self.played: list[tuple[int, Controls]] = []
        self.threads: set[int] = set()
        self.broken = False

    def play(self, state: StudioStreamState, entry: LeadEntry, heard: object) -> PlayedBlock:
        if self.broken:
            raise SegueError("the bank is damaged.")
        place = cast(Place, state)
        self.played.append((place.number, entry.controls))
        self.threads.add(threading.get_ident())
        after, no_sound = cast(Any, Place(place.number + 1)), cast(Any, None)
        return PlayedBlock(after, no_sound, (), (), entry)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def lead(player: LeadPlayer, state: Any, *controls: Controls) -> Any:
    """The state after blocks with these controls."""
    for each in controls:
        state = player.play(state, LeadEntry(each, clear=False)).state
    player._submit(lambda: cast(Any, None)).result()  # what is played ahead is done
    return state


def test_resting_controls_are_played_ahead_once_each(recorder: Recorder) -> None:
    player = LeadPlayer(recorder.play)
    state = lead(player, Place(0), *[REST] * 10)
    assert state.number == 10
    assert recorder.played == [(n, REST) for n in range(10 + AHEAD_BLOCKS)]
    assert recorder.threads.isdisjoint({threading.get_ident()})


def test_a_control_that_moves_is_not_played_ahead(recorder: Recorder) -> None:
    player = LeadPlayer(recorder.play)
    moving = [Controls(bpm=100.0 + n) for n in range(6)]
    lead(player, Place(0), *moving)
    assert recorder.played == list(enumerate(moving))


def test_what_was_expected_is_dropped_where_it_goes_another_way(recorder: Recorder) -> None:
    player = LeadPlayer(recorder.play)
    at = lead(player, Place(0), REST, REST)
    assert lead(player, at, MOVED).number == 3
    assert recorder.played[-1] == (2, MOVED), "the new control acts from the very next block on"
    there = lead(player, Place(70), MOVED, MOVED)
    assert there.number == 72, "another state with the same controls is not the one expected"
    cleared = player.play(there, LeadEntry(MOVED, clear=True))
    assert cleared.entry.clear


def test_a_fault_is_told_once_and_the_next_block_plays(recorder: Recorder) -> None:
    player = LeadPlayer(recorder.play)
    at = lead(player, Place(0), REST)
    recorder.broken = True
    with pytest.raises(SegueError, match="damaged"):
        lead(player, at, REST)
    recorder.broken = False
    at = lead(player, at, REST, REST)
    recorder.broken = True
    for _ in range(AHEAD_BLOCKS):
        at = player.play(at, LeadEntry(REST, clear=False)).state
    with pytest.raises(SegueError, match="damaged"):
        player.play(at, LeadEntry(REST, clear=False))
    recorder.broken = False
    assert lead(player, at, REST).number == at.number + 1


def test_after_a_way_back_no_block_is_played_twice(
    engine: SegueEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    controls = Controls(style=engine.embed_text("jazz trio"), dream=0.5)
    stream, again = engine.start(3), engine.start(3)
    heard = [stream.render(controls) for _ in range(8)]
    middle = stream.snapshot()
    heard += [stream.render(controls) for _ in range(16)]
    count, play = [0], engine.player.play

    def counted(*given: Any) -> PlayedBlock:
        count[0] += 1
        return play(*given)

    stream.restore(middle)
    monkeypatch.setattr(engine.player, "play", counted)
    monkeypatch.setattr(cast(Any, stream)._lead, "_play", counted)
    back = [stream.render(controls) for _ in range(16)]
    cast(Any, stream)._lead.drop()
    assert np.array_equal(np.concatenate(back), np.concatenate(heard[8:]))
    pending = 4
    assert count[0] <= 16 + pending + AHEAD_BLOCKS
    one_by_one = []
    for _ in range(24):  # nothing is ever played ahead
        again.restore(again.snapshot())
        one_by_one.append(again.render(controls))
    assert np.array_equal(np.concatenate(one_by_one), np.concatenate(heard))
