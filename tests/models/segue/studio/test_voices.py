"""Which notes sound: the rules of starting, stopping, damping and sliding, as a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from models.music.score import DRUMS, SAMPLE_RATE
from models.segue.studio.bank import Bank
from models.segue.studio.block import BLOCK
from models.segue.studio.voices import MAX_VOICES, OPEN, Motion, SamplerVoice, Tones, follow

SECONDS = BLOCK / SAMPLE_RATE


@dataclass(frozen=True)
class N:
    on: float
    off: float
    part: int
    pitch: int
    velocity: int = 96
    open: bool = False


@pytest.fixture(scope="module")
def bank() -> Bank:
    return Bank()


def voices_after(
    bank: Bank, blocks: list[list[N]], sound: str, part: int = 3
) -> list[tuple[SamplerVoice, ...]]:
    voices: tuple[SamplerVoice, ...] = ()
    out = []
    for block, notes in enumerate(blocks):
        voices = follow(voices, notes, {part: sound}, bank, block * BLOCK, BLOCK, 5)
        out.append(voices)
    return out


def test_a_note_is_held_until_its_end_is_known(bank: Bank) -> None:
    growing = [[N(0.01, 0.1, 3, 60, open=True)], [N(0.01, 0.2, 3, 60, open=True)],
               [N(0.01, 0.2, 3, 60)]]  # fmt: skip
    first, second, third = voices_after(bank, growing, "flute")
    assert first[0].stop == second[0].stop == OPEN
    assert third[0].stop == round(0.196 * SAMPLE_RATE)


def test_a_note_that_vanishes_is_let_go_at_once(bank: Bank) -> None:
    _, after = voices_after(bank, [[N(0.01, 0.5, 3, 60)], []], "flute")
    assert after[0].stop == BLOCK


def test_a_note_is_not_begun_twice(bank: Bank) -> None:
    note = N(0.01, 0.5, 3, 60)
    _, _, after = voices_after(bank, [[note], [note], [note]], "flute")
    assert len(after) == 1


def test_a_late_note_begins_in_the_block_it_lies_in(bank: Bank) -> None:
    late = N(SECONDS + 0.005, 0.5, 3, 60)
    first, second = voices_after(bank, [[late], [late]], "flute")
    assert first == () and second[0].start == round(late.on * SAMPLE_RATE)


def test_a_part_without_a_player_begins_nothing(bank: Bank) -> None:
    assert follow((), [N(0.01, 0.5, 2, 60)], {3: "flute"}, bank, 0, BLOCK, 5) == ()


def test_a_string_struck_again_is_damped_and_one_that_dies_is_left_alone(bank: Bank) -> None:
    notes = [N(0.0, 0.6, 3, 60, open=True), N(0.05, 0.6, 3, 60, open=True)]
    after = voices_after(bank, [notes], "piano")[0]
    old, new = sorted(after, key=lambda voice: voice.start)
    assert old.stop == new.start and old.release <= 0.06
    dying = SamplerVoice(0.0, 3, 60, 96, "piano", 0, 100, 0.22, 60, 1)
    again = follow((dying,), [N(0.05, 0.6, 3, 60)], {3: "piano"}, bank, 0, BLOCK, 5)
    assert dying in again


def test_a_closed_hat_chokes_the_open_one(bank: Bank) -> None:
    hat, opened = DRUMS.index("hat"), DRUMS.index("open_hat")
    hits = [N(0.0, 0.05, 0, opened), N(0.05, 0.1, 0, hat)]
    after = voices_after(bank, [hits], "acoustic", 0)[0]
    open_voice = next(voice for voice in after if voice.pitch == opened)
    assert open_voice.stop == round(0.05 * SAMPLE_RATE) and open_voice.release < 0.05
    ride = next(v for v in voices_after(bank, [[N(0.0, 0.05, 0, DRUMS.index("ride")), hits[1]]],
                                        "acoustic", 0)[0] if v.pitch != hat)  # fmt: skip
    assert ride.stop == OPEN


@pytest.mark.parametrize(("sound", "slides"), [("synth_bass", True), ("acoustic_bass", False)])
def test_slurred_notes_slide_where_the_instrument_does(
    bank: Bank, sound: str, slides: bool
) -> None:
    notes = [N(0.0, 0.05, 1, 36), N(0.05, 0.5, 1, 43)]
    after = follow((), notes, {1: sound}, bank, 0, BLOCK, 5)
    new = max(after, key=lambda voice: voice.start)
    assert new.slide == (36 if slides else 43)


def test_there_is_an_end_to_voices(bank: Bank) -> None:
    notes = [N(0.001 * k, 9.0, 2, 40 + k, open=True) for k in range(MAX_VOICES + 9)]
    after = follow((), notes, {2: "harp"}, bank, 0, BLOCK, 5)
    assert sum(voice.stop == OPEN for voice in after) == MAX_VOICES


def rendered(bank: Bank, note: N, sound: str, blocks: int = 14) -> np.ndarray:
    tones, out = Tones(bank), []
    voices: tuple[SamplerVoice, ...] = ()
    for block in range(blocks):
        start = block * BLOCK
        voices = follow(voices, [note], {note.part: sound}, bank, start, BLOCK, 5)
        x = np.zeros((2, BLOCK), np.float32)
        for voice in voices:
            tones.add(x, voice, start, Motion(0.0, 1e-5))
        voices = tuple(v for v in voices if not tones.ended(v, start + BLOCK))
        out.append(x)
    assert voices == (), "a note hangs"
    return np.concatenate(out, axis=1)


@pytest.mark.parametrize("sound", ["flute", "piano", "organ", "trumpet", "saw_lead", "violin"])
def test_a_note_is_in_tune_and_ends(bank: Bank, sound: str) -> None:
    x = rendered(bank, N(0.02, 0.7, 3, 69), sound, 16)[:, 9600:28_000].mean(0).astype(np.float64)
    size = 1 << 18
    power = np.abs(np.fft.rfft(x * np.hanning(len(x)), size))
    hertz = np.arange(len(power)) * SAMPLE_RATE / size
    # The comb of harmonics that takes most: 440 Hz within ten cents.
    tries = 440 * 2 ** (np.arange(-60, 61) / 1200)
    scores = [sum(np.interp(f * h, hertz, power) for h in range(1, 7)) for f in tries]
    assert abs(int(np.argmax(scores)) - 60) <= 12


def test_a_hit_is_not_like_the_one_before(bank: Bank) -> None:
    kick = DRUMS.index("kick")
    takes = [rendered(bank, N(0.08 * k, 0.08 * k + 0.05, 0, kick), "tr909", 30) for k in range(4)]
    cut = [t[:, 3840 * k : 3840 * k + 9600] for k, t in enumerate(takes)]
    pairs = [(a, b) for a in range(4) for b in range(a)]
    assert all(not np.array_equal(cut[a], cut[b]) for a, b in pairs)
