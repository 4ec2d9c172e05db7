"""Full-band features of sound, and how far two sets of them are from each other. Pure.

Ten plain features of each ten seconds of 48 kHz stereo: energy of the highs, of presence and of the
lows; how tonal the middle and the highs are; attacks; pauses; crest; width. None of them depends on
the level, which is the same for all (`at_level`).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE

Audio = NDArray[np.float32]
Features = dict[str, NDArray[np.float64]]
"""By name, a value for each excerpt."""

EXCERPT: Final = 10 * SAMPLE_RATE
WINDOW: Final = 2048
HOP: Final = SAMPLE_RATE // 100
LEVEL_DB: Final = -17.0
SILENCE: Final = 1e-3
_HERTZ: Final = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)

NAMES: Final = (
    "air_8_16k_db", "presence_2_8k_db", "low_under_150_db", "tonal_clarity_mid",
    "tonal_clarity_high", "attack_flux_p99_over_median", "attack_rise_p99_db", "gap_depth_db",
    "crest_db", "side_db",
)  # fmt: skip
"""The features, as `features` orders them."""


def at_level(audio: Audio, level_db: float = LEVEL_DB) -> Audio:
    """Audio (n, channels) at a level in dB (mean square of all channels, re full scale); silence
    stays silence.
    """
    power = float(np.mean(np.square(audio, dtype=np.float64)))
    if power <= 1e-12:
        return audio
    return np.asarray(audio * np.float32(10 ** (level_db / 20) / np.sqrt(power)), np.float32)


def features(audio: Audio) -> dict[str, float]:
    """The features of one excerpt.

    Args:
        audio: (n, 2) at 48 kHz, not silent, at least a window (2048 samples) long.

    Returns:
        A number for each of NAMES; decibels where the name says so.

    """
    middle, side = audio.mean(axis=1), (audio[:, 0] - audio[:, 1]) / 2
    frames = np.lib.stride_tricks.sliding_window_view(middle, WINDOW)[::HOP]
    spectra = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)) + 1e-7
    power = np.square(spectra).sum(axis=0)
    high = spectra[:, _band(4000, 12_000)]
    mid = spectra[:, _band(300, 4000)]
    logs = 20 * np.log10(spectra[:, 8:400] + 1e-4)  # 190 Hz to 9.4 kHz
    flux = np.maximum(np.diff(logs, axis=0), 0).mean(axis=1)
    rise = np.diff(20 * np.log10(np.sqrt(np.square(high).mean(axis=1)) + 1e-4))
    bits = middle[: len(middle) // HOP * HOP].reshape(-1, HOP)
    levels = 20 * np.log10(np.sqrt(np.square(bits).mean(axis=1)) + 1e-5)
    mean_square = float(np.square(middle).mean())
    values = (
        _share_db(power, 8000, 16_000),
        _share_db(power, 2000, 8000),
        _share_db(power, 20, 150),
        _clarity(mid, 98),
        _clarity(high, 95),
        np.percentile(flux, 99) / (np.median(flux) + 1e-6),
        np.percentile(rise, 99),
        np.percentile(levels, 50) - np.percentile(levels, 5),
        20 * np.log10(np.abs(middle).max() / (np.sqrt(mean_square) + 1e-9)),
        10 * np.log10(np.square(side).mean() / (mean_square + 1e-12) + 1e-6),
    )
    return dict(zip(NAMES, map(float, values), strict=True))


def _band(low: float, high: float) -> NDArray[np.bool_]:
    hertz = _HERTZ
    return (hertz >= low) & (hertz < high)


def _share_db(power: NDArray[np.float64], low: float, high: float) -> float:
    return float(10 * np.log10(power[_band(low, high)].sum() / power.sum() + 1e-9))


def _clarity(spectra: NDArray[np.float64], percent: float) -> float:
    """How far the peaks of a band stand over its middle, log10, median over time."""
    peaks = np.percentile(spectra, percent, axis=1) / np.median(spectra, axis=1)
    return float(np.median(np.log10(peaks)))


def features_of(clips: list[Audio]) -> Features:
    """Features of every ten seconds of clips (n, 2) at 48 kHz; what is silent is left out.

    Raises:
        ValueError: No clip holds ten seconds that are not silent.

    """
    rows = []
    for clip in clips:
        for start in range(0, len(clip) - EXCERPT + 1, EXCERPT):
            excerpt = clip[start : start + EXCERPT]
            if np.sqrt(np.square(excerpt, dtype=np.float64).mean()) > SILENCE:
                rows.append(features(at_level(excerpt)))
    if not rows:
        raise ValueError("no clip holds ten seconds of sound")
    return {name: np.array([row[name] for row in rows]) for name in NAMES}


def distances(reference: Features, other: Features) -> dict[str, float]:
    """Wasserstein distance of each feature over the reference's interquartile range."""
    from scipy.stats import wasserstein_distance

    result = {}
    for name, values in reference.items():
        upper, lower = np.percentile(values, [75, 25])
        apart = wasserstein_distance(values, other[name])
        result[name] = float(apart / (upper - lower + 1e-9))
    return result


def distance(reference: Features, other: Features) -> float:
    """Mean of `distances`: 0.1 is another half of the same music, 1 plainly another kind of
    sound.
    """
    return float(np.mean(list(distances(reference, other).values())))
