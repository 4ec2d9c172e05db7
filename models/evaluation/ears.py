"""Independent ears: what others' tools hear in a piece of audio. Offline.

Tempo and key: essentia (RhythmExtractor2013, Zapata et al. 2014; KeyExtractor with the edma or
temperley profile). Onsets, centroid, percussive part: librosa. None of them knows our labels.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import NOTE_NAMES, SAMPLE_RATE

Audio = NDArray[np.float32]
ESSENTIA_RATE: Final = 44_100
FLATS: Final = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}


def mono(audio: Audio) -> Audio:
    """The mean of both channels, float32 (n,)."""
    return np.ascontiguousarray(audio.mean(axis=1), np.float32)


def tempo(audio: Audio) -> float:
    """Beats per minute by essentia's multi-feature beat tracker."""
    import essentia.standard as essentia

    line = essentia.Resample(inputSampleRate=SAMPLE_RATE, outputSampleRate=ESSENTIA_RATE)(
        mono(audio)
    )
    return float(essentia.RhythmExtractor2013(method="multifeature")(line)[0])


def tempo_verdict(asked: float, heard: float, tolerance: float = 0.04) -> str:
    """'right', 'double', 'half' or 'wrong': heard against asked within a relative tolerance."""
    for name, factor in (("right", 1.0), ("double", 2.0), ("half", 0.5)):
        if abs(heard / (asked * factor) - 1.0) <= tolerance:
            return name
    return "wrong"


def key(audio: Audio, profile: str = "edma") -> tuple[int, str]:
    """(tonic 0..11, 'major' or 'minor') by essentia's key finder."""
    import essentia.standard as essentia

    line = essentia.Resample(inputSampleRate=SAMPLE_RATE, outputSampleRate=ESSENTIA_RATE)(
        mono(audio)
    )
    name, scale, _ = essentia.KeyExtractor(profileType=profile, sampleRate=ESSENTIA_RATE)(line)
    return NOTE_NAMES.index(FLATS.get(name, name)), str(scale)


def key_score(asked: tuple[int, str], heard: tuple[int, str]) -> float:
    """MIREX weighting: 1 exact, 0.5 fifth, 0.3 relative, 0.2 parallel, else 0."""
    (tonic, mode), (found, scale) = asked, heard
    if (tonic, mode) == (found, scale):
        return 1.0
    # MIREX counts the key a fifth above or below, of the same mode.
    if mode == scale and (found - tonic) % 12 in (5, 7):
        return 0.5
    if mode != scale:
        relative = (tonic + 9) % 12 if mode == "major" else (tonic + 3) % 12
        if found == relative:
            return 0.3
        if found == tonic:
            return 0.2
    return 0.0


def onset_rate(audio: Audio) -> float:
    """Onsets per second by librosa's spectral flux peaks."""
    import librosa

    line = mono(audio)
    onsets = librosa.onset.onset_detect(y=line, sr=SAMPLE_RATE, units="time")
    return len(onsets) / (len(line) / SAMPLE_RATE)


def centroid(audio: Audio) -> float:
    """Mean spectral centroid in Hz (librosa), frames under -50 dB left out."""
    import librosa

    line = mono(audio)
    level = librosa.feature.rms(y=line)[0]
    values = librosa.feature.spectral_centroid(y=line, sr=SAMPLE_RATE)[0]
    loud = level > 10 ** (-50 / 20)
    return float(values[loud].mean()) if loud.any() else float("nan")


def percussive_power(audio: Audio) -> float:
    """Mean power of the percussive part by librosa's median filtering with a margin."""
    import librosa

    spectrum = librosa.stft(mono(audio), n_fft=2048, hop_length=512)
    _, percussive = librosa.decompose.hpss(spectrum, margin=(1.0, 3.0))
    return float(np.mean(np.abs(percussive) ** 2))


def level_db(audio: Audio, seconds: float) -> NDArray[np.float64]:
    """RMS level in dB of consecutive stretches of `seconds`."""
    size = int(seconds * SAMPLE_RATE)
    count = len(audio) // size
    power: NDArray[np.float64] = (
        np.square(audio[: count * size], dtype=np.float64).reshape(count, -1).mean(axis=1)
    )
    levels: NDArray[np.float64] = 10.0 * np.log10(power + 1e-12)
    return levels


def rank_correlation(asked: NDArray[np.float64], heard: NDArray[np.float64]) -> float:
    """Spearman's rank correlation."""
    from scipy.stats import spearmanr

    return float(spearmanr(asked, heard).statistic)
