"""Tone of a sound and of its guide: an equaliser that leads one to the other, over seconds. Pure.

The renderer plays the notes of a guide with sounds of its own, whose mix may be brighter or duller
than the studio's. Their mean spectra in some twenty bands tell the difference; it is taken out on
the codec's bands, so that the tone stays where it is while the knob moves, and whatever is shorter
or finer than that stays the renderer's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.segue.codec.bands import BANDS, CENTRES_HZ

Audio = NDArray[np.float32]
Powers = NDArray[np.float32]

CENTRES: Final = (
    63.0, 125.0, 250.0, 500.0, 1000.0, 1600.0, 2500.0, 3200.0, 4000.0, 5000.0, 6300.0, 8000.0,
    10_000.0, 12_500.0, 16_000.0,
)  # fmt: skip
"""Centres in Hz: octaves in the bass, thirds of an octave in the treble."""
SECONDS: Final = 4.0
"""Time constant of the mean spectra."""
SURE: Final = 1.5
"""Seconds of both sounds after which all of the difference is taken out."""
BOOST_DB: Final = 8.0
CUT_DB: Final = -36.0
"""Limits of the gain. What the renderer does not play cannot be raised without its noise."""
REST: Final = 1e-9
"""Mean square under which a sound rests and tells nothing."""
FAINT: Final = 1e-10
"""Mean square in one band that nobody hears, added to both."""
WINDOW: Final = 1920  # samples


@dataclass(frozen=True)
class MeanSpectrum:
    """Mean power in each of CENTRES over the last seconds, and how many seconds there were. Field
    names are stored in files.
    """

    powers: Powers = field(default_factory=lambda: np.zeros(len(CENTRES), np.float32))
    seconds: float = 0.0

    def after(self, powers: Powers, seconds: float) -> MeanSpectrum:
        """The mean with `seconds` more, whose mean powers are (15,)."""
        total = min(self.seconds + seconds, SECONDS)
        share = np.float32(seconds / max(total, seconds))
        return MeanSpectrum(self.powers + share * (powers - self.powers), total)


@dataclass(frozen=True)
class ToneMatch:
    """Mean spectra of a guide, and of what was made of it before any gains.

    waiting: (n, 15) powers of the guide's frames of which nothing is made yet. They count when it
    is: the cymbals of a guide that is heard ahead would raise the treble before the sound has any.
    """

    guide: MeanSpectrum = field(default_factory=MeanSpectrum)
    sound: MeanSpectrum = field(default_factory=MeanSpectrum)
    waiting: Powers = field(default_factory=lambda: np.zeros((0, len(CENTRES)), np.float32))

    def with_guide(self, audio: Audio) -> ToneMatch:
        """The state with some more of the guide, (1920 k, 2)."""
        return replace(self, waiting=np.concatenate([self.waiting, frame_powers(audio)]))

    def with_sound(self, audio: Audio, gains: Powers) -> ToneMatch:
        """The state with some more of the sound, (1920 k, 2), made with gains (320,)."""
        used = np.interp(np.log(CENTRES), _octaves(), gains).astype(np.float32)
        made, count = frame_powers(audio), len(audio) // WINDOW
        return ToneMatch(
            _with(self.guide, self.waiting[:count]),
            _with(self.sound, made, np.square(used)),
            self.waiting[count:].copy(),
        )

    @property
    def gains(self) -> Powers:
        """Gains (320,) for the codec's bands."""
        heard = min(self.guide.seconds, self.sound.seconds)
        if heard <= 0.0:
            return np.ones(BANDS, np.float32)
        told, made = self.guide.powers + FAINT, self.sound.powers + FAINT
        # The level as a whole is the crossfade's matter.
        decibels = 10.0 * np.log10(told / told.sum() * made.sum() / made)
        decibels = np.clip(decibels, CUT_DB, BOOST_DB) * min(1.0, heard / SURE)
        line = np.interp(_octaves(), np.log(CENTRES), decibels)
        return np.asarray(10.0 ** (line / 20.0), np.float32)


def _with(mean: MeanSpectrum, frames: Powers, gain: Powers | None = None) -> MeanSpectrum:
    """A mean with the powers (n, 15) of some frames more, before a gain (15,) on their powers."""
    if not len(frames):
        return mean
    found = frames.mean(axis=0)
    if float(found.sum()) < REST:
        return mean
    if gain is not None:
        found = found / gain
    return mean.after(found.astype(np.float32), len(frames) * WINDOW / SAMPLE_RATE)


@lru_cache(maxsize=1)
def _octaves() -> NDArray[np.float64]:
    """Logarithms of the centres of the codec's bands, (320,)."""
    return np.log(np.maximum(CENTRES_HZ.astype(np.float64), 20.0))


@lru_cache(maxsize=1)
def _window() -> Audio:
    return np.hanning(WINDOW).astype(np.float32)


@lru_cache(maxsize=1)
def _pooling() -> Powers:
    """(bins, 15) of 0 and 1: the band of each bin, none under the first and over the last; scaled
    so that the squares of a spectrum become mean squares.
    """
    hertz = np.fft.rfftfreq(WINDOW, 1.0 / SAMPLE_RATE)
    logs = np.log(CENTRES)
    middles = (logs[:-1] + logs[1:]) / 2
    edges = np.exp([2 * logs[0] - middles[0], *middles, 2 * logs[-1] - middles[-1]])
    band = np.searchsorted(edges, hertz) - 1
    energy = 2.0 / (WINDOW * float(np.square(_window(), dtype=np.float64).sum()))
    return np.asarray((band[:, None] == np.arange(len(CENTRES))) * energy, np.float32)


def powers(audio: Audio) -> Powers:
    """Mean square of a sound (1920 k, 2) in each of CENTRES."""
    return np.asarray(frame_powers(audio).mean(axis=0))


def frame_powers(audio: Audio) -> Powers:
    """The same of each frame of 1920 samples, (k, 15)."""
    frames = audio.reshape(-1, WINDOW, 2) * _window()[:, None]
    spectra = np.fft.rfft(frames, axis=1)
    found = np.square(spectra.real) + np.square(spectra.imag)
    return np.asarray(found.mean(axis=2) @ _pooling(), np.float32)
