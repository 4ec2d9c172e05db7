"""Notes of a recording: which are found, how sure they are, and which part each belongs to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import SegueError
from models.music.score import FRAME_SECONDS, LOW_PITCH, PARTS
from models.segue.renderer.features import KNOWN
from models.teaching.notes.events import ClearNote, clear_notes, note_events, with_parts
from models.teaching.notes.network import FILE, HOP, RATE, WINDOW, NoteNetwork, frame_time
from models.teaching.transcription import NOTED, HeardScore, hear_notes


@pytest.fixture(scope="module")
def network() -> NoteNetwork:
    return NoteNetwork.load()


def tone(pitch: float, seconds: float, rate: int, partials: int = 6) -> np.ndarray:  # type: ignore[type-arg]
    time = np.arange(round(seconds * rate)) / rate
    hertz = 440.0 * 2 ** ((pitch - 69) / 12)
    wave = sum(np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, partials + 1))
    return np.asarray(0.2 * wave * np.exp(-2.0 * time), np.float32)


def test_notes_of_several_voices_are_found_where_they_are(network: NoteNetwork) -> None:
    played = [(0.5, 40), (0.5, 60), (0.5, 64), (1.5, 67), (1.5, 43), (2.3, 72)]
    sound = np.zeros((4 * 48_000, 2), np.float32)
    for start, pitch in played:
        wave = tone(pitch, 0.7, 48_000)
        sound[round(start * 48_000) :][: len(wave)] += wave[:, None]
    notes = hear_notes(network, sound)
    for start, pitch in played:
        near = [row for row in notes if row[3] == pitch and abs(row[0] - start) < 0.06]
        assert len(near) == 1 and 0.2 < near[0][1] - near[0][0] < 1.0, (start, pitch)
    assert len(notes) <= len(played) + 2
    assert {int(row[2]) for row in notes if row[3] < 50} == {PARTS.index("bass")}


@pytest.mark.parametrize("seconds", [0.0, 0.3, 3.0])
def test_silence_has_no_notes(network: NoteNetwork, seconds: float) -> None:
    sounds, begins = network.hear(np.zeros(round(seconds * RATE), np.float32))
    assert sounds.shape == begins.shape == (round(seconds * RATE) // HOP, 88)
    assert hear_notes(network, np.zeros((round(seconds * 48_000), 2), np.float32)).shape == (0, 5)
    assert clear_notes(sounds, begins) == ()


def test_windows_do_not_depend_on_each_other(network: NoteNetwork) -> None:
    tones = [tone(pitch, WINDOW / RATE, RATE) for pitch in (60, 65)]
    sound = torch.from_numpy(np.stack(tones))
    together, alone = network.windows(sound), network.windows(sound[1:])
    assert all(torch.allclose(a[1:], b, atol=1e-3) for a, b in zip(together, alone, strict=True))


def test_frames_follow_each_other_across_windows() -> None:
    times = [frame_time(frame) for frame in range(1000)]
    steps = np.diff(times)
    assert (steps > 0).all() and steps.max() <= HOP / RATE + 1e-9
    assert times[142] == pytest.approx((WINDOW - 30 * HOP) / RATE)


def likelihoods(*notes: tuple[int, int, int, float, float]) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """(note, first frame, last frame, how likely it sounds, how likely it begins) of each."""
    sounds, begins = np.zeros((2, 120, 88), np.float32)
    for note, first, last, likely, onset in notes:
        sounds[first:last, note] = likely
        begins[first, note] = onset
    return sounds, begins


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ([(39, 10, 60, 0.8, 0.9)], [(60, 10, 60)]),
        ([(39, 10, 60, 0.8, 0.4)], []),  # no clear onset
        ([(39, 10, 60, 0.35, 0.9)], []),  # not sure enough
        ([(39, 10, 14, 0.8, 0.9)], []),  # too short
        ([(39, 10, 60, 0.8, 0.9), (39, 40, 80, 0.8, 0.9)], [(60, 10, 40), (60, 40, 80)]),
        ([(39, 10, 40, 0.8, 0.9), (39, 45, 70, 0.8, 0.2)], [(60, 10, 70)]),  # a short gap
        ([(39, 10, 30, 0.8, 0.9), (39, 45, 70, 0.8, 0.2)], [(60, 10, 30)]),  # a long one
        ([(39, 10, 60, 0.8, 0.9), (40, 20, 50, 0.5, 0.6)], [(60, 10, 20), (61, 20, 50)]),
    ],
)
def test_what_counts_as_a_note(
    notes: list[tuple[int, int, int, float, float]], expected: list[tuple[int, int, int]]
) -> None:
    found = clear_notes(*likelihoods(*notes))
    assert [note.pitch for note in found] == [pitch for pitch, _, _ in expected]
    for note, (_, first, last) in zip(found, expected, strict=True):
        assert (note.start, note.stop) == (frame_time(first), frame_time(last))
        assert 0.4 <= note.confidence <= 1.0


@pytest.mark.parametrize(
    ("pitches", "parts"),
    [
        ([60], ["lead"]),
        ([36], ["bass"]),
        ([36, 60, 64, 67], ["bass", "chords", "chords", "chords"]),
        ([36, 60, 64, 76], ["bass", "chords", "chords", "lead"]),
        ([40, 45], ["bass", "lead"]),
    ],
)
def test_the_part_of_a_note(pitches: list[int], parts: list[str]) -> None:
    notes = [ClearNote(1.0, 2.0, pitch, 0.8) for pitch in pitches]
    assert [note.part for note in with_parts(notes)] == parts


def test_a_transcription_tells_the_renderer_its_notes() -> None:
    clear = (ClearNote(0.4, 0.8, 40, 0.9, "bass"), ClearNote(8.0, 8.4, 72, 0.4, "lead"))
    events = note_events(clear)
    assert events["velocity"].tolist() == [110, 50]
    notes = np.stack([np.asarray(events[name], np.float32) for name in events.dtype.names or ()], 1)
    frames = 250
    zeros = np.zeros(frames, np.float32)
    heard = HeardScore(
        np.zeros((frames, 12), np.float32), np.zeros((frames, 4), np.float32),
        np.zeros((frames, 2), np.float32), zeros + 120, zeros, notes,
        np.zeros((frames, 4), np.float32), np.zeros(0, np.float32),
    )  # fmt: skip
    score = heard.score(slice(5, 205))
    bass, first = score.sustain[0, :, 0, 40 - LOW_PITCH], round(0.4 / FRAME_SECONDS) - 5
    assert (bass > 0.01).nonzero().flatten().tolist() == list(range(first, first + 10))
    assert int(score.onset[0, first, 0, 40 - LOW_PITCH]) == 1
    assert int(score.age[0, first + 3, 0, 40 - LOW_PITCH]) == 3
    lead = score.sustain[0, :, 2, 72 - LOW_PITCH]
    assert int((lead > 0.01).sum()) == 5  # what of it lies in the span
    known = score.known[0]
    assert known.shape == (200, KNOWN)
    # Around the notes they are known, in between not; drums and instruments never.
    for part in range(KNOWN):
        told = known[:, part]
        assert bool(told[10]) == (part in NOTED), part
        assert not bool(told[100]), part


@pytest.mark.parametrize("content", [None, b"damaged"])
def test_a_missing_or_damaged_network_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(SegueError, match="get Segue's folder again"):
        NoteNetwork.load(tmp_path)
