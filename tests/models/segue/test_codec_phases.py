"""Phase reconstruction, traced and not (models/segue/codec/phases.py)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from models.runtime.tracing import TracedFunction
from models.segue.codec import bands as B
from models.segue.codec import phases
from models.segue.codec.vocoder import Vocoder


def sound() -> tuple[np.ndarray, np.ndarray]:
    """Bands and stereo images of a second of plucked tones and noise, somewhat to the left."""
    rng = np.random.default_rng(4)
    time = np.arange(B.SAMPLE_RATE) / B.SAMPLE_RATE
    wave = 0.3 * np.sin(2 * np.pi * 440 * time) * np.exp(-6 * (time % 0.25))
    both = wave[:, None] * np.array([1.0, 0.5]) + 0.02 * rng.normal(size=(len(time), 2))
    return B.analyse(both)


def play(vocoder: Vocoder, seed: int = 5) -> np.ndarray:
    bands, stereo = sound()
    state, pieces = vocoder.start(seed), []
    for at in range(len(stereo)):
        piece, state = vocoder.step(bands[4 * at : 4 * at + 4], stereo[at : at + 1], state)
        pieces.append(piece)
    return np.concatenate(pieces)


@pytest.mark.parametrize("iterations", [0, 5])
@pytest.mark.parametrize("lookahead", [0, 2, 5])
def test_traced_or_not_it_gives_the_same_samples(
    monkeypatch: pytest.MonkeyPatch, iterations: int, lookahead: int
) -> None:
    vocoder = Vocoder(iterations, lookahead)
    assert isinstance(vocoder._reconstruct, TracedFunction)
    recorded = play(vocoder)
    assert np.abs(recorded).max() > 0.1

    def refuses(*_: Any, **__: Any) -> None:
        raise RuntimeError("this torch cannot trace")

    monkeypatch.setattr(torch.jit, "trace", refuses)
    phases.traced_reconstruction.cache_clear()
    try:
        plain = Vocoder(iterations, lookahead)
        assert not isinstance(plain._reconstruct, TracedFunction)
        np.testing.assert_array_equal(play(plain), recorded)
    finally:
        phases.traced_reconstruction.cache_clear()


def test_two_threads_may_play_at_once() -> None:
    vocoder = Vocoder(iterations=5, lookahead=2)
    alone = [play(vocoder, seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: play(vocoder, seed), range(4)))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_state_that_may_not_be_written_to_is_played_from() -> None:
    """As arrays of a snapshot from a file may be."""
    vocoder = Vocoder(iterations=2, lookahead=2)
    bands, stereo = sound()
    _, state = vocoder.step(bands[:40], stereo[:10], vocoder.start(1))
    for part in state:
        if isinstance(part, np.ndarray):
            part.flags.writeable = False
    audio, _ = vocoder.step(bands[40:48], stereo[10:12], state)
    again, _ = vocoder.step(bands[40:48], stereo[10:12], state)
    np.testing.assert_array_equal(audio, again)


def test_a_state_keeps_nothing_that_is_larger_than_itself() -> None:
    """No state may keep a larger array alive, since a piece has thousands of snapshots."""
    vocoder = Vocoder(iterations=2, lookahead=2)
    bands, stereo = sound()
    _, state = vocoder.step(bands[:40], stereo[:10], vocoder.start(1))
    for name in phases.STATE_FIELDS:
        part = getattr(state, name)
        assert torch.from_numpy(part).untyped_storage().nbytes() == part.nbytes, name
        while isinstance(part.base, np.ndarray):
            part = part.base
        whole = part.base  # the tensor that owns the memory
        assert whole is None or whole.untyped_storage().nbytes() == part.nbytes, name


def test_iterations_fit_the_wave_to_the_magnitudes() -> None:
    """Against fast Griffin-Lim as written in the paper, in double precision."""
    rng = np.random.default_rng(6)
    unit = phases._PhaseReconstruction(iterations=3, lookahead=2, momentum=0.99)
    shape = (6, B.BINS)
    size = rng.rayleigh(0.01, shape)
    spectrum = size * np.exp(2j * np.pi * rng.random(shape))
    carried = spectrum[:2] * np.exp(0.3j)
    mono = rng.normal(0, 0.01, phases.TAIL)
    window = B.WINDOW_SHAPE.astype(np.float64)
    norm = np.zeros(5 * B.HOP + B.WINDOW)
    for start in range(-4 * B.HOP, 6 * B.HOP, B.HOP):
        low = max(0, start)
        norm[low : start + B.WINDOW] += window[low - start :] ** 2
    ahead, before = np.concatenate([carried, spectrum[2:]]), np.zeros(shape, complex)
    for number in range(3):
        line = np.concatenate([mono, np.zeros(len(norm) - len(mono))])
        wave = np.fft.irfft(ahead * window.sum() / 2, B.WINDOW) * window
        for i in range(6):
            line[i * B.HOP : i * B.HOP + B.WINDOW] += wave[i]
        line /= np.maximum(norm, 0.02)
        heard = np.stack([line[i * B.HOP : i * B.HOP + B.WINDOW] for i in range(6)]) * window
        rebuilt = np.fft.rfft(heard)
        rebuilt *= size / np.abs(rebuilt)
        ahead = rebuilt + 0.99 * (rebuilt - before) if number else rebuilt
        before = rebuilt
    tensors = [torch.from_numpy(x.astype(np.complex64)) for x in (spectrum, carried)]
    reals = [torch.from_numpy(x.astype(np.float32)) for x in (size, mono)]
    found, extrapolated = unit._iterate(tensors[0], reals[0], tensors[1], reals[1])
    np.testing.assert_allclose(found.numpy(), before, atol=1e-5)
    np.testing.assert_allclose(extrapolated.numpy(), ahead, atol=2e-5)
