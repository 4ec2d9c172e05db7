"""Loop points of recorded notes.

A loop is sought by normalised cross-correlation of its two ends and closed by a crossfade that
keeps the power whatever the correlation is. A note that dies away is first levelled by its own
rate of decay; the sampler restores the decay, so that a short recording rings as long as it should.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]

SILENT_DB: Final = -58.0
HOLDS: Final = 1.2  # dB a second under which a sound counts as held


@dataclass(frozen=True)
class LoopedNote:
    """Looped note: `samples` (n, channels); `loop` first sample and the one after the last, or
    None; `decay` in dB a second from the loop's first sample on, taken out of the samples.
    """

    samples: Audio
    loop: tuple[int, int] | None
    decay: float


def levels_db(x: Audio, hop: int) -> NDArray[np.float64]:
    """Root mean square of every `hop` samples in dB."""
    count = len(x) // hop
    power = np.square(x[: count * hop], dtype=np.float64).reshape(count, -1).mean(1)
    return np.asarray(10 * np.log10(power + 1e-14))


def fade_out(x: Audio, samples: int) -> Audio:
    """A copy with its last samples faded out."""
    x = x.copy()
    samples = min(samples, len(x))
    x[len(x) - samples :] *= (np.cos(np.linspace(0, np.pi, samples)) * 0.5 + 0.5)[:, None]
    return x


def make_loop(
    x: Audio,
    rate: int,
    settle: float,
    steady_only: bool = False,
    like: tuple[int, int] | None = None,
) -> LoopedNote:
    """Cut and loop a note (n, channels) that is held for all of its length.

    `settle` seconds at the beginning are never looped; `like` is a loop to be taken over.
    """
    if like is not None:
        return LoopedNote(_closed(x[: like[1]], *like, 0.98, rate), like, 0.0)
    hop = rate // 50
    level = levels_db(x, hop)
    peak = level.max()
    above = np.flatnonzero(level > peak + SILENT_DB)
    end = (int(above[-1]) + 1) * hop if len(above) else len(x)
    if end < 0.93 * len(x) and not steady_only:  # it has died away by itself
        return LoopedNote(fade_out(x[:end], rate // 50), None, 0.0)
    first = max(int(settle * rate), len(x) // 5)
    tail = level[first // hop :]
    slope = float(np.polyfit(np.arange(len(tail)) * hop / rate, tail, 1)[0])
    decay = -slope if -slope > HOLDS else 0.0
    if decay > 45.0 and not steady_only:
        return LoopedNote(fade_out(x[:end], rate // 20), None, 0.0)
    start = _best_start(x, rate, first)
    if decay:
        time = np.maximum(np.arange(len(x)) - start[0], 0) / rate
        x = (x * (10 ** (decay * time / 20))[:, None]).astype(np.float32)
    begin, stop, likeness = start
    return LoopedNote(_closed(x[:stop], begin, stop, likeness, rate), (begin, stop), decay)


def _best_start(x: Audio, rate: int, first: int) -> tuple[int, int, float]:
    """First sample of the loop, the one after its last, and how alike the two places are."""
    stop = len(x) - rate // 100
    window = min(rate // 10, (stop - first) // 4)
    mono = x.mean(1, dtype=np.float64)
    template = mono[stop - window : stop]
    shortest = min(rate // 4, (stop - first) // 3)
    place = mono[first : stop - shortest]
    size = 1 << (len(place) + window - 1).bit_length()
    spectrum = np.fft.rfft(place, size) * np.conj(np.fft.rfft(template, size))
    product = np.fft.irfft(spectrum, size)[: len(place) - window + 1]
    power = np.concatenate([[0.0], np.cumsum(place * place)])
    power = power[window:] - power[:-window]
    likeness = product / np.sqrt(power * (template @ template) + 1e-18)
    # Of equally good places the earliest: the longest loop is the least noticed.
    score = likeness - 0.04 * np.arange(len(likeness)) / max(1, len(likeness))
    best = int(np.argmax(score))
    return first + best + window, stop, float(np.clip(likeness[best], 0.0, 1.0))


def _closed(x: Audio, begin: int, stop: int, likeness: float, rate: int) -> Audio:
    """The end of the loop faded into what comes before its beginning."""
    length = min(stop - begin, begin, rate // 3) - 1
    if likeness > 0.97:
        length = min(length, rate // 12)
    share = (1 - np.cos(np.linspace(0, np.pi, length))) / 2
    out, into = 1 - share, share
    keep = 1 / np.sqrt(out * out + into * into + 2 * likeness * out * into)
    x = x.copy()
    before = x[begin - length : begin]
    x[stop - length : stop] = (
        x[stop - length : stop] * (out * keep)[:, None] + before * (into * keep)[:, None]
    )
    return x
