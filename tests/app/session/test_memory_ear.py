"""What comes in, written down beside the stream and told to the plan block by block."""

from __future__ import annotations

import numpy as np
import pytest

from app.audio.input.history import InputHistory
from app.audio.shared_memory import INPUT_RUNNING, WORDS
from app.session.ears.memory_ear import MemoryEar
from app.session.ears.memory_link import MemoryLink, nothing
from models.engine.hearing import HearingSource
from models.music.hearing.transcriber import initial_transcriber, transcribe
from models.music.tracking.weights import load_ear_weights
from tests.support.ears import EarsByHand

RATE = 48_000


def notes(seconds: float) -> np.ndarray:
    """Two notes a second, (n, 2)."""
    at = np.arange(round(seconds * RATE)) / RATE
    line = 0.3 * np.sin(2 * np.pi * 330 * at) * np.exp(-8 * (at % 0.5))
    return np.repeat(line[:, None], 2, axis=1).astype(np.float32)


class Player:
    """An ear that is called by hand, its link and its input."""

    def __init__(self) -> None:
        words = np.zeros(WORDS, np.int64)
        words[INPUT_RUNNING] = 1
        self.input = InputHistory(words, np.zeros((20 * RATE, 2), np.float32))
        self.told: list[HearingSource] = []
        self.ears = EarsByHand(
            lambda say: MemoryEar(self.input, say), lambda level, text: pytest.fail(text)
        )
        self.link = MemoryLink(
            self.ears, self.input, lambda source, written: self.told.append(source)
        )
        self.link.configure(1.0, frozen=False)

    def play(self, sound: np.ndarray) -> None:
        for start in range(0, len(sound), 4800):
            self.input.write(self.input.end, sound[start : start + 4800])
            self.ears.hear()


def test_the_plan_is_told_of_what_is_played_and_of_nothing_else() -> None:
    player = Player()
    player.play(notes(3.0))
    heard = player.told[-1](player.input.end + 7200)
    assert heard is not None and len(heard.transcript.hits) >= 4
    # A block to come lies as far behind what is known as it does behind the input's end.
    assert heard.position - heard.known == 7200
    sound = heard.sound(heard.known - 4800, heard.known)
    assert np.array_equal(sound, player.input.latest(0.1))
    count = len(player.told)
    player.play(np.zeros((2 * RATE, 2), np.float32))
    assert len(player.told) - count <= 2  # silence: the plan is left alone
    player.ears.rest()
    assert player.told[-1] is nothing and player.link.transcript is None


def test_a_note_is_told_at_once_though_an_echo_asks_for_the_sound_all_the_time() -> None:
    player, said = Player(), list[tuple[float, bool]]()
    player.link.configure(1.0, frozen=False, echo=0.5)
    player.link._hear = lambda source, written: said.append((player.input.end / RATE, written))
    sound = notes(8.0)
    for start in range(0, len(sound), 960):
        player.input.write(player.input.end, sound[start : start + 960])
        player.ears.hear()
    strokes = np.arange(1.0, 7.5, 0.5)
    waits = [min(t for t, written in said if written and t > s + 0.02) - s for s in strokes]
    assert max(waits) < 0.16, waits
    assert sum(not written for _, written in said) > 10


def test_frozen_it_keeps_what_was_played() -> None:
    player = Player()
    player.play(notes(2.0))
    player.link.configure(1.0, frozen=True)
    end = player.input.end
    player.play(np.zeros((25 * RATE, 2), np.float32))  # longer than the ring
    heard = player.link.at(player.input.end)
    assert heard is not None and heard.position - heard.known >= 24 * RATE
    assert len(heard.transcript.hits) >= 3
    kept = heard.sound(heard.known - RATE, heard.known)
    assert np.abs(kept).max() > 0.2 and player.input.end > end


def test_what_travels_is_small_and_the_transcript_the_same_as_heard_at_once() -> None:
    player = Player()
    sound = notes(4.0)
    player.ears.hear()
    player.play(sound)
    known = player.link.transcript
    weights = load_ear_weights()
    assert known == transcribe(weights, initial_transcriber(weights), sound).transcript
    assert known is not None and len(known.notes) >= 6 and len(known.chroma) > 30
    assert max(map(len, player.ears.sent)) < 3000
