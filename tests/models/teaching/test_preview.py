"""The preview of a lesson, and the streams in which its mix is measured."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models.engine.controls import Controls
from models.segue.arranger.idiom.idiom import SHAPES, Idiom
from models.segue.arranger.idiom.sounds import SoundIdioms
from models.segue.codec import Codec
from models.sounds.file import LearnedSound
from models.sounds.library import SoundLibrary, base_checksum
from models.storage.weights import WEIGHTS
from models.teaching import preview
from models.teaching.course import Course
from models.teaching.plan import CoursePlan
from models.teaching.preview import APART, MEASURED, PreviewPlayer


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
    player = PreviewPlayer(playing, playing, playing, codec)  # type: ignore[arg-type]
    sound = LearnedSound("mine", "base", np.zeros(128, np.float32))
    player.measures(sound, stream)
    begin = stream * APART
    assert playing.played == list(range(begin + 1, begin + MEASURED + 1))
    assert {dict(each.sounds)["mine"] for each in playing.written} == {1.0}


def test_a_course_plays_in_the_idiom_that_the_engine_will_play(tmp_path: Path) -> None:
    library = SoundLibrary(tmp_path / "sounds")
    course = Course(CoursePlan("mine", ("a.wav",)), folder=tmp_path, library=library)
    assert course._idiom({"mine": 1.0}) is None  # not learned yet
    rng = np.random.default_rng(1)
    parts = {name: rng.uniform(-1, 1, shape).astype(np.float32) for name, shape in SHAPES.items()}
    course._taken = Idiom(**parts).tensors()
    style = np.zeros(128, np.float32)
    library.add(LearnedSound("mine", base_checksum(), style, dict(course._taken)))
    engine = SoundIdioms(library)({"mine": 1.0})
    found = course._idiom({"mine": 1.0})
    assert found is not None and engine is not None
    for name in SHAPES:
        assert np.array_equal(getattr(found, name), getattr(engine, name))
    assert course._idiom({}) is None
