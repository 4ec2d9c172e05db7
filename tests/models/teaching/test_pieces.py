"""Pieces of a course: which files make one, and what arranger and studio take on of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from models.music.score import PARTS, SAMPLE_RATE
from models.segue.arranger.idiom.counts import MusicCounts
from models.segue.arranger.idiom.idiom import idiom_of, learned_idiom
from models.segue.codec.bands import scaled
from models.segue.learned_mix import RENDERER, STUDIO, MixChange, mix_change_of
from models.segue.room import DRY, Room, contrasts, in_room
from models.teaching import taken as module
from models.teaching.lesson import Study
from models.teaching.own_playing import OwnPlaying
from models.teaching.pieces import TaughtPiece, mean_style, named, pieces_of
from models.teaching.store import EncodedFile
from models.teaching.taken import (
    Taken,
    learn_taken,
    mixes_of,
    played_mixes,
    read_taken,
    stream_of,
    write_taken,
)
from models.teaching.transcription import HeardScore


def file_of(name: str, axis: int, seconds: float = 60.0, minutes: int = 1) -> EncodedFile:
    """A file whose style lies near an axis of the style space."""
    styles = np.zeros((minutes, 128), np.float32)
    styles[:, axis] = 1.0
    styles[:, 100] = 0.01 * len(name)
    mix, ringing = np.full((3, 16), axis, np.float32), np.full((2, 3), axis, np.float32)
    return EncodedFile(name, (), styles, seconds, mix, ringing)


def test_each_file_is_a_piece_until_there_are_too_many() -> None:
    files = [file_of(f"{axis}{copy}.wav", axis) for copy in "abc" for axis in range(4)]
    assert [piece.names for piece in pieces_of(files[:3])] == [(f.name,) for f in files[:3]]
    found = pieces_of(files, most=4)
    assert [piece.names for piece in found] == [
        tuple(f"{axis}{copy}.wav" for copy in "abc") for axis in range(4)
    ]
    for axis, piece in enumerate(found):
        assert piece.seconds == 180.0 and piece.mix.shape == (9, 16)
        assert piece.contrasts.shape == (6, 3)
        assert piece.style[axis] == pytest.approx(1.0)
    assert "4 pieces" in named(found) and "0a and 2 more" in named(found)
    assert named(found[:1]).startswith("learned as one piece")


def test_a_short_file_joins_the_nearest_piece() -> None:
    short = file_of("short.wav", 1, seconds=5.0)
    names = [piece.names for piece in pieces_of([short, file_of("a.wav", 0), file_of("b.wav", 1)])]
    assert names == [("short.wav", "b.wav"), ("a.wav",)]
    assert len(pieces_of([short, short])) == 1


def test_each_minute_counts_once() -> None:
    style = mean_style([file_of("a", 0, minutes=3), file_of("b", 1)])
    assert style[0] == pytest.approx(0.75) and style[1] == pytest.approx(0.25)


def heard(rate: int, late: float = 0.0) -> HeardScore:
    """A score of sure bars of two seconds, with so many onsets in each, so many seconds late."""
    frames = 1000
    beats = (np.arange(frames) + 0.5) * 0.04 * 2 / 4
    phase = 2 * np.pi * beats
    beat = np.stack([np.zeros(frames), np.zeros(frames), np.sin(phase), np.cos(phase)], 1)
    harmony = np.tile(np.array([-1, -1, -1, 4], np.float32), (frames, 1))
    onsets = np.concatenate(
        [bar + late + np.arange(rate) * 2 / rate for bar in np.arange(0, 38, 2.0)]
    )
    notes = np.array([[0.0, 30.0, PARTS.index("lead"), 60, 90]], np.float32)
    return HeardScore(
        np.zeros((frames, 12), np.float32), beat.astype(np.float32),
        np.ones((frames, 2), np.float32), np.full(frames, 120, np.float32),
        np.zeros(frames, np.float32), notes, harmony, onsets.astype(np.float32),
    )  # fmt: skip


def test_each_piece_has_an_idiom_and_a_mix_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    own = OwnPlaying(
        MusicCounts(onsets=np.full(16, 20.0), bars=40.0), np.full((4, 16), 1.0, np.float32)
    )
    asked = []

    def playing(
        weights: object, listener: object, styles: list[np.ndarray], streams: int, going: object
    ) -> list[OwnPlaying]:
        asked.append((len(styles), streams))
        return [own for _ in styles]

    monkeypatch.setattr(module, "own_playing", playing)
    studies = {"early": heard(4), "late": heard(8, 0.25)}
    files = [
        EncodedFile(name, (Study(np.zeros((1000, 8), np.float32), one),),
                    file_of(name, axis).styles, 40.0, np.full((8, 16), 4.0 * axis, np.float32),
                    np.zeros((8, 3), np.float32))
        for axis, (name, one) in enumerate(studies.items())
    ]  # fmt: skip
    taken = learn_taken(pieces_of(files), Path(), None, lambda share: True)  # type: ignore[arg-type]
    assert taken is not None and asked == [(2, 2)]
    early, whole, late = (
        idiom.onsets
        for each in (taken.pieces[0], taken.whole, taken.pieces[1])
        if (idiom := idiom_of(each)) is not None
    )
    # Where in the bar is each piece's own, how much is that of all of them.
    assert early[0] - early[2] > late[0] - late[2] + 0.3
    assert early.mean() == pytest.approx(whole.mean(), abs=0.01)
    assert late.mean() == pytest.approx(whole.mean(), abs=0.01)
    mixes = [mix_change_of(each, STUDIO) for each in taken.pieces]
    found = [mix.width_db for mix in mixes if mix is not None]
    assert found == pytest.approx([-1.0, 3.0], abs=0.3)


def test_what_is_taken_on_is_kept(tmp_path: Path) -> None:
    change = MixChange(np.linspace(-2, 2, 15, dtype=np.float32), 1.5)
    tensors = learned_idiom(MusicCounts(), MusicCounts()).tensors()
    taken = Taken(tensors, (tensors, tensors)).with_mixes(change, [change, change], STUDIO)
    path = tmp_path / "idiom.safetensors"
    write_taken(taken, path, "a")
    again = read_taken(path, "a")
    assert again is not None and len(again.pieces) == 2
    for each in (again.whole, *again.pieces):
        mix = mix_change_of(each, STUDIO)
        assert mix is not None and mix.width_db == 1.5 and idiom_of(each) is not None
    assert read_taken(path, "b") is None
    save_file(dict(tensors), path, {"source": "a"})  # of before there were pieces
    assert read_taken(path, "a") is None
    save_file({"x": np.zeros(1)}, path, {"source": "a", "pieces": "1"})
    assert read_taken(path, "a") is None


def test_the_mix_of_all_and_of_each() -> None:
    pieces = pieces_of([file_of("a", 2), file_of("b", 6)])
    whole, own = mixes_of(pieces, [np.zeros((2, 16), np.float32)] * 2)
    assert whole.width_db == pytest.approx(4.0, abs=0.5)
    assert [each.width_db for each in own] == pytest.approx([2.0, 6.0], abs=0.3)
    assert "mix.renderer.width" in whole.tensors(RENDERER)


def test_the_room_is_heard_after_the_equaliser() -> None:
    rng = np.random.default_rng(2)
    time = np.arange(12 * SAMPLE_RATE) / SAMPLE_RATE
    strokes = rng.standard_normal((len(time), 2)) * np.exp(-30 * (time % 0.4))[:, None]
    stream = stream_of((0.1 * strokes).astype(np.float32))
    assert stream.mix.shape == (1, 16) and len(stream.bands) == 1200
    # Far from any level at which the equaliser does nothing: the highs alone are quiet.
    music = replace(file_of("a", 0), mix=stream.mix - np.linspace(0, 7, 16, dtype=np.float32))

    def piece(rows: np.ndarray) -> TaughtPiece:  # type: ignore[type-arg]
        return TaughtPiece((replace(music, contrasts=rows),), music.styles[0])

    whole, _ = mixes_of([piece(contrasts(stream.bands))], [stream.mix])
    equalised = scaled(stream.bands, whole.gains)
    ringing = contrasts(in_room(equalised, Room(0.1, 2.0), None)[0])
    mix, (each,) = played_mixes([piece(ringing)], [[stream]])
    assert mix.room == each.room == Room(0.1, 2.0)
    dry, _ = played_mixes([piece(contrasts(equalised))], [[stream]])
    assert dry.room == DRY
    silent = stream_of(np.zeros((6 * SAMPLE_RATE, 2), np.float32))
    mix, (each,) = played_mixes([piece(ringing)], [[silent]])
    assert mix.room == each.room == DRY
