"""Idiom: by how much likelier something is in some music than in the arranger's own.

The arranger's odds are multiplied by the ratio of two frequencies: in the music that was learned
from, and in what the arranger writes of itself under the same style, both heard by the same ears,
so that what they miss is missed in both. That is a log-linear model with the arranger as its prior
(Della Pietra et al. 1997, section 2). What was seldom seen hardly counts: each frequency is drawn
towards the arranger's as if so many more had been seen (MacKay & Peto 1995).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.segue.arranger.idiom.counts import PLACES, STEPS, TRIADS, MusicCounts
from models.segue.arranger.steps import BPM_BINS

PREFIX: Final = "idiom."
"""How the names of an idiom's tensors begin in the file of a sound."""
MOST: Final = 1.5
"""Log-odds at which a ratio is cut off."""
BARS: Final = 16.0
CHANGES: Final = 8.0
SECONDS: Final = 30.0
TONES: Final = 120.0
LINE: Final = 80.0
"""How many of each are taken as seen beforehand; of tones, seconds."""
LOOSE: Final = 0.3
"""Share of the onsets that count as anywhere in the bar: beats of records are heard less surely
than those of the studio, whose onsets all lie on the grid."""

Tilt = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Idiom:
    """Log-odds that are added to the arranger's.

    Attributes:
        onsets: (PLACES,) of everything that begins at a place of a bar of four beats.
        chords: (TRIADS, TRIADS) of a chord after another.
        harmonic_rhythm: (1,) of a change of the chord on a beat.
        tones: (12,) of notes, from the tonic.
        steps: (STEPS,) of a note of the lead after the one before.
        tempo: (BPM_BINS,) of the tempo.
        minor: (1,) of a minor mode.

    """

    onsets: Tilt
    chords: Tilt
    harmonic_rhythm: Tilt
    tones: Tilt
    steps: Tilt
    tempo: Tilt
    minor: Tilt

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """Its tensors for the file of a sound."""
        return {
            f"{PREFIX}{f.name}": np.asarray(getattr(self, f.name), np.float16) for f in fields(self)
        }


@dataclass(frozen=True, eq=False)
class StepIdiom:
    """What an idiom adds in a step: log-odds of the chord codes, and (PITCH_CODES,) of the lead's
    notes; None where they stay.
    """

    symbols: Tilt
    lead: Tilt | None


SHAPES: Final[Mapping[str, tuple[int, ...]]] = {
    "onsets": (PLACES,), "chords": (TRIADS, TRIADS), "harmonic_rhythm": (1,), "tones": (12,),
    "steps": (STEPS,), "tempo": (BPM_BINS,), "minor": (1,),
}  # fmt: skip


def idiom_of(tensors: Mapping[str, NDArray[np.generic]]) -> Idiom | None:
    """The idiom of a sound's tensors; None where it has none, or one of another shape."""
    found = {name: tensors.get(f"{PREFIX}{name}") for name in SHAPES}
    known = {name: np.asarray(x, np.float32) for name, x in found.items() if x is not None}
    if any(name not in known or known[name].shape != shape for name, shape in SHAPES.items()):
        return None
    return Idiom(**{name: np.clip(array, -MOST, MOST) for name, array in known.items()})


def mixed(idioms: Iterable[tuple[Idiom, float]]) -> Idiom | None:
    """The sum of idioms by their scales; None where there is none."""
    acting = [(idiom, scale) for idiom, scale in idioms if scale > 0.0]
    if not acting:
        return None
    return Idiom(
        **{
            name: np.asarray(sum(scale * getattr(one, name) for one, scale in acting), np.float32)
            for name in SHAPES
        }
    )


def learned_idiom(music: MusicCounts, own: MusicCounts) -> Idiom:
    """The idiom of music.

    Args:
        music: counted in what is learned from.
        own: counted in what the arranger writes of itself.

    """
    rates = []
    for counts in (music, own):
        onsets = (1.0 - LOOSE) * counts.onsets + LOOSE * counts.onsets.mean()
        rates.append((onsets + BARS * _rate(own)) / (counts.bars + BARS))
    changed = []
    for counts in (music, own):
        share = (counts.chords.sum() + BARS * _changes(own)) / (counts.beats + BARS)
        changed.append(min(0.95, max(0.005, share)))
    minor = [(each.modes[1] + SECONDS) / (each.modes.sum() + 2 * SECONDS) for each in (music, own)]
    flat = (music.tempo.sum() + SECONDS) / BPM_BINS
    return Idiom(
        onsets=_cut(_logit_ratio(*(rate / (1.0 + rate) for rate in rates))),
        chords=np.stack(
            [
                _ratio(row, base, own.chords.sum(0), CHANGES)
                for row, base in zip(music.chords, own.chords, strict=True)
            ]
        ),
        harmonic_rhythm=_cut(_logit_ratio(*(np.array([share]) for share in changed))),
        tones=_ratio(music.tones, own.tones, np.ones(12), TONES),
        steps=_ratio(music.steps, own.steps, np.ones(STEPS), LINE),
        tempo=_cut(np.log((_smooth(music.tempo) + SECONDS / BPM_BINS) / flat)),
        minor=_cut(_logit_ratio(*(np.array([share]) for share in minor))),
    )


def _rate(counts: MusicCounts) -> NDArray[np.float64]:
    """(PLACES,) onsets at each place in a bar."""
    onsets = (1.0 - LOOSE) * counts.onsets + LOOSE * counts.onsets.mean()
    return np.asarray((onsets + 0.1) / (counts.bars + 1.0))


def _changes(counts: MusicCounts) -> float:
    return float(counts.chords.sum() + 0.25) / (counts.beats + 1.0)


def _ratio(
    seen: NDArray[np.float64], own: NDArray[np.float64], rest: NDArray[np.float64], prior: float
) -> Tilt:
    """Log ratio of two distributions over one axis; `rest` is what `own` is drawn towards."""
    base = own + prior * (rest + 0.1) / (rest + 0.1).sum()
    base = base / base.sum()
    share = (seen + prior * base) / (seen.sum() + prior)
    return _cut(np.log(share / base))


def _logit_ratio(seen: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.log(seen / (1.0 - seen)) - np.log(own / (1.0 - own)))


def _smooth(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    wide = np.pad(counts, 2, "edge")
    return np.asarray(np.convolve(wide, np.array((1, 2, 3, 2, 1)) / 9, "valid"))


def _cut(odds: NDArray[np.float64]) -> Tilt:
    return np.clip(odds, -MOST, MOST).astype(np.float32)
