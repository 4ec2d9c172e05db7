"""Plan of a song: styles, instruments, tempo and production from prompt terms.

A mixture of terms takes each aspect from one of them, drawn by weight; an instrument term always
brings its instrument. Combinations of terms are held out for evaluation by a hash of their
names, seeds by the split's own random stream.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.corpus.styles import GENRES, INSTRUMENT_TERMS, PLAYERS, STYLES, TERMS
from models.corpus.styles.base import PlayerStyle, Style, choose, words
from models.errors import SegueError
from models.music.score import PITCHED
from models.music.song import Production

SPLITS: Final = ("train", "eval")
HELD_OUT_SHARE: Final = 10  # one combination of terms in ten is for evaluation only
Terms = tuple[tuple[str, float], ...]


@dataclass
class SongPlan:
    """All choices of a song except its notes."""

    style: Style  # its weighted words already drawn
    bpm: float
    swing: float
    instruments: dict[str, str]
    kit: str
    focus: frozenset[str]  # parts that must not rest for long
    present: frozenset[str]  # parts of instrument terms
    groove_second: str


def split_rng(seed: int, split: str, purpose: int = 0) -> np.random.Generator:
    """Random generator of a seed in a split; splits share no streams. SegueError if unknown."""
    if split not in SPLITS:
        raise SegueError(f"'{split}' is no split of the corpus; use one of {', '.join(SPLITS)}.")
    if seed < 0:
        raise SegueError(f"A seed must be zero or more; {seed} is not.")
    return np.random.default_rng([seed, SPLITS.index(split), purpose, 0x5E6])


def is_held_out(names: Iterable[str]) -> bool:
    """Whether a combination of two or more terms is for evaluation only."""
    ordered = sorted(set(names))
    if len(ordered) < 2:
        return False
    return zlib.crc32("|".join(ordered).encode()) % HELD_OUT_SHARE == 0


def _kit_term(name: str) -> bool:
    return name in PLAYERS and PLAYERS[name].parts == "drums"


def _is_allowed(first: Sequence[str], name: str, split: str) -> bool:
    if name in first or (_kit_term(name) and any(_kit_term(f) for f in first)):
        return False
    pairs = [is_held_out((other, name)) for other in first]
    if split == "train":
        return not any(pairs) and not is_held_out((*first, name))
    return any(pairs) or is_held_out((*first, name))


def draw_terms(seed: int, split: str = "train") -> Terms:
    """One to three random terms with weights. The first terms of 120 consecutive seeds (from a
    multiple of 120) are all different, so that the corpus is balanced.
    """
    cycle, place = divmod(seed, len(TERMS))
    first = TERMS[int(split_rng(cycle, split, 1).permutation(len(TERMS))[place])]
    rng = split_rng(seed, split, 2)
    count = int(rng.choice([1, 2, 3], p=[0.5, 0.4, 0.1]))
    names = [first]
    while len(names) < count:
        kinds: tuple[str, ...] = TERMS
        if rng.random() < 0.55:
            kinds = GENRES if first in PLAYERS else INSTRUMENT_TERMS
        name = kinds[int(rng.integers(len(kinds)))]
        # The second term decides whether the pair is held out; a third must not change it.
        if len(names) == 1 and _is_allowed(names, name, split):
            names.append(name)
        elif (
            len(names) == 2
            and name not in names
            and not (_kit_term(name) and any(_kit_term(n) for n in names))
        ):
            pairs = is_held_out((names[0], name)) or is_held_out((names[1], name))
            if split == "eval" or not (pairs or is_held_out((*names, name))):
                names.append(name)
    if count == 1:
        return ((first, 1.0),)
    shares = rng.dirichlet([3.0] + [2.0] * (count - 1))
    shares = 0.15 + (1 - 0.15 * count) * shares
    return tuple((name, float(share)) for name, share in zip(names, shares, strict=True))


def check_terms(terms: Iterable[tuple[str, float]]) -> Terms:
    """Terms with weights that sum to 1; SegueError for an unknown name or no positive weight."""
    chosen = []
    for name, weight in terms:
        if name not in STYLES and name not in PLAYERS:
            raise SegueError(
                f"'{name}' is no term of the composer; see models.corpus.styles.TERMS."
            )
        if not np.isfinite(weight) or weight < 0:
            raise SegueError(f"The weight of '{name}' must be zero or more, not {weight}.")
        if weight > 0:
            chosen.append((name, float(weight)))
    total = sum(weight for _, weight in chosen)
    if total <= 0:
        raise SegueError("At least one term needs a weight above zero.")
    return tuple((name, weight / total) for name, weight in chosen)


def _host(rng: np.random.Generator, player: PlayerStyle) -> Style:
    word = choose(rng, player.hosts)
    name = word if word in STYLES else word.replace("_", " ")
    return STYLES[name]


@dataclass(frozen=True)
class _TermVoice:
    """Contribution of a term: a style, and the parts of its instrument."""

    style: Style
    instrument: str = ""
    parts: tuple[str, ...] = ()
    solo: bool = False
    small: bool = False
    player: PlayerStyle | None = None


def _term_voice(rng: np.random.Generator, name: str) -> _TermVoice:
    if name in STYLES:
        return _TermVoice(STYLES[name])
    player = PLAYERS[name]
    style = _host(rng, player)
    fields = {
        word: getattr(player, word)
        for word in ("melody", "comp", "line", "role", "groove", "chords", "bass", "lead", "extra")
        if getattr(player, word)
    }
    instrument = choose(rng, player.instrument)
    parts = tuple(choose(rng, player.parts).split("+"))
    if parts == ("drums",):
        fields["kit"] = instrument
        if player.name == "Funk Drums" and rng.random() < 0.25:
            fields["kit"] = instrument = "breaks" if rng.random() < 0.3 else "funk"
    draw = rng.random()
    solo = draw < player.solo
    small = not solo and draw < player.solo + player.small * (1 - player.solo)
    return _TermVoice(replace(style, **fields), instrument, parts, solo, small, player)


MONOPHONIC: Final = words(
    """violin fiddle viola cello erhu flute recorder tin_whistle pan_flute oboe clarinet
    bass_clarinet bassoon soprano_sax alto_sax tenor_sax baritone_sax trumpet muted_trumpet trombone
    french_horn tuba didgeridoo precision_bass voice_oohs"""
)
"""Instruments that play one note at a time: their solos have no chords."""

ASPECTS: Final[tuple[tuple[str, ...], ...]] = (
    ("tempo", "metre", "swing", "looseness", "laid_back"),
    ("groove",),
    ("kit",),
    ("bass", "line"),
    ("chords", "comp"),
    ("lead", "melody"),
    ("extra", "role"),
    ("mode", "harmony", "rate"),
    ("form",),
    ("production",),
)

WEIGHTED_FIELDS: Final = (
    *("metre", "mode", "harmony", "rate", "groove", "kit", "bass", "line"),
    *("chords", "comp", "lead", "melody", "extra", "role", "form"),
)
"""Fields of a style that are weighted words."""


def make_plan(rng: np.random.Generator, terms: Terms) -> SongPlan:
    """Draw all choices of a song from its terms."""
    voices = [_term_voice(rng, name) for name, _ in terms]
    weights = np.array([weight for _, weight in terms])
    fields: dict[str, object] = {}
    sources: dict[str, int] = {}
    for group in ASPECTS:
        source = int(rng.choice(len(voices), p=weights))
        if group == ("kit",) and rng.random() < 0.6:
            source = sources["groove"]
        sources[group[0]] = source
        for field in group:
            fields[field] = getattr(voices[source].style, field)
    main = voices[sources["tempo"]].style
    style = replace(main, name="+".join(name for name, _ in terms), **fields)  # type: ignore[arg-type]
    bpm = _tempo(rng, voices, weights, main)
    second = choose(rng, style.groove)
    drawn = {word: choose(rng, getattr(style, word)) for word in WEIGHTED_FIELDS}
    style = replace(style, **drawn)  # type: ignore[arg-type]
    instruments = {part: getattr(style, part) for part in PITCHED}
    style, kit, present = _assign_parts(rng, voices, weights, style, instruments, style.kit)
    focus = present or {"lead" if instruments["lead"] != "none" else "chords"}
    if len(voices) == 1 and voices[0].player is not None:
        kit = _thin_accompaniment(rng, voices[0], instruments, kit, present)
    elif len(voices) == 1:
        _enrich(rng, voices[0].style, instruments)
    if kit == "none" and all(name == "none" for name in instruments.values()):
        instruments["chords"] = choose(rng, "warm_pad electric_piano piano")
    used = {part for part, name in instruments.items() if name != "none"}
    if kit != "none":
        used.add("drums")
    focus = {part for part in focus if part in used} or set(sorted(used)[:1])
    return SongPlan(
        style,
        bpm,
        float(rng.uniform(*style.swing)),
        instruments,
        kit,
        frozenset(focus),
        frozenset(present),
        second,
    )


def _enrich(rng: np.random.Generator, style: Style, instruments: dict[str, str]) -> None:
    """Add parts to a single genre: usually at least two beside drums and bass."""
    target = 2 if rng.random() < 0.8 else 1
    for part in ("chords", "lead", "extra"):
        present = sum(instruments[p] != "none" for p in ("chords", "lead", "extra"))
        fields = " ".join(w for w in getattr(style, part).split() if not w.startswith("none"))
        if present < target and instruments[part] == "none" and fields:
            instruments[part] = choose(rng, fields)


def _tempo(
    rng: np.random.Generator, voices: list[_TermVoice], weights: np.ndarray, main: Style
) -> float:
    """The main style's tempo, or one in between (on a logarithmic scale) in a mixture."""
    tempi = [np.log(rng.uniform(*voice.style.tempo)) for voice in voices]
    if len(voices) > 1 and rng.random() < 0.35:
        return float(np.exp(np.dot(weights, tempi)))
    return float(rng.uniform(*main.tempo))


def _assign_parts(
    rng: np.random.Generator,
    voices: list[_TermVoice],
    weights: np.ndarray,
    style: Style,
    instruments: dict[str, str],
    kit: str,
) -> tuple[Style, str, set[str]]:
    """Assign parts to instrument terms, in order of weight."""
    taken: set[str] = set()
    for index in np.argsort(-weights, kind="stable"):
        voice = voices[int(index)]
        if voice.player is None:
            continue
        offer = voice.style
        if voice.parts == ("drums",):
            if "drums" not in taken:
                kit = voice.instrument
                style = replace(style, groove=choose(rng, offer.groove), kit=kit)
                taken.add("drums")
            continue
        parts = [part for part in voice.parts if part not in taken]
        if not parts:
            order = [p for p in ("lead", "extra", "chords", "bass") if p not in taken]
            if not order:
                continue
            parts = order[:1]
        if len(voices) > 1:  # leave room for the others
            parts = parts[:1] if rng.random() < 0.6 else parts[:2]
        for part in parts:
            instruments[part] = voice.instrument
            taken.add(part)
            if part == "lead":
                style = replace(style, melody=choose(rng, offer.melody))
            elif part == "chords":
                style = replace(style, comp=choose(rng, offer.comp))
            elif part == "bass":
                style = replace(style, line=choose(rng, offer.line))
            else:
                style = replace(style, role=choose(rng, offer.role))
    return style, kit, taken


def _thin_accompaniment(
    rng: np.random.Generator,
    voice: _TermVoice,
    instruments: dict[str, str],
    kit: str,
    present: set[str],
) -> str:
    """Remove parts around a single instrument term; returns the kit or 'none'."""
    if (
        voice.solo
        and present == {"lead"}
        and voice.instrument not in MONOPHONIC
        and rng.random() < 0.8
    ):
        instruments["chords"] = voice.instrument
        present.add("chords")
    others = [part for part in PITCHED if part not in present and instruments[part] != "none"]
    if "drums" not in present and kit != "none":
        others.append("drums")
    if not voice.solo and not voice.small:
        return kit
    count = 0 if voice.solo else int(rng.integers(1, 3))
    # Preferred accompaniment: chords for a line, a bass for chords.
    priority = {"chords": 3.0, "bass": 2.0, "extra": 1.0, "lead": 0.7, "drums": 1.0}
    chosen: list[str] = []
    while others and len(chosen) < count:
        weights = np.array([priority[part] for part in others])
        part = others[int(rng.choice(len(others), p=weights / weights.sum()))]
        others.remove(part)
        chosen.append(part)
    for part in PITCHED:
        if part not in present and part not in chosen:
            instruments[part] = "none"
    return kit if "drums" in present or "drums" in chosen else "none"


def vary_production(
    rng: np.random.Generator, base: Production, focus: Iterable[str] = ()
) -> Production:
    """A random variation of a production, with parts in `focus` slightly louder."""

    def varied(amount: float, top: float = 1.0) -> float:
        return float(np.clip(amount * np.exp(rng.normal(0.0, 0.25)), 0.0, top))

    levels = {part: float(rng.normal(0.0, 1.2)) for part in ("drums", *PITCHED)}
    for part, gain in base.levels_db.items():
        levels[part] = levels.get(part, 0.0) + gain
    for part in focus:
        levels[part] += 2.0
    return replace(
        base,
        reverb_amount=varied(base.reverb_amount),
        delay=varied(base.delay),
        delay_beats=float(
            rng.choice([base.delay_beats, 0.5, 0.75, 1.0], p=[0.55, 0.15, 0.15, 0.15])
        ),
        delay_feedback=varied(base.delay_feedback, 0.7),
        drive=varied(base.drive),
        tape=varied(base.tape),
        vinyl=varied(base.vinyl),
        pump=varied(base.pump),
        width=varied(base.width, 1.5),
        tilt_db=float(np.clip(base.tilt_db + rng.normal(0.0, 1.3), -6, 6)),
        compress=varied(base.compress),
        lowpass_hz=base.lowpass_hz * float(rng.uniform(0.75, 1.4)),
        chorus=varied(base.chorus),
        phaser=varied(base.phaser),
        levels_db=levels,
    )
