"""Prompts of the command line, audio prompts from files, and their blend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from models import SegueError, blend
from models.engine.prompts import (
    ENDING_SECONDS,
    PROMPT_SECONDS,
    Prompt,
    PromptEmbedder,
    load_audio,
    load_ending,
    parse_prompt,
)
from tests.support.tone_engine import ToneEngine

NOISE = np.random.default_rng(1).uniform(-0.5, 0.5, (48_000, 2))


@pytest.mark.parametrize(
    ("argument", "prompt"),
    [
        ("minimal techno", Prompt(text="minimal techno")),
        ("flute=0.5", Prompt(text="flute", weight=0.5)),
        ("flute=0", Prompt(text="flute", weight=0.0)),
        ("a=b=2", Prompt(text="a=b", weight=2.0)),
        ("e=mc2", Prompt(text="e=mc2")),
        ("loop.wav", Prompt(audio="loop.wav")),
        ("My Loop.MP3=2", Prompt(audio="My Loop.MP3", weight=2.0)),
    ],
)
def test_a_prompt_is_read_as_it_is_written(argument: str, prompt: Prompt) -> None:
    assert parse_prompt(argument) == prompt


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("", "the prompt is empty"),
        ("   ", "the prompt is empty"),
        ("=1", "the prompt is empty"),
        ("flute=nan", "the weight of 'flute' is nan: give a number of 0 or more"),
        ("flute=inf", "the weight of 'flute' is inf"),
        ("flute=-1", "the weight of 'flute' is -1"),
    ],
)
def test_a_prompt_that_cannot_be_is_refused(argument: str, words: str) -> None:
    with pytest.raises(SegueError, match=words):
        parse_prompt(argument)


def test_a_prompt_is_text_or_audio() -> None:
    with pytest.raises(SegueError, match="either text or audio"):
        Prompt()
    with pytest.raises(SegueError, match="either text or audio"):
        Prompt(text="a", audio="b.wav")


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_audio_prompts_of_every_kind_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"prompt.{suffix}"
    soundfile.write(path, NOISE, 48_000)
    samples, rate = load_audio(path)
    assert rate == 48_000
    assert samples.dtype == np.float32
    assert samples.shape[1] == 2
    assert abs(len(samples) - 48_000) < 5000


def test_only_the_first_minute_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(NOISE[:8000, 0], 70), 8_000)
    samples, rate = load_audio(path)
    assert len(samples) == PROMPT_SECONDS * rate


def test_audio_that_cannot_be_a_prompt_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("this is not sound")
    soundfile.write(tmp_path / "one.wav", NOISE[:1], 48_000)
    soundfile.write(tmp_path / "silent.wav", NOISE * 0, 48_000)
    for name, words in [
        ("none.wav", "there is no file"),
        ("text.wav", r"cannot be read as audio \(Format not recognised\): give a WAV"),
        ("one.wav", r"one\.wav: the audio prompt lasts 2.1e-05 s: give at least 0.5 s"),
        ("silent.wav", "silent"),
    ]:
        with pytest.raises(SegueError, match=words):
            load_audio(tmp_path / name)


def test_the_book_mixes_by_weight_and_embeds_each_prompt_once(tmp_path: Path) -> None:
    asked: list[str] = []

    class Counting(ToneEngine):
        def embed_text(self, text: str) -> np.ndarray:
            asked.append(text)
            return super().embed_text(text)

    engine = Counting()
    book = PromptEmbedder(engine)
    prompts = [Prompt(text="a"), Prompt(text="b", weight=3), Prompt(text="c", weight=0)]
    expected = blend([engine.embed_text("a"), engine.embed_text("b")], [1, 3])
    asked.clear()
    for _ in range(2):
        mixed = book.mix(prompts)
        assert mixed is not None
        assert np.array_equal(mixed, expected)
    assert asked == ["a", "b"]
    assert book.mix([]) is None
    with pytest.raises(SegueError, match="all prompt weights are zero"):
        book.mix([Prompt(text="a", weight=0)])


def test_relative_audio_starts_at_the_given_folder(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "p.wav", NOISE, 48_000)
    book = PromptEmbedder(ToneEngine(), tmp_path)
    assert book.mix([Prompt(audio="p.wav")]) is not None
    with pytest.raises(SegueError, match="there is no file"):
        PromptEmbedder(ToneEngine(), tmp_path / "elsewhere").mix([Prompt(audio="p.wav")])


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_the_end_of_a_file_is_its_end(tmp_path: Path, name: str) -> None:
    """The end of compressed files, which cannot be seeked exactly."""
    seconds = 20
    swell = np.linspace(0.1, 0.9, 48_000 * seconds)[:, None]
    tone = np.sin(np.arange(48_000 * seconds) * 0.05)[:, None] * swell
    soundfile.write(tmp_path / name, np.repeat(tone, 2, axis=1), 48_000)
    whole = soundfile.read(tmp_path / name, dtype="float32", always_2d=True)[0]
    ending, rate = load_ending(tmp_path / name)
    assert rate == 48_000 and len(ending) == ENDING_SECONDS * rate
    assert np.abs(ending[4800:] - whole[-len(ending) + 4800 :]).max() < 0.01


def test_a_short_file_is_its_own_end(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", NOISE, 48_000, "FLOAT")
    assert np.allclose(load_ending(tmp_path / "a.wav")[0], NOISE, atol=1e-6)
    with pytest.raises(SegueError, match="there is no file"):
        load_ending(tmp_path / "b.wav")
