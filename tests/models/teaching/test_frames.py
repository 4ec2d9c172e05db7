"""Frames as they are heard: pitches apart from timbre."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.music.score import SAMPLE_RATE
from models.segue.codec import Codec
from models.storage.weights import WEIGHTS
from models.teaching.frames import FrameFeatures, features_of, partial_distance, timbre_distance

ROOTS = (48, 53, 55, 57)
FRAMES = 96


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.load(WEIGHTS / "codec.safetensors")


@pytest.fixture(scope="module")
def features(codec: Codec) -> FrameFeatures:
    return features_of(codec.network)


def chords(codec: Codec, up: int = 0, slope: float = 1.2, seed: int = 0) -> torch.Tensor:
    """Latents (FRAMES, D) of major chords of decaying tones, `up` semitones higher; the larger the
    slope, the duller.
    """
    rng, time = np.random.default_rng(seed), np.arange(SAMPLE_RATE) / SAMPLE_RATE
    parts = []
    for root in ROOTS:
        tones = (440 * 2 ** ((root + third + up - 69) / 12) for third in (0, 4, 7))
        pairs = [(k, hertz) for hertz in tones for k in range(1, 30) if k * hertz < 16_000]
        waves = (
            k**-slope * np.sin(2 * np.pi * k * hertz * time + rng.uniform(0, 6))
            for k, hertz in pairs
        )
        parts.append(sum(waves) * np.exp(-1.5 * time))
    audio = np.concatenate(parts)
    audio *= 0.1 / np.sqrt(np.square(audio).mean())
    stereo = np.stack([audio, audio], axis=1).astype(np.float32)
    return torch.from_numpy(np.asarray(codec.encode(stereo), np.float32))[:FRAMES]


def test_timbre_hardly_knows_a_key_and_partials_hardly_a_brightness(
    codec: Codec, features: FrameFeatures
) -> None:
    music, again = chords(codec), chords(codec, seed=5)
    order = torch.randperm(FRAMES, generator=torch.Generator().manual_seed(0))

    def apart(frames: torch.Tensor) -> float:
        tokens = frames[order].reshape(1, FRAMES // 2, -1)
        return float(timbre_distance(tokens, music, features))

    def mistuned(frames: torch.Tensor) -> float:
        tokens, played = (each.reshape(1, FRAMES // 2, -1) for each in (frames, music))
        return float(partial_distance(tokens, played, features))

    usual = apart(again)
    higher, brighter = chords(codec, up=3), chords(codec, slope=0.6)
    # By whole frames the key would count nearly three times as much as the brightness.
    assert apart(higher) - usual < 0.4 * (apart(brighter) - usual)
    assert mistuned(higher) > 4 * mistuned(brighter)
    assert mistuned(music) == pytest.approx(0.0, abs=1e-5)


def test_timbre_tells_tones_from_noise(codec: Codec, features: FrameFeatures) -> None:
    tones = chords(codec)
    noise = 0.1 * np.random.default_rng(0).standard_normal((4 * SAMPLE_RATE, 2)).astype(np.float32)
    hiss = torch.from_numpy(np.asarray(codec.encode(noise), np.float32))[:FRAMES]
    groups = len(features.detail)
    one, other = (features.timbre(each)[:, -groups:].mean() for each in (tones, hiss))
    assert one > 1.3 * other
