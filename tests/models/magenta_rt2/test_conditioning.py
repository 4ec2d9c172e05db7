"""Conditioning tokens of held keys, and sampling: tables of the reference runtime's rules.

The tables follow `calculate_token` and `populate_condition_tokens` of the reference's
`core/src/mlx_engine.cpp`, and the states of its `midi_note_tracker.cpp`.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from models.engine.controls import Controls
from models.magenta_rt2.block_generator import FRAMES_PER_BLOCK
from models.magenta_rt2.conditioning import (
    condition_rows,
    guidance_token,
    note_states,
    sampling_params,
)
from models.magenta_rt2.depthformer.config import (
    CONDITION_OFFSET,
    DECODER_DELAY,
    FRAME_SECONDS,
    NUM_PITCHES,
)

M, OFF, SUSTAIN, ONSET, ON = -1, 0, 1, 2, 3


def played(blocks: list[Controls], pitch: int) -> list[list[int]]:
    """States of a pitch in the frames of each block, one block after the other."""
    states: list[list[int]] = []
    held: tuple[int, ...] = ()
    for controls in blocks:
        rows = condition_rows(None, controls, 3.0, held, FRAMES_PER_BLOCK)
        states.append((rows[:, 12 + pitch] - CONDITION_OFFSET).tolist())
        held = controls.notes
    return states


NONE, C, CE = Controls(), Controls(notes=(60,)), Controls(notes=(60, 64))
STRUCK = Controls(notes=(60,), strikes=(60,))
SHORT = Controls(strikes=(60,))


@pytest.mark.parametrize(
    ("blocks", "free", "strike"),
    [
        ([NONE, NONE], [[M] * 3] * 2, [[M] * 3] * 2),
        ([C, C], [[ON] * 3] * 2, [[ONSET, SUSTAIN, SUSTAIN], [SUSTAIN] * 3]),
        ([STRUCK, C], [[ON] * 3] * 2, [[ONSET, SUSTAIN, SUSTAIN], [SUSTAIN] * 3]),
        ([C, NONE, C], [[ON] * 3, [M] * 3, [ON] * 3],
         [[ONSET, SUSTAIN, SUSTAIN], [M] * 3, [ONSET, SUSTAIN, SUSTAIN]]),
        ([C, CE], [[ON] * 3] * 2, [[ONSET, SUSTAIN, SUSTAIN], [SUSTAIN] * 3]),
        # Released and struck anew between two blocks.
        ([C, STRUCK], [[ON] * 3] * 2, [[ONSET, SUSTAIN, SUSTAIN]] * 2),
        # Struck and released between two blocks: it sounds for one frame.
        ([SHORT, NONE], [[ON, M, M], [M] * 3], [[ONSET, M, M], [M] * 3]),
        ([C, SHORT], [[ON] * 3, [ON, M, M]], [[ONSET, SUSTAIN, SUSTAIN], [ONSET, M, M]]),
    ],
)  # fmt: skip
def test_a_key_in_time(
    blocks: list[Controls], free: list[list[int]], strike: list[list[int]]
) -> None:
    assert played(blocks, 60) == free
    assert played([replace(each, note_onsets="strike") for each in blocks], 60) == strike


@pytest.mark.parametrize(
    ("notes", "width", "off"),
    [
        ((60,), None, []),
        ((60,), 0, []),
        ((60,), 1, [59, 61]),
        ((60, 62), 2, [58, 59, 61, 63, 64]),
        ((0, 127), 3, [1, 2, 3, 124, 125, 126]),
        ((0,), 126, list(range(1, 127))),
        ((60,), 127, [n for n in range(128) if n != 60]),
        ((), 126, []),
        ((), 127, list(range(128))),
    ],
)
def test_only_my_keys(notes: tuple[int, ...], width: float | None, off: list[int]) -> None:
    """Pitches near a held key are off; at 127 all are, even while no key is held."""
    states = note_states(Controls(notes=notes, note_width=width))
    assert np.flatnonzero(states == OFF).tolist() == off
    assert np.flatnonzero(states == ON).tolist() == list(notes)
    assert (np.delete(states, [*off, *notes]) == M).all()


def test_the_width_of_a_short_strike_lasts_as_long_as_it() -> None:
    short = Controls(strikes=(60,), note_width=1, note_onsets="strike")
    rows = condition_rows(None, short, 3.0, (), 2)[:, 12 : 12 + NUM_PITCHES] - CONDITION_OFFSET
    assert rows[0, 58:63].tolist() == [M, OFF, ONSET, OFF, M]
    assert (rows[1] == M).all()


@pytest.mark.parametrize("bpm", [60.0, 97.3, 240.0])
def test_held_keys_are_struck_on_each_beat_of_a_player(bpm: float) -> None:
    """In the frame whose sound, which comes a frame late, begins nearest to it; otherwise free."""
    block, blocks, beat = FRAMES_PER_BLOCK * FRAME_SECONDS, 60, 60.0 / bpm
    ahead = [-(number * block) % beat for number in range(blocks)]
    states = np.ravel(played([C.with_(next_beat=round(each, 3)) for each in ahead], 60))
    assert set(states.tolist()) == {ON, ONSET}
    struck = (np.flatnonzero(states == ONSET) + DECODER_DELAY) * FRAME_SECONDS
    beats = np.arange(1, int(blocks * block / beat) + 1) * beat
    beats = beats[beats < blocks * block - FRAME_SECONDS]
    assert len(struck) == len(beats) and np.abs(struck - beats).max() <= FRAME_SECONDS / 2 + 1e-3


def test_a_beat_strikes_held_keys_alone() -> None:
    states = note_states(C.with_(strikes=(62,), next_beat=0.08), beat=True)
    assert np.flatnonzero(states == ONSET).tolist() == [60, 62]
    assert (np.delete(states, [60, 62]) == M).all()
    assert (note_states(NONE, beat=True) == M).all()
    assert played([Controls(next_beat=0.08)], 60) == [[M] * 3]


@pytest.mark.parametrize(
    ("controls", "guidance"),
    [
        (C, 1.0),
        (C.with_(strength={"notes": 0.0}), -1.0),
        (C.with_(strength={"notes": 0.6}), 0.2),
        (C.with_(strength={"notes": 1.0}), 1.0),
        (C.with_(strength={"notes": 0.6}, guidance_notes=4.0), 4.0),
    ],
)
def test_how_firmly_keys_are_held(controls: Controls, guidance: float) -> None:
    """The guidance of the notes at auto goes from that without notes to the reference's."""
    row = condition_rows(None, controls, 3.0)[0] - CONDITION_OFFSET
    assert row[-2] == guidance_token(guidance, 0.2)


@pytest.mark.parametrize(
    ("controls", "temperature", "top_k"),
    [
        (Controls(), 1.3, 40),
        (Controls(chaos=0.5), 1.3, 40),
        (Controls(chaos=0.0), 0.6, 8),
        (Controls(temperature=1.0), 1.0, 40),
        (Controls(top_k=100), 1.3, 100),
        (Controls(temperature=1.1, top_k=50), 1.1, 50),
        (Controls(chaos=1.0, temperature=0.0), 0.0, 200),
        (Controls(chaos=0.0, top_k=1024), 0.6, 1024),
    ],
)
def test_temperature_and_top_k_are_free_of_each_other(
    controls: Controls, temperature: float, top_k: int
) -> None:
    got, among = sampling_params(controls)
    assert got == pytest.approx(temperature) and among == top_k


def test_chaos_moves_both() -> None:
    steps = [sampling_params(Controls(chaos=chaos)) for chaos in np.linspace(0, 1, 11)]
    assert all(a < b and m < n for (a, m), (b, n) in itertools.pairwise(steps))
