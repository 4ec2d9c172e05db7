"""From prompt terms to a plan: which style gives the groove, the harmony, each player. Offline lane.

A mixture of terms takes each aspect from one of them, drawn by weight; an instrument term always
brings its instrument. Combinations of terms are kept apart for evaluation by a hash of their
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
HELD_OUT_SHARE: Final = 10  # one combination of terms in ten is heard in evaluation only
Terms = tuple[tuple[str, float], ...]


@dataclass
class SongPlan:
    """One song's choices, before any note is written."""

    style: Style  # words already drawn: every choice is a single word
    bpm: float
    swing: float
    instruments: dict[str, str]
    kit: str
    focus: frozenset[str]  # parts that must not rest for long
    present: frozenset[str]  # parts of instrument terms
    groove_second: str


def split_rng(seed: int, split: str, purpose: int = 0) -> np.random.Generator:
    """The random stream of a seed in a split; the splits never share a stream."""
    if split not in SPLITS:
        raise SegueError(f"'{split}' is no split of the corpus; use one of {', '.join(SPLITS)}.")
    if seed < 0:
        raise SegueError(f"A seed must be zero or more; {seed} is not.")
    return np.random.default_rng([seed, SPLITS.index(split), purpose, 0x5E6])


def is_held_out(names: Iterable[str]) -> bool:
    """Whether this combination of two or more terms is kept for evaluation."""
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
    """One to three terms with weights. Any 120 seeds in a row (from a multiple of 120) lead with
    every term once, so the corpus is balanced."""
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
        # The second term alone decides whether the pair is held out; a third must not undo it.
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
    kept = []
    for name, weight in terms:
        if name not in STYLES and name not in PLAYERS:
            raise SegueError(
                f"'{name}' is no term of the composer; see models.corpus.styles.TERMS."
            )
        if not np.isfinite(weight) or weight < 0:
            raise SegueError(f"The weight of '{name}' must be zero or more, not {weight}.")
        if weight > 0:
            kept.append((name, float(weight)))
    total = sum(weight for _, weight in kept)
    if total <= 0:
        raise SegueError("At least one term needs a weight above zero.")
    return tuple((name, weight / total) for name, weight in kept)


def _host(rng: np.random.Generator, player: PlayerStyle) -> Style:
    word = choose(rng, player.hosts)
    name = word if word in STYLES else word.replace("_", " ")
    return STYLES[name]


@dataclass(frozen=True)
class _TermVoice:
    """One term's offer: a style, and the parts its instrument must have."""

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
    given = {
        word: getattr(player, word)
        for word in ("melody", "comp", "line", "role", "groove", "chords", "bass", "lead", "extra")
        if getattr(player, word)
    }
    instrument = choose(rng, player.instrument)
    parts = tuple(choose(rng, player.parts).split("+"))
    if parts == ("drums",):
        given["kit"] = instrument
        if player.name == "Funk Drums" and rng.random() < 0.25:
            given["kit"] = instrument = "breaks" if rng.random() < 0.3 else "funk"
    dice = rng.random()
    solo = dice < player.solo
    small = not solo and dice < player.solo + player.small * (1 - player.solo)
    return _TermVoice(replace(style, **given), instrument, parts, solo, small, player)


MONOPHONIC: Final = words(
    """violin fiddle viola cello erhu flute recorder tin_whistle pan_flute oboe clarinet
    bass_clarinet bassoon soprano_sax alto_sax tenor_sax baritone_sax trumpet muted_trumpet trombone
    french_horn tuba didgeridoo precision_bass voice_oohs"""
)
"""Instruments that play one note at a time: a solo stays a line."""

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
"""The fields of a style that hold weighted words."""


def make_plan(rng: np.random.Generator, terms: Terms) -> SongPlan:
    """Draw every choice of a song from its terms."""
    voices = [_term_voice(rng, name) for name, _ in terms]
    odds = np.array([weight for _, weight in terms])
    given: dict[str, object] = {}
    sources: dict[str, int] = {}
    for group in ASPECTS:
        source = int(rng.choice(len(voices), p=odds))
        if group == ("kit",) and rng.random() < 0.6:
            source = sources["groove"]
        sources[group[0]] = source
        for field in group:
            given[field] = getattr(voices[source].style, field)
    main = voices[sources["tempo"]].style
    style = replace(main, name="+".join(name for name, _ in terms), **given)  # type: ignore[arg-type]
    bpm = _tempo(rng, voices, odds, main)
    second = choose(rng, style.groove)
    drawn = {word: choose(rng, getattr(style, word)) for word in WEIGHTED_FIELDS}
    style = replace(style, **drawn)  # type: ignore[arg-type]
    instruments = {part: getattr(style, part) for part in PITCHED}
    style, kit, present = _assign_parts(rng, voices, odds, style, instruments, style.kit)
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
    """A genre on its own is at least two parts beside drums and bass, mostly."""
    wanted = 2 if rng.random() < 0.8 else 1
    for part in ("chords", "lead", "extra"):
        have = sum(instruments[p] != "none" for p in ("chords", "lead", "extra"))
        given = " ".join(w for w in getattr(style, part).split() if not w.startswith("none"))
        if have < wanted and instruments[part] == "none" and given:
            instruments[part] = choose(rng, given)


def _tempo(
    rng: np.random.Generator, voices: list[_TermVoice], odds: np.ndarray, main: Style
) -> float:
    """The main style's tempo, or one in between (on a logarithmic scale) in a mixture."""
    tempi = [np.log(rng.uniform(*voice.style.tempo)) for voice in voices]
    if len(voices) > 1 and rng.random() < 0.35:
        return float(np.exp(np.dot(odds, tempi)))
    return float(rng.uniform(*main.tempo))


def _assign_parts(
    rng: np.random.Generator,
    voices: list[_TermVoice],
    odds: np.ndarray,
    style: Style,
    instruments: dict[str, str],
    kit: str,
) -> tuple[Style, str, set[str]]:
    """Give every instrument term its part: the heaviest chooses first."""
    taken: set[str] = set()
    for index in np.argsort(-odds, kind="stable"):
        voice = voices[int(index)]
        if voice.player is None:
            continue
        offered = voice.style
        if voice.parts == ("drums",):
            if "drums" not in taken:
                kit = voice.instrument
                style = replace(style, groove=choose(rng, offered.groove), kit=kit)
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
                style = replace(style, melody=choose(rng, offered.melody))
            elif part == "chords":
                style = replace(style, comp=choose(rng, offered.comp))
            elif part == "bass":
                style = replace(style, line=choose(rng, offered.line))
            else:
                style = replace(style, role=choose(rng, offered.role))
    return style, kit, taken


def _thin_accompaniment(
    rng: np.random.Generator,
    voice: _TermVoice,
    instruments: dict[str, str],
    kit: str,
    present: set[str],
) -> str:
    """Thin the host's company round a single instrument term; returns the kit that stays."""
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
    keep = 0 if voice.solo else int(rng.integers(1, 3))
    # What accompanies best: a line needs chords, chords need a bass.
    liking = {"chords": 3.0, "bass": 2.0, "extra": 1.0, "lead": 0.7, "drums": 1.0}
    kept: list[str] = []
    while others and len(kept) < keep:
        odds = np.array([liking[part] for part in others])
        part = others[int(rng.choice(len(others), p=odds / odds.sum()))]
        others.remove(part)
        kept.append(part)
    for part in PITCHED:
        if part not in present and part not in kept:
            instruments[part] = "none"
    return kit if "drums" in present or "drums" in kept else "none"


def vary_production(
    rng: np.random.Generator, base: Production, focus: Iterable[str] = ()
) -> Production:
    """A production near `base`: no two mixes alike. Parts in `focus` are a little louder."""

    def near(amount: float, top: float = 1.0) -> float:
        return float(np.clip(amount * np.exp(rng.normal(0.0, 0.25)), 0.0, top))

    levels = {part: float(rng.normal(0.0, 1.2)) for part in ("drums", *PITCHED)}
    for part, gain in base.levels_db.items():
        levels[part] = levels.get(part, 0.0) + gain
    for part in focus:
        levels[part] += 2.0
    return replace(
        base,
        reverb_amount=near(base.reverb_amount),
        delay=near(base.delay),
        delay_beats=float(
            rng.choice([base.delay_beats, 0.5, 0.75, 1.0], p=[0.55, 0.15, 0.15, 0.15])
        ),
        delay_feedback=near(base.delay_feedback, 0.7),
        drive=near(base.drive),
        tape=near(base.tape),
        vinyl=near(base.vinyl),
        pump=near(base.pump),
        width=near(base.width, 1.5),
        tilt_db=float(np.clip(base.tilt_db + rng.normal(0.0, 1.3), -6, 6)),
        compress=near(base.compress),
        lowpass_hz=base.lowpass_hz * float(rng.uniform(0.75, 1.4)),
        chorus=near(base.chorus),
        phaser=near(base.phaser),
        levels_db=levels,
    )
