"""Style model: text, audio preparation, and errors."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.errors import SegueError
from models.segue.style import StyleModel, anchors, terms
from models.segue.style.audio_tower import AudioTower, mel_power, normalise_level, split_windows
from models.segue.style.model import to_mono
from models.segue.style.sentence_encoder import (
    TOKENIZER,
    WEIGHTS,
    SentenceEncoder,
    dequantise,
    quantise,
)


@pytest.fixture(scope="module")
def model() -> StyleModel:
    return StyleModel.load()


def noise(seconds: float, rate: int = 48000, channels: int = 2) -> np.ndarray:
    rng = np.random.default_rng(8)
    return 0.1 * rng.standard_normal((int(seconds * rate), channels)).astype(np.float32)


def test_encoder_knows_meanings() -> None:
    encoder = SentenceEncoder.load()
    texts = ["a sad song", "a melancholy tune", "the stock market fell", "SAD SONG, a"]
    vectors = encoder.embed(texts)
    assert vectors.shape == (4, 384)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(4), atol=1e-5)
    gram = vectors @ vectors.T
    assert gram[0, 1] > 0.6 > 0.25 > gram[0, 2]
    # Padding must not leak: alone or in a batch, the same vector.
    assert torch.allclose(encoder.embed([texts[0]])[0], vectors[0], atol=1e-5)
    assert encoder.embed(["word " * 1000]).isfinite().all()


def test_quantised_rows_come_back() -> None:
    weight = torch.randn(16, 32) * torch.logspace(-3, 2, 16)[:, None]
    packed, scale = quantise(weight)
    back = dequantise({"a": packed, "a.scale": scale})["a"]
    assert packed.dtype == torch.int8
    assert ((back - weight).abs().amax(1) <= 0.51 * scale).all()


def test_damaged_encoder_files(tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"{}")
    for weights, tokenizer in ((bad, TOKENIZER), (WEIGHTS, bad), (tmp_path / "none", TOKENIZER)):
        with pytest.raises(SegueError, match="install Segue again"):
            SentenceEncoder.load(weights, tokenizer)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("minimal techno", "Minimal Techno"),
        ("DnB", "Drum & Bass"),
        ("squeezebox", "Accordion"),
        ("8-bit", "Chiptune"),
        # None of these is in the table: the encoder and the head must know them.
        ("Metallica", "Heavy Metal"),
        ("Mozart requiem", "Chamber Music"),
        ("a lonely astronaut", "Ambient"),
    ],
)
def test_embed_text(model: StyleModel, text: str, term: str) -> None:
    style = model.embed_text(text)
    assert style.shape == (128,) and style.dtype == np.float32
    names = [name for name, _ in model.rank_terms(style)]
    assert names.index(term) < 3


def test_known_text_is_its_anchor_and_mixtures_are_means(model: StyleModel) -> None:
    techno = model.embed_text("techno")
    assert np.allclose(techno, anchors.mixture({"Techno": 1}), atol=1e-6)
    both = model.embed_text("techno with harp")
    assert np.allclose(both, anchors.mixture({"Techno": 1, "Harp": 1}), atol=1e-6)


def test_unknown_words_stay_among_the_anchors(model: StyleModel) -> None:
    for text in ("quarterly tax return", "asdfgh", "\N{GUITAR}", "x" * 5000):
        shares = model.text_shares(text)
        assert shares.min() >= 0 and shares.sum() == pytest.approx(1, abs=1e-5)
        assert (shares > 0).sum() <= 4


def test_partly_known_text_keeps_what_is_known(model: StyleModel) -> None:
    shares = model.text_shares("banjo on a frozen volcano")
    assert shares[terms.INDEX["Banjo"]] >= 0.5


def test_first_text_is_fast() -> None:
    begin = time.process_time()
    StyleModel.load().embed_text("a walk through wet leaves")
    assert time.process_time() - begin < 5.0  # a second of wall time; slack for a busy machine


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_empty_text(model: StyleModel, text: str) -> None:
    with pytest.raises(SegueError, match="prompt is empty"):
        model.embed_text(text)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (noise(0.05), 48000, "too short"),
        (np.zeros(0, np.float32), 48000, "too short"),
        (np.zeros((48000, 2), np.float32), 48000, "silent"),
        (np.full((48000, 2), np.nan, np.float32), 48000, "not finite"),
        (np.r_[noise(1)[:, 0], np.inf], 48000, "not finite"),
        (noise(1), 0, "no sample rate"),
        (noise(1), float("nan"), "no sample rate"),
        (np.zeros((2, 3, 4), np.float32), 48000, "shaped"),
        (np.zeros((2, 48000), np.float32), 48000, "shaped"),
    ],
)
def test_bad_audio(samples: np.ndarray, rate: float, message: str) -> None:
    with pytest.raises(SegueError, match=message):
        to_mono(samples, rate)


def test_prepare_resamples_and_levels() -> None:
    t = np.arange(44100) / 44100
    tone = 0.01 * np.sin(2 * np.pi * 440 * t)
    mono = to_mono(np.stack([tone, tone], 1), 44100)
    assert mono.dtype == np.float32 and abs(len(mono) - 48000) <= 2
    peak = np.abs(np.fft.rfft(mono[:48000])).argmax()
    assert peak == pytest.approx(440, abs=1)
    assert 0.9 < np.abs(mono).max() < 1.1
    # Channels that cancel are not taken for silence.
    assert np.abs(to_mono(np.stack([tone, -tone], 1), 48000)).max() == pytest.approx(1)


def test_mels_show_a_tone_where_it_is_and_forget_gain() -> None:
    t = torch.arange(48000) / 48000
    low, high = (torch.sin(2 * torch.pi * hz * t) for hz in (200.0, 4000.0))
    bands = [int(mel_power(x).mean(0).argmax()) for x in (low, high)]
    assert 3 <= bands[0] < 15 and 45 < bands[1] < 60
    one, two = (normalise_level(mel_power(g * low)[None]) for g in (1.0, 0.01))
    assert torch.allclose(one, two, atol=1e-2)
    assert split_windows(torch.rand(2000, 80)).shape == (4, 800, 80)
    assert split_windows(torch.rand(100, 80)).shape == (1, 100, 80)


@pytest.mark.parametrize("frames", [8, 9, 100, 1000])
def test_tower_takes_any_length(frames: int) -> None:
    tower = AudioTower(torch.from_numpy(anchors.load())).eval()
    shares = tower.shares(torch.rand(2, frames, 80) + 1e-3)
    assert shares.shape == (2, 120)
    assert torch.allclose(shares.sum(1), torch.ones(2), atol=1e-5)


@pytest.mark.parametrize("seconds", [0.1, 1.0, 11.0, 70.0])
def test_embed_audio(model: StyleModel, seconds: float) -> None:
    style = model.embed_audio(noise(seconds, 22050), 22050)
    assert style.shape == (128,) and style.dtype == np.float32
    assert 0.05 < np.linalg.norm(style) <= 1.0001


def test_audio_in_a_long_silence_is_found(model: StyleModel) -> None:
    sound = noise(8)
    late = np.concatenate([np.zeros((48000 * 24, 2), np.float32), sound])
    a, b = model.embed_audio(sound, 48000), model.embed_audio(late, 48000)
    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.9


def test_rank_terms(model: StyleModel) -> None:
    ranking = model.rank_terms(anchors.mixture({"Koto": 2, "Techno": 1}))
    assert len(ranking) == 120 and ranking[0][0] == "Koto"
    assert "Techno" in [name for name, _ in ranking[:5]]
    scores = [score for _, score in ranking]
    assert scores == sorted(scores, reverse=True)
    for bad in (np.zeros(128), np.full(128, np.nan), np.ones(3)):
        with pytest.raises(SegueError):
            model.rank_terms(bad)


def test_damaged_style_weights(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = load_file(anchors.WEIGHTS)
    path = tmp_path / "style.safetensors"
    save_file({"anchors": state["anchors"]}, path)
    with pytest.raises(SegueError, match="damaged or incomplete"):
        StyleModel.load(weights=path)


def test_suggestions_are_understood() -> None:
    path = terms.RESOURCES / "suggestions.json"
    groups = json.loads(path.read_text(encoding="utf-8"))
    assert set(groups) == set(terms.CATEGORIES)
    for words in groups.values():
        assert len(words) == len(set(words)) >= 15
        for word in words:
            assert terms.resolve(word).coverage == 1.0, word


def test_the_prompt_librarys_words_are_understood() -> None:
    data = json.loads((terms.RESOURCES / "prompts.json").read_text(encoding="utf-8"))
    for prompt in data["prompts"]:
        assert terms.resolve(prompt["text"]).coverage >= 0.25, prompt
