"""The preview of a lesson, and the streams in which its mix is measured."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models.engine.controls import Controls
from models.errors import SegueError
from models.segue.arranger.idiom.idiom import SHAPES, Idiom
from models.segue.arranger.idiom.sounds import SoundIdioms
from models.segue.codec import Codec
from models.sounds.file import LearnedSound, SoundPiece
from models.sounds.library import SoundLibrary, base_checksum
from models.sounds.pieces import Turn, alone
from models.storage.weights import WEIGHTS
from models.teaching import preview
from models.teaching.course import Course
from models.teaching.plan import CoursePlan
from models.teaching.preview import APART, MEASURED, PreviewPlayer, SoundOnTrial


class Playing:
    """An arranger and a renderer that note what they are asked for."""

    def __init__(self, latent_dim: int) -> None:
        self.config = SimpleNamespace(latent_dim=latent_dim)
        self.written: list[Controls] = []
        self.played: list[int] = []

    def start(self, seed: int) -> int:
        return 0

    def block(self, *given: object) -> tuple[object, ...]:
        if isinstance(given[2], Controls):
            self.written.append(given[2])
            return len(self.written), given[0], None
        assert isinstance(given[1], int)
        self.played.append(given[1])
        return torch.zeros(6, self.config.latent_dim), given[0]


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.load(WEIGHTS / "codec.safetensors")


@pytest.mark.parametrize("stream", [0, 3])
def test_each_stream_is_measured_in_another_place_and_in_the_idiom(
    monkeypatch: pytest.MonkeyPatch, codec: Codec, stream: int
) -> None:
    playing = Playing(codec.latent_dim)
    monkeypatch.setattr(preview, "adapted", lambda *given: playing)
    monkeypatch.setattr(preview, "score_batch", lambda score, age: (score, age))
    monkeypatch.setattr(preview, "turn_of", lambda state: Turn())
    trial = SoundOnTrial()
    player = PreviewPlayer(playing, playing, playing, codec, trial)  # type: ignore[arg-type]
    sound = LearnedSound("mine", "base", np.zeros(128, np.float32))
    player.stream(sound, 5, stream)
    assert trial.kept("mine") is sound
    begin = stream * APART
    assert playing.played == list(range(begin + 1, begin + MEASURED + 1))
    assert {dict(each.sounds)["mine"] for each in playing.written} == {1.0}


def sounds_of(tmp_path: Path) -> tuple[LearnedSound, LearnedSound]:
    """A sound of two pieces, and the second of them alone."""
    rng = np.random.default_rng(1)

    def idiom() -> Idiom:
        return Idiom(**{n: rng.uniform(-1, 1, s).astype(np.float32) for n, s in SHAPES.items()})

    styles = np.eye(2, 128, dtype=np.float32)
    pieces = tuple(
        SoundPiece((f"{number}.wav",), 60.0, style, idiom().tensors())
        for number, style in enumerate(styles)
    )
    whole = LearnedSound("mine", base_checksum(), styles.mean(0), idiom().tensors(), pieces=pieces)
    return whole, alone(whole, pieces[1])


def test_a_course_plays_in_the_idiom_that_the_engine_will_play(tmp_path: Path) -> None:
    library = SoundLibrary(tmp_path / "sounds")
    course = Course(CoursePlan("mine", ("a.wav",)), folder=tmp_path, library=library)
    whole, second = sounds_of(tmp_path)
    library.add(whole)
    in_engine = SoundIdioms(library)
    turns = [Turn(number) for number in range(6)]
    course._trial.sound = whole
    in_course = course._arranger._idioms
    assert in_course({}, turns[0]) is None
    seen = set()
    for turn in turns:
        found, engine = in_course({"mine": 1.0}, turn), in_engine({"mine": 1.0}, turn)
        assert found is not None and engine is not None
        assert all(np.allclose(getattr(found, n), getattr(engine, n), atol=1e-3) for n in SHAPES)
        seen.add(found.onsets.tobytes())
    assert len(seen) == 2
    course._trial.sound = second
    alone_now = {in_course({"mine": 1.0}, turn).onsets.tobytes() for turn in turns}  # type: ignore[union-attr]
    assert len(alone_now) == 1 and alone_now < seen
    with pytest.raises(SegueError, match="other"):
        in_course({"other": 1.0}, turns[0])
