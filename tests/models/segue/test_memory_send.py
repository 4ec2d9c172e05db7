"""The memory send: a past for the music that is never heard itself."""

from __future__ import annotations

import numpy as np
import pytest

from models.engine.controls import Controls
from models.engine.hearing import PlayedSound
from models.evaluation.memory import leak_db, marked
from models.music.hearing.transcript import HeardChroma, HeardHit, HeardNote, Transcript
from models.music.score import DRUMS, INSTRUMENTS, KITS, SAMPLE_RATE
from models.segue.arranger.clock import Tick
from models.segue.arranger.memory.recollection import (
    HeardMusic,
    Recollection,
    last_place,
    recollect,
)
from models.segue.arranger.steps import STRIKE, TOKEN, WIDTH, Setting
from models.segue.engine import SegueEngine

PLAYED, SECONDS = 4.0, 6.0


@pytest.fixture(scope="module")
def engine() -> SegueEngine:
    return SegueEngine()


def tune(seconds: float = PLAYED) -> np.ndarray:
    """Four notes a second, (n, 2)."""
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = np.array([60, 63, 67, 70])[(at * 4).astype(int) % 4]
    line = 0.3 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * at) * np.exp(-6 * (at % 0.25))
    return np.repeat(line[:, None], 2, axis=1).astype(np.float32)


def music(engine: SegueEngine, sound: np.ndarray | None, memory: float | None) -> np.ndarray:
    stream = engine.start(4)
    played = None if sound is None else PlayedSound(sound)
    blocks, position = [], 0
    while position < SECONDS * SAMPLE_RATE:
        stream.hear(None if played is None else played.at(position))
        blocks.append(stream.render(Controls(bpm=120.0, memory=memory)))
        position += len(blocks[-1])
    return np.concatenate(blocks)


@pytest.fixture(scope="module")
def plain(engine: SegueEngine) -> np.ndarray:
    return music(engine, None, None)


def test_the_input_steers_but_never_sounds(engine: SegueEngine, plain: np.ndarray) -> None:
    sound, noise = marked(tune())
    one, again = (music(engine, sound, 1.0) for _ in range(2))
    assert np.array_equal(one, again)  # the same seed, controls and input
    assert not np.array_equal(one, plain)
    assert leak_db(noise, one[: len(noise)]) < -40.0
    # The measurement hears an input that is 30 dB below the music.
    heard = 0.03 * np.std(one) / np.std(noise)
    assert leak_db(noise, one[: len(noise)] + heard * noise) > -36.0


def test_a_closed_send_changes_nothing(engine: SegueEngine, plain: np.ndarray) -> None:
    assert np.array_equal(music(engine, tune(), 0.0), plain)


@pytest.mark.parametrize(
    ("now", "length", "known", "place"),
    [
        (10.0, 2.0, 9.8, 8.0),
        (10.0, 2.0, 7.9, 6.0),  # frozen: it goes round
        (10.0, 8.0, 9.8, 2.0),
        (1.0, 2.0, 0.9, None),  # nothing was played so early
    ],
)
def test_places_lie_whole_loops_back(
    now: float, length: float, known: float, place: float | None
) -> None:
    assert last_place(now, length, known) == place


def test_what_was_played_becomes_a_row() -> None:
    bar = 2.0
    chroma = tuple(HeardChroma(0.1 * i, tuple(float(k == 4) for k in range(12))) for i in range(80))
    hits = (HeardHit(4.0, 0.8, "pitched"), HeardHit(4.5, 0.9, "low"))
    played = Transcript(7.9, (HeardNote(4.0, 4.4, 64.1),), hits, chroma)
    flute, piano = INSTRUMENTS.index("flute"), INSTRUMENTS.index("piano")
    setting = Setting(0, KITS.index("rock"), (0, piano, flute, 0), 120.0, 0.5, 0)

    def at(seconds: float, **controls: object) -> Recollection | None:
        beats = seconds * 2
        tick = Tick(seconds, 0.125, 120.0, int(beats * 4) % 16, 4, 16, beats, beats / 4)
        asked = Controls(memory=1.0).with_(**controls)
        return recollect(HeardMusic(played, 0.0), asked, tick, setting, 2, 31, 1)

    found = at(4.0 + bar)
    assert found is not None
    assert found.row[TOKEN["lead"]] >= STRIKE and found.row[WIDTH] & 8
    assert found.tones.argmax() == 2 and found.rhythm > 0  # E, from the tonic D
    kick = at(4.5 + bar)
    assert kick is not None and kick.row[DRUMS.index("kick")] and kick.row[WIDTH] & 1
    assert at(4.0 + bar, memory=0.0) is None
    looped = at(4.0 + 2 * bar, memory_mode="looper", loop_bars=2)
    assert looped is not None and all(row is not None for row in looped.sources)
