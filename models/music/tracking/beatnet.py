"""BeatNet: a network that learned beats and downbeats from recordings, as the sound comes in.

The convolutional recurrent network of Heydari, Cwitkowitz and Duan, "BeatNet: CRNN and particle
filtering for online joint beat downbeat and meter tracking" (ISMIR 2021), with its published
weights (CC BY 4.0), written for one frame at a time. It hears a spectrogram in quarter tones with
its rises, as that of Böck and Schedl, "Enhanced beat tracking with context-aware neural networks"
(DAFx 2011). Our own network knows composed songs only; this one knows recordings.

The published network was made for 22.05 kHz: windows of 64 ms have the same bins at 48 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.music.tracking.front_end import HOP, Line

WINDOW: Final = 3072
"""Samples of a window: 64 ms."""
STRIDE: Final = 2 * HOP
LATER: Final = 1344
"""Samples by which a window ends before the newest one: its middle is 60 ms old, as old as what
the other network speaks of.
"""
THEIR_RATE: Final = 22_050
THEIR_WINDOW: Final = 1411
PER_OCTAVE: Final = 24
REFERENCE: Final = 440.0
LOWEST: Final = 30.0
HIGHEST: Final = 17_000.0
BANDS: Final = 136
KERNEL: Final = 10
UNITS: Final = 150
PEAK: Final = 0.7
"""Peak to which quiet sound is amplified: the network learned from mastered recordings."""
PEAK_DECAY: Final = 10 ** (-1 / 20 * STRIDE / SAMPLE_RATE)
"""Factor of the peak in a frame: 1 dB a second."""
QUIETEST: Final = 0.01
"""Lowest peak: what is quieter is not amplified further."""


@dataclass(frozen=True, eq=False)
class BeatNetCrnn:
    """Weights.

    Attributes:
        conv_weight: (2, KERNEL) of the convolution over bands, with conv_bias (2,).
        enter_weight: (UNITS, BANDS * 2 - KERNEL) of the layer before the recurrent ones, with
            enter_bias (UNITS,).
        cells: for each of two layers of long short-term memory its weight (4 * UNITS, 2 * UNITS),
            of input and state side by side, and bias (4 * UNITS,); input, forget, cell and output
            gates follow one another.
        leave_weight: (3, UNITS) of the output, with leave_bias (3,): beat, downbeat, neither.

    """

    conv_weight: Line
    conv_bias: Line
    enter_weight: Line
    enter_bias: Line
    cells: tuple[tuple[Line, Line], tuple[Line, Line]]
    leave_weight: Line
    leave_bias: Line


@dataclass(frozen=True, eq=False)
class BeatNetState:
    """State.

    Attributes:
        tail: (WINDOW + LATER,) the last samples.
        bands: (BANDS,) of the frame before.
        memory: (2, 2, UNITS) of each layer its state and its cells.
        peak: reference level.
        begun: whether there was a frame before.

    """

    tail: Line
    bands: Line
    memory: Line
    peak: float = PEAK
    begun: bool = False


def initial_beatnet() -> BeatNetState:
    """The state before any sound."""
    return BeatNetState(
        np.zeros(WINDOW + LATER, np.float32),
        np.zeros(BANDS, np.float32),
        np.zeros((2, 2, UNITS), np.float32),
        QUIETEST,
    )


@lru_cache(maxsize=1)
def quarter_tones() -> Line:
    """(BANDS, bins) triangles between the bins that lie nearest to quarter tones, of area 1."""
    bins = np.arange(THEIR_WINDOW // 2) * THEIR_RATE / THEIR_WINDOW
    first, last = (np.log2(hz / REFERENCE) * PER_OCTAVE for hz in (LOWEST, HIGHEST))
    tones = REFERENCE * 2.0 ** (np.arange(np.floor(first), np.ceil(last)) / PER_OCTAVE)
    tones = tones[(tones >= LOWEST) & (tones <= HIGHEST)]
    nearest = np.unique(np.abs(bins[None, :] - tones[:, None]).argmin(axis=1))
    rows = np.zeros((len(nearest) - 2, len(bins)), np.float32)
    for row, (start, centre, stop) in zip(
        rows, zip(nearest, nearest[1:], nearest[2:], strict=False), strict=True
    ):
        if stop - start < 2:  # neighbouring bins leave no room for a triangle
            row[start] = 1.0
            continue
        row[start:centre] = np.linspace(0, 1, centre - start, endpoint=False)
        row[centre:stop] = np.linspace(1, 0, stop - centre, endpoint=False)
        row /= row.sum()
    return rows


@lru_cache(maxsize=1)
def _window() -> Line:
    """Hann window, scaled as if it had as few samples as theirs."""
    return np.asarray(np.hanning(WINDOW) * (THEIR_WINDOW / WINDOW), np.float32)


def hear_beats(
    network: BeatNetCrnn, state: BeatNetState, samples: Line
) -> tuple[BeatNetState, float, float]:
    """Take one frame of 20 ms in.

    Args:
        network: weights.
        state: after the frames before.
        samples: float32, the last ones; STRIDE of them at least are new.

    Returns:
        The state after it, and the chances of a beat (a downbeat is one) and of a downbeat
        60 ms before the last sample.

    """
    new = samples[-STRIDE:]
    tail = np.concatenate([state.tail[STRIDE:], new])
    peak = max(float(np.abs(new).max()), state.peak * PEAK_DECAY, QUIETEST)
    filters = quarter_tones()
    magnitude = np.abs(np.fft.rfft(tail[:WINDOW] * _window()))[: filters.shape[1]]
    gain = np.float32(max(1.0, PEAK / peak))
    bands = np.log10(1 + gain * (filters @ magnitude.astype(np.float32)))
    rise = np.maximum(bands - state.bands, 0) if state.begun else np.zeros_like(bands)
    memory, chances = _step(network, state.memory, np.concatenate([bands, rise]))
    after = BeatNetState(tail, bands, memory, peak, begun=True)
    return after, float(chances[0] + chances[1]), float(chances[1])


def _step(network: BeatNetCrnn, memory: Line, given: Line) -> tuple[Line, NDArray[np.float64]]:
    """Memory and (3,) chances after a frame (2 * BANDS,)."""
    # The greater of each pair of neighbours, rectified; the bias is the same for both.
    found = (np.correlate(given, kernel) for kernel in network.conv_weight)
    pairs = np.stack([np.maximum(line[:-1:2], line[1::2]) for line in found])
    pooled = np.maximum(pairs + network.conv_bias[:, None], 0)
    line = network.enter_weight @ pooled.ravel() + network.enter_bias
    layers = []
    for (weight, bias), (hidden, cells) in zip(network.cells, memory, strict=True):
        fits = weight @ np.concatenate([line, hidden]) + bias
        into, keep, _, out = _sigmoid(fits).reshape(4, UNITS)  # one call is quicker than three
        cells = keep * cells + into * np.tanh(fits[2 * UNITS : 3 * UNITS])
        line = out * np.tanh(cells)
        layers.append((line, cells))
    fits = (network.leave_weight @ line + network.leave_bias).astype(np.float64)
    chances = np.exp(fits - fits.max())
    return np.array(layers, np.float32), chances / chances.sum()


def _sigmoid(line: Line) -> Line:
    return np.asarray(1 / (1 + np.exp(-line)), np.float32)
