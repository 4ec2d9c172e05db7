"""Counting of what was heard: the statistics of a piece, for the idiom of a learned sound.

A piece is taken to be in one key. Where that is not clear, nothing is counted from its tonic.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import FRAME_SECONDS, PARTS, QUALITY_NAMES
from models.music.tonality import key_correlations
from models.segue.arranger.idiom.counts import PLACES, TRIADS, MusicCounts, line_steps, triad
from models.segue.arranger.steps import BPM_BINS, bpm_bin
from models.teaching.transcription import HeardScore

APART: Final = 2.0
"""Seconds after which the next note of the lead is no step from the one before."""
ENOUGH: Final = 10.0
"""Seconds of notes that tell a key."""
FITS: Final = 0.6
"""Correlation of the notes with the key that they are in."""
BEATS: Final = 4
"""Beats of the bars whose rhythm is counted."""


def counts_of(heard: HeardScore) -> MusicCounts:
    """What is counted in a piece."""
    beats = heard.known[:, 1] > 0
    begin, end, part, pitch, _ = heard.notes.T
    tones = np.zeros(12)
    np.add.at(tones, pitch.astype(int) % 12, np.maximum(0.0, end - begin))
    key = _key(heard, tones)
    onsets, bars = _rhythm(heard, beats)
    tempo = np.bincount(bpm_bin(heard.tempo[beats]), minlength=BPM_BINS).astype(float)
    counts = MusicCounts(onsets=onsets, bars=bars, tempo=tempo * FRAME_SECONDS)
    if key < 0:
        return counts
    tonic, minor = key % 12, key >= 12
    chords, sounding = _chords(heard, tonic)
    seconds = len(heard.tempo) * FRAME_SECONDS
    modes = np.array([0.0, seconds]) if minor else np.array([seconds, 0.0])
    lead = np.flatnonzero(part == PARTS.index("lead"))
    cuts = np.flatnonzero(np.diff(begin[lead]) > APART) + 1
    lines = np.split(pitch[lead].astype(int), cuts)
    steps = sum((line_steps(line.tolist()) for line in lines), MusicCounts().steps)
    return counts + MusicCounts(
        chords=chords, beats=sounding, tones=np.roll(tones, -tonic), steps=steps, modes=modes
    )


def _key(heard: HeardScore, tones: NDArray[np.float64]) -> int:
    """Tonic of the piece's key, + 12 for minor; -1 where it is not clear.

    By the notes where there are enough, else the one heard for most of the time.
    """
    if tones.sum() >= ENOUGH:
        fits = key_correlations(tones)
        best = int(fits.argmax())
        return best if fits[best] >= FITS else -1
    known = heard.harmony[:, 2].astype(int)
    times = np.bincount(known[known >= 0], minlength=24)
    return int(times.argmax()) if 2 * times.max() > len(known) else -1


def _rhythm(heard: HeardScore, beats: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """(PLACES,) onsets by their place in bars of four beats, and how many bars are sure."""
    sure = beats & (heard.harmony[:, 3] == BEATS)
    frames = np.clip((heard.onsets / FRAME_SECONDS).astype(int), 0, max(0, len(sure) - 1))
    kept = sure[frames] if len(sure) else np.zeros(len(frames), bool)
    frames, times = frames[kept], heard.onsets[kept]
    phase = np.arctan2(heard.beat[frames, 2], heard.beat[frames, 3]) / (2 * np.pi)
    late = times - (frames + 0.5) * FRAME_SECONDS
    phase = phase + late * heard.tempo[frames] / 60 / BEATS
    places = np.round(phase * PLACES).astype(int) % PLACES
    bars = float((heard.tempo[sure] / 60 / BEATS).sum() * FRAME_SECONDS)
    return np.bincount(places, minlength=PLACES).astype(float), bars


def _chords(heard: HeardScore, tonic: int) -> tuple[NDArray[np.float64], float]:
    """(TRIADS, TRIADS) changes of the chord, and the beats in which one is sure."""
    changes, beats, before = np.zeros((TRIADS, TRIADS)), 0.0, -1
    for (root, quality, _, _), tempo in zip(heard.harmony.astype(int), heard.tempo, strict=True):
        if root < 0:
            continue
        now = triad(root - tonic, QUALITY_NAMES[quality])
        if before >= 0 and now != before:
            changes[before, now] += 1
        before = now
        beats += float(tempo) / 60 * FRAME_SECONDS
    return changes, beats
