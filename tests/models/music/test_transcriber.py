"""The transcriber: a sung line, a beat, and blocks of any size."""

from __future__ import annotations

import numpy as np

from models.music.hearing.transcriber import initial_transcriber, transcribe, transcript_of
from models.music.hearing.transcript import HeardNote, Transcript
from models.music.hearing.transcript_change import CHAIN, TranscriptKeeper
from models.music.score import SAMPLE_RATE
from models.music.tracking.weights import load_ear_weights

LINE = ((60, 0.4), (62, 0.4), (64, 0.3), (64, 0.3), (67, 0.5), (48, 0.5), (72, 0.3))


def sung(line: tuple[tuple[int, float], ...], seed: int = 0) -> np.ndarray:
    """A voice with vibrato that slides into its notes, (n,)."""
    rng, parts, phase = np.random.default_rng(seed), [], 0.0
    for midi, seconds in line:
        at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        vibrato = 0.25 * np.sin(2 * np.pi * 5.5 * at) * np.clip((at - 0.15) / 0.2, 0, 1)
        pitch = midi + vibrato - 0.6 * np.exp(-at / 0.03)
        turns = phase + np.cumsum(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12)) / SAMPLE_RATE
        phase = float(turns[-1])
        voice = sum(np.sin(k * turns) / k**1.3 for k in range(1, 9))
        fade = np.clip(at / 0.03, 0, 1) * np.clip((seconds - at) / 0.05, 0, 1)
        parts.append(0.15 * voice * fade + 0.002 * rng.standard_normal(len(at)))
    return np.concatenate(parts)


def beat(steps: str, seconds: float = 0.25, seed: int = 1) -> np.ndarray:
    """Kicks (k), snares (s) and hats (h), one a step, (n,)."""
    rng, size = np.random.default_rng(seed), round(seconds * SAMPLE_RATE)
    out = 0.001 * rng.standard_normal(len(steps) * size)
    at = np.arange(size) / SAMPLE_RATE
    noise = rng.standard_normal(size)
    low = np.convolve(noise, np.ones(12) / 12, "same")
    sounds = {
        "k": 0.7 * np.sin(2 * np.pi * (50 * at + 2.7 * (1 - np.exp(-at / 0.03)))),
        "s": 1.2 * low,
        "h": 0.25 * np.diff(noise, prepend=0.0),
    }
    fall = {"k": 0.06, "s": 0.04, "h": 0.015}
    for index, step in enumerate(steps):
        if step in sounds:
            out[index * size : (index + 1) * size] += sounds[step] * np.exp(-at / fall[step])
    return out


def test_sung_notes_are_written_within_a_semitone_and_40_ms() -> None:
    transcript = transcript_of(load_ear_weights(), sung(LINE))
    starts = np.cumsum([0.0, *(seconds for _, seconds in LINE)])[:-1]
    right = 0
    for (midi, _), start in zip(LINE, starts, strict=True):
        right += any(
            abs(note.pitch - midi) < 0.5 and abs(note.start - start) < 0.04
            for note in transcript.notes
        )
    assert right == len(LINE) and len(transcript.notes) == len(LINE)


def test_a_beat_is_told_by_its_sounds() -> None:
    pattern = "khshkhshkkshk.s."
    transcript = transcript_of(load_ear_weights(), beat(pattern))
    kinds = {"k": "low", "s": "mid", "h": "high"}
    given = [(0.25 * i, kinds[step]) for i, step in enumerate(pattern) if step in kinds]
    heard = [(hit.time, hit.kind) for hit in transcript.hits]
    assert len(heard) == len(given)
    assert all(abs(a - b) < 0.02 for (a, _), (b, _) in zip(heard, given, strict=True))
    assert sum(a == b for (_, a), (_, b) in zip(heard, given, strict=True)) >= len(given) - 1
    assert not transcript.notes


def test_blocks_of_any_size_give_the_same() -> None:
    weights, sound = load_ear_weights(), sung(LINE[:3])
    whole = transcribe(weights, initial_transcriber(weights), sound).transcript
    state, at = initial_transcriber(weights), 0
    for size in (1, 479, 4801, 20_000, 60_000):
        state = transcribe(weights, state, sound[at : at + size])
        at += size
    assert state.transcript == whole


def test_a_transcript_knows_what_sounded_when() -> None:
    transcript = Transcript(4.0, (HeardNote(1.0, 1.5, 60.0), HeardNote(2.0, 3.0, 62.0)))
    assert transcript.note_at(1.2) == transcript.notes[0]
    assert transcript.note_at(1.6) is None and transcript.note_at(0.5) is None
    assert [note.pitch for note in transcript.notes_from(1.5, 2.5)] == [62.0]
    assert not transcript.chroma_between(0.0, 1.0).any()


def swelling(line: tuple[tuple[int, float], ...], swell: float = 0.16) -> np.ndarray:
    """Notes that swell for `swell` seconds while the one before fades as long, (n,)."""
    total = sum(seconds for _, seconds in line) + 1.0
    out, start = np.zeros(round(total * SAMPLE_RATE)), 0.0
    for midi, seconds in line:
        at = np.arange(round((seconds + swell) * SAMPLE_RATE)) / SAMPLE_RATE
        turns = 2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * at
        voice = sum(np.sin(k * turns + k) / k**1.3 for k in range(1, 9))
        fade = np.clip(at / swell, 0, 1) * np.clip((seconds + swell - at) / swell, 0, 1)
        first = round(start * SAMPLE_RATE)
        out[first : first + len(at)] += 0.15 * voice * fade
        start += seconds
    return out + 0.0005 * np.random.default_rng(3).standard_normal(len(out))


def test_a_note_that_swells_under_another_begins_where_that_is_left() -> None:
    line = ((67, 0.6), (62, 0.6), (60, 0.6), (69, 0.6), (64, 0.6), (72, 0.6), (67, 0.6))
    notes = transcript_of(load_ear_weights(), swelling(line)).notes
    assert [round(note.pitch) for note in notes] == [midi for midi, _ in line]
    late = [note.start - 0.6 * number for number, note in enumerate(notes)]
    assert max(late[1:]) < 0.08 and np.mean(late[1:]) < 0.05  # the fades cross after 0.08


def test_the_octave_of_an_attack_is_no_note() -> None:
    sound = sung(((60, 0.4), (64, 0.4), (67, 0.4)))
    at = np.arange(round(0.09 * SAMPLE_RATE)) / SAMPLE_RATE
    chiff = 0.5 * np.sin(2 * np.pi * 440 * 2 ** ((76 - 69) / 12) * at)
    first = round(0.4 * SAMPLE_RATE)
    sound[first : first + len(at)] += chiff * np.clip((0.09 - at) / 0.04, 0, 1)
    notes = transcript_of(load_ear_weights(), sound).notes
    assert [round(note.pitch) for note in notes] == [60, 64, 67]
    assert abs(notes[1].start - 0.4) < 0.04


def test_transcripts_that_follow_one_another_are_kept_by_what_is_new() -> None:
    weights = load_ear_weights()
    sound, state, given = sung(LINE), initial_transcriber(weights), []
    for start in range(0, len(sound), 3840):
        state = transcribe(weights, state, sound[start : start + 3840])
        given.append(state.transcript)
    assert len(given) > CHAIN + 3
    given.insert(10, Transcript())  # it listens afresh
    keeper = TranscriptKeeper()
    kept = [keeper.keep(transcript) for transcript in given]
    assert [each.transcript() for each in kept] == given
    assert keeper.keep(given[-1]) is kept[-1]
    grown = [len(each.change.chroma.new) for each in kept[11 : CHAIN - 2]]
    assert max(grown[1:]) <= 1  # a chroma comes each 100 ms, and no older one is kept again
