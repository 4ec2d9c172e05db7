"""Bands and stereo parameters: the codec's representation of a sound.

A *band frame* is one windowed spectrum every 10 ms (hop 480 at 48 kHz, Hann window of 2048). It is
reduced to 320 log-magnitudes: one per FFT bin up to 3.5 kHz, where partials are resolved, then
log-spaced up to 22 kHz. The magnitude is the power mean of left and right, so that channels of
opposite phase do not cancel and only one phase has to be reconstructed.

The stereo image is two numbers for each of 20 broad bands, per *latent frame* (40 ms): the panning
and the coherence of the channels. This is parametric stereo as in HE-AAC v2 (Breebaart, van de Par,
Kohlrausch and Schuijers, "Parametric coding of stereo audio", EURASIP Journal on Applied Signal
Processing 2005:9, sections 3 and 4), with the intensity difference as the bounded ratio (L - R) /
(L + R) of powers.

Band frame t is centred on sample 480 t + 240, so that latent frame j (band frames 4j to 4j+3) is
centred on its own 1920 samples. Its windows reach `LOOKAHEAD` samples past the end of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.music.score import SAMPLE_RATE

WINDOW = 2048
HOP = 480
BINS = WINDOW // 2 + 1
BANDS = 320
LINEAR_BANDS = 150
TOP_HZ = 22_000.0
PATCH = 4
FRAME = HOP * PATCH
"""Samples in one latent frame."""
LOOKAHEAD = WINDOW // 2 - HOP // 2
"""Samples after the end of a latent frame that its last window covers (16 ms)."""
STEREO_BANDS = 20
STEREO = 2 * STEREO_BANDS
"""Numbers per latent frame that describe the stereo image: 20 pannings, then 20 coherences."""

FLOOR = 5e-5
"""Amplitude added before the logarithm (-86 dB of full scale)."""
LOG_MEAN = -6.5
LOG_SCALE = 2.0

Array = NDArray[np.float32]

WINDOW_SHAPE: Array = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
_NORM = np.float32(2.0 / WINDOW_SHAPE.sum())
SILENCE = np.float32((np.log(FLOOR) - LOG_MEAN) / LOG_SCALE)
"""The band value of digital silence."""


def _band_centres() -> NDArray[np.float64]:
    """Centres of the bands in (fractional) FFT bins, float64 (320,)."""
    top = TOP_HZ * WINDOW / SAMPLE_RATE
    linear = np.arange(LINEAR_BANDS, dtype=np.float64)
    return np.concatenate(
        [linear, np.geomspace(LINEAR_BANDS, top, BANDS - LINEAR_BANDS, dtype=np.float64)]
    )


def _interpolation() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Linear interpolation from bands to FFT bins: for every bin the band whose centre is at or
    below it, and the weight of the next band, 0 to 1; (1025,) each.
    """
    centres = _band_centres()
    bins = np.arange(BINS, dtype=np.float64)
    below = np.clip(np.searchsorted(centres, bins, side="right"), 1, BANDS - 1) - 1
    share = np.clip((bins - centres[below]) / np.diff(centres)[below], 0.0, 1.0)
    return below, share


def _pooling() -> Array:
    """Weights of the FFT bins in each band, float32 (320, 1025): the interpolation transposed."""
    weights = np.zeros((BANDS, BINS))
    index = np.arange(BINS)
    weights[_BELOW, index] = 1.0 - _SHARE
    weights[_BELOW + 1, index] += _SHARE
    inside = weights.astype(np.float32) * (index <= TOP_HZ * WINDOW / SAMPLE_RATE)
    return np.asarray(inside / inside.sum(1, keepdims=True), np.float32)


CENTRES_HZ: Array = (_band_centres() * SAMPLE_RATE / WINDOW).astype(np.float32)
"""Centre frequency of every band in Hz, float32 (320,)."""
_BELOW, _SHARE = _interpolation()
_SHARE32 = _SHARE.astype(np.float32)
POOL: Array = _pooling()
_ABOVE = (np.arange(BINS) > TOP_HZ * WINDOW / SAMPLE_RATE).astype(bool)


def _stereo_edges() -> NDArray[np.int64]:
    """Edges of the stereo bands in FFT bins: equal steps on the ERB-rate scale."""
    top = 21.4 * np.log10(1 + 0.00437 * TOP_HZ)
    hertz = (10 ** (np.linspace(0, top, STEREO_BANDS + 1) / 21.4) - 1) / 0.00437
    edges = np.rint(hertz * WINDOW / SAMPLE_RATE).astype(np.int64)
    for i in range(1, len(edges)):
        edges[i] = max(edges[i], edges[i - 1] + 2)
    edges[-1] = BINS
    return edges


STEREO_EDGES = _stereo_edges()
STEREO_BAND_OF_BIN = (np.searchsorted(STEREO_EDGES, np.arange(BINS), side="right") - 1).astype(
    np.int64
)


def as_stereo(audio: NDArray[np.floating]) -> Array:
    """Samples (n,), (n, 1) or (n, 2) as float32 (n, 2); SegueError for anything else."""
    samples = np.asarray(audio, dtype=np.float32)
    if samples.ndim == 1:
        samples = samples[:, None]
    if samples.ndim != 2 or samples.shape[1] not in (1, 2):
        raise SegueError(f"The codec needs audio of shape (n, 2), not {np.shape(audio)}.")
    if not np.isfinite(samples).all():
        raise SegueError("The audio holds samples that are not finite numbers; repair the file.")
    return np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples


def spectra(padded: Array, frames: int) -> NDArray[np.complex64]:
    """Normalised spectra of `frames` windows, the first at sample 0; (frames, 2, 1025)."""
    views = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=0)[::HOP][:frames]
    out = np.fft.rfft(views * WINDOW_SHAPE, axis=-1)
    return np.asarray(out * _NORM, dtype=np.complex64)


def analyse_frames(padded: Array, frames: int) -> tuple[Array, Array]:
    """Bands and stereo images of the windows that start at sample 0, 480, ...

    Args:
        padded: float32 (at least 2048 + 480 (frames - 1), 2).
        frames: band frames, a multiple of 4.

    Returns:
        Bands (frames, 320) and stereo images (frames / 4, 40).

    """
    bands = np.empty((frames, BANDS), np.float32)
    stereo = np.empty((frames // PATCH, STEREO), np.float32)
    chunk = 64 * PATCH  # bounds the memory for a long file
    for start in range(0, frames, chunk):
        count = min(chunk, frames - start)
        spec = spectra(padded[start * HOP :], count)
        power = spec.real**2 + spec.imag**2
        bands[start : start + count] = compress(np.sqrt(power.mean(1) @ POOL.T))
        left, right = spec[:, 0], spec[:, 1]
        cross = left.real * right.real + left.imag * right.imag
        sums = [_pool_stereo(x) for x in (power[:, 0], power[:, 1], cross)]
        stereo[start // PATCH : (start + count) // PATCH] = _stereo_parameters(*sums)
    return bands, stereo


def _pool_stereo(values: Array) -> Array:
    bands = np.add.reduceat(values, STEREO_EDGES[:-1], axis=1)
    return np.asarray(bands.reshape(-1, PATCH, STEREO_BANDS).sum(1), dtype=np.float32)


def _stereo_parameters(left: Array, right: Array, cross: Array) -> Array:
    faint = np.float32(1e-8)  # below it a band is silent: centred and coherent
    pan = (left - right) / (left + right + faint)
    coherence = (cross + faint) / np.sqrt((left + faint) * (right + faint))
    return np.concatenate([pan, np.clip(coherence, -1, 1)], axis=1, dtype=np.float32)


def compress(magnitude: Array) -> Array:
    """Linear magnitude (a full-scale sine reads 1) to band values of about unit variance."""
    return np.asarray((np.log(magnitude + FLOOR) - LOG_MEAN) / LOG_SCALE, dtype=np.float32)


def scaled(bands: Array, gains: Array) -> Array:
    """Bands (T, 320) with gains (320,) on their magnitudes; silence stays silence."""
    logs = np.maximum(bands, SILENCE) * np.float32(LOG_SCALE) + np.float32(LOG_MEAN)
    return compress(np.maximum(np.exp(logs) - np.float32(FLOOR), np.float32(0.0)) * gains)


def to_powers(bands: Array) -> Array:
    """Powers (T, 320) of bands (T, 320); silence has none."""
    logs = np.maximum(bands, SILENCE) * np.float32(LOG_SCALE) + np.float32(LOG_MEAN)
    magnitudes = np.maximum(np.exp(logs) - np.float32(FLOOR), np.float32(0.0))
    return np.asarray(np.square(magnitudes), np.float32)


def from_powers(powers: Array) -> Array:
    """Bands (T, 320) of powers (T, 320)."""
    return compress(np.sqrt(powers))


def analyse(audio: NDArray[np.floating]) -> tuple[Array, Array]:
    """Bands and stereo images of a whole sound, with silence before and after it.

    Args:
        audio: float (n, 2) or (n,) at 48 kHz.

    Returns:
        float32 bands (4 T, 320) and stereo images (T, 40), for T = ceil(n / 1920) latent frames.

    Raises:
        SegueError: another shape, or samples that are not finite.

    """
    samples = as_stereo(audio)
    frames = -(-len(samples) // FRAME) * PATCH
    before = WINDOW // 2 - HOP // 2
    padded = np.zeros((before + frames * HOP + LOOKAHEAD, 2), np.float32)
    padded[before : before + len(samples)] = samples
    return analyse_frames(padded, frames)


def to_bins(values: Array) -> Array:
    """Values of the bands (T, 320) at the FFT bins (T, 1025), interpolated."""
    found = values.take(_BELOW, axis=1)
    found += _SHARE32 * (values.take(_BELOW + 1, axis=1) - found)
    return np.asarray(found, np.float32)


def to_magnitudes(bands: Array) -> Array:
    """Bands (T, 320) to linear magnitudes (T, 1025) of the power mean of the two channels."""
    logs = np.maximum(bands, SILENCE) * np.float32(LOG_SCALE) + np.float32(LOG_MEAN)
    log = to_bins(logs)
    magnitude = np.exp(np.minimum(log, np.float32(0.7), out=log), out=log)
    magnitude -= np.float32(FLOOR)
    magnitude[:, _ABOVE] = 0.0
    return np.asarray(np.maximum(magnitude, 0.0, out=magnitude))
