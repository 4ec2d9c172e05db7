"""Styles: their fields, and weighted choices.

Choices are written as weighted words, "piano:3 organ none:0.5": each word with its weight (1 by
default). Since every aspect is a field of its own, aspects of several styles can be mixed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from models.errors import SegueError
from models.music.song import Production


@lru_cache(maxsize=4096)
def weights(text: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """'a:3 b' -> (('a', 'b'), (0.75, 0.25)); SegueError when empty."""
    words, odds = [], []
    for token in text.split():
        word, _, number = token.partition(":")
        words.append(word)
        odds.append(float(number) if number else 1.0)
    if not words or sum(odds) <= 0:
        raise SegueError(
            f"'{text}' names nothing to choose from; write for example 'piano:2 harp'."
        )
    total = sum(odds)
    return tuple(words), tuple(o / total for o in odds)


def words(text: str) -> frozenset[str]:
    """The set of the words of a text."""
    return frozenset(text.split())


def choose(rng: np.random.Generator, text: str) -> str:
    """One of the weighted words of `text`."""
    words, odds = weights(text)
    return words[int(rng.choice(len(words), p=odds))]


@dataclass(frozen=True)
class Style:
    """A genre, mood or idiom. See the modules named in the comments for the words."""

    name: str
    tempo: tuple[float, float] = (90.0, 130.0)  # beats a minute; a beat is steps_per_beat steps
    metre: str = "4/4"  # form.METRES
    swing: tuple[float, float] = (0.5, 0.5)
    mode: str = "major:2 minor"  # score.MODES
    harmony: str = "pop"  # harmony.PROGRESSIONS, pools
    rate: str = "1"  # bars a chord of the progression lasts: 0.5, 1, 2, 4
    groove: str = "rock"  # grooves.GROOVES
    kit: str = "acoustic"  # score.KITS
    bass: str = "precision_bass"
    line: str = "roots"  # backing.LINES
    chords: str = "piano"
    comp: str = "block"  # backing.COMPS
    lead: str = "piano"
    melody: str = "vocal"  # melody.BEHAVIOURS
    extra: str = "none"
    role: str = "counter:2 arp"  # backing.ROLES
    form: str = "song"  # form.FORMS
    looseness: float = 0.005
    laid_back: float = 0.0
    production: Production = field(default_factory=Production)


@dataclass(frozen=True)
class PlayerStyle:
    """An instrument term: who plays it, in which idioms, alone or in what company."""

    name: str
    instrument: str  # instruments (score.INSTRUMENTS), or kits when the only part is drums
    hosts: str  # names of styles, spaces written as _
    parts: str = "lead:3 chords"  # which part(s) the instrument takes; 'lead+chords' takes both
    solo: float = 0.3  # odds of no accompaniment but its own chords
    small: float = 0.5  # odds that the host's company is thinned to one or two others
    tempo: tuple[float, float] | None = None
    melody: str = ""  # overrides the host's
    comp: str = ""
    line: str = ""
    role: str = ""
    groove: str = ""
    chords: str = ""  # company
    bass: str = ""
    kit: str = ""
    lead: str = ""
    extra: str = ""
