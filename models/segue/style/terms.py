"""Style terms: the table of 120 terms, their lookup in text, and captions made from them.

The table is `resources/terms.toml`: for each term its category, musical traits, tags, synonyms,
related terms and a description. `resolve` finds synonyms in free text, so that words unknown to a
general sentence encoder ("DnB", "squeezebox", "8-bit") have their musical meaning; the remaining
words are left to the encoder.
"""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import SegueError

RESOURCES = Path(__file__).resolve().parents[3] / "resources"
CATEGORIES = ("genre", "instrument", "mood")

# Stop words: they do not count in a text's coverage.
_FILLER_TEXT = """
    a an and the of in on with by for to my some like plus music style song track tune sound sounds
    vibe vibes playing played plays piece recording featuring feat ft meets mixed blended over into
    from please make me give play lots more bit touch hint little mostly mainly very slightly great
    good nice is it & + mix
"""
_FILLER = frozenset(_FILLER_TEXT.split())
_NEGATIONS = frozenset({"no", "without", "not", "minus", "except", "excluding"})
_LESS = re.compile(r"(?:a (?:bit|touch|hint|little|dash|pinch|tad)(?: of)?|slightly|some|slight)$")
_MORE = re.compile(r"(?:mostly|mainly|lots of|heavy on|dominated by|very|pure)$")
_WEAK_FACTOR = 0.3
_LESS_FACTOR, _MORE_FACTOR = 0.4, 2.0


@dataclass(frozen=True)
class Term:
    """Row of the table. `traits` are numbers in 0..1, except bpm and year."""

    name: str
    category: str
    traits: Mapping[str, float]
    tags: tuple[str, ...]
    synonyms: tuple[str, ...]
    related: Mapping[str, float]
    description: str


@dataclass(frozen=True)
class Resolution:
    """Terms found in a text.

    mixture: weight of each term found, summing to 1 (empty if there are none).
    coverage: share of the text's content words that are in the table, 0..1.
    """

    mixture: dict[str, float]
    coverage: float


@functools.cache
def _table() -> Mapping[str, dict]:  # type: ignore[type-arg]
    with (RESOURCES / "terms.toml").open("rb") as file:
        return tomllib.load(file)


def _load() -> tuple[Term, ...]:
    terms = []
    for name, row in _table().items():
        if name in ("mixtures", "weak", "scenes"):
            continue
        terms.append(
            Term(
                name,
                row["category"],
                row["traits"],
                tuple(row["tags"]),
                tuple(row["also"]),
                row["near"],
                row["about"],
            )
        )
    return tuple(terms)


TERMS: tuple[Term, ...] = _load()
NAMES: tuple[str, ...] = tuple(term.name for term in TERMS)
INDEX: dict[str, int] = {name: i for i, name in enumerate(NAMES)}
MIXTURES: dict[str, dict[str, float]] = _table()["mixtures"]
SCENES: dict[str, dict[str, float]] = _table()["scenes"]


def tokens(text: str) -> list[str]:
    """Lower-case words of `text`; hyphens, underscores, slashes and brackets separate words."""
    text = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return re.findall(r"[^\W_]+(?:['&][^\W_]+)*|&|\+", text)


@functools.cache
def _broad_genres() -> frozenset[tuple[str, ...]]:
    """Weak words that are genres of their own: they count less beside another genre alone."""
    return frozenset(tuple(tokens(word)) for word in _table()["weak"]["genres"])


@functools.cache
def _phrases() -> dict[tuple[str, ...], tuple[dict[str, float], bool]]:
    """Known word sequences: the mixture of each, and whether it is weak (an adjective that counts
    less beside others).
    """
    weak = {tuple(tokens(word)) for word in _table()["weak"]["words"]} | _broad_genres()
    found: dict[tuple[str, ...], tuple[dict[str, float], bool]] = {}

    def add(phrase: str, mixture: dict[str, float]) -> None:
        key = tuple(tokens(phrase))
        found[key] = (mixture, key in weak)
        if not key[-1].endswith("s"):
            plural = (*key[:-1], key[-1] + "s")
            found.setdefault(plural, found[key])

    for term in TERMS:
        for phrase in (*term.synonyms, term.name):
            add(phrase, {term.name: 1.0})
    for phrase, mixture in MIXTURES.items():
        add(phrase, mixture)
    return found


@functools.cache
def _single_words() -> list[str]:
    return [key[0] for key in _phrases() if len(key) == 1 and len(key[0]) >= 6]


def _spelling_match(word: str) -> tuple[str, ...] | None:
    """The known single word of which `word` is a misspelling ("accordian"), if any."""
    if len(word) < 6:
        return None
    matches = difflib.get_close_matches(word, _single_words(), n=1, cutoff=0.86)
    return (matches[0],) if matches else None


def resolve(text: str) -> Resolution:
    """Find term names and synonyms in a text, longest match first.

    "minimal techno with a bit of squeezebox" gives Minimal Techno 0.71, Accordion 0.29. Names after
    "no" or "without" are ignored. Never raises; unknown text gives coverage 0.
    """
    words = tokens(text)
    phrases = _phrases()
    longest = max(map(len, phrases))
    found_terms: list[tuple[dict[str, float], bool, bool, float]] = []
    known = content_words = i = 0
    negated = False
    while i < len(words):
        match: tuple[str, ...] | None = None
        size = min(longest, len(words) - i)
        for n in range(size, 0, -1):
            if tuple(words[i : i + n]) in phrases:
                match, size = tuple(words[i : i + n]), n
                break
        word = words[i]
        if match is None and word not in _FILLER and word not in _NEGATIONS:
            match, size = _spelling_match(word), 1
        if match is not None:
            if not negated:
                before = " ".join(words[max(0, i - 4) : i])
                less, more = _LESS.search(before), _MORE.search(before)
                scale = _LESS_FACTOR if less else _MORE_FACTOR if more else 1.0
                mixture, weak = phrases[match]
                found_terms.append((mixture, weak, match in _broad_genres(), scale))
            negated = False
            known += size
            content_words += size
            i += size
            continue
        if word in _NEGATIONS:
            negated = True
        elif word not in _FILLER:
            content_words += 1
        i += 1
    strong = [mixture for mixture, weak, _, _ in found_terms if not weak]
    genre = any(term(name).category != "instrument" for mixture in strong for name in mixture)
    total: dict[str, float] = {}
    for mixture, weak, broad, scale in found_terms:
        beside = genre if broad else bool(strong)
        for name, weight in mixture.items():
            part = weight * scale * (_WEAK_FACTOR if weak and beside else 1.0)
            total[name] = total.get(name, 0.0) + part
    sum_of_weights = sum(total.values())
    return Resolution(
        {name: weight / sum_of_weights for name, weight in total.items()} if sum_of_weights else {},
        known / content_words if content_words and found_terms else 0.0,
    )


def term(name: str) -> Term:
    """The term of exactly this name; SegueError if there is none."""
    if name not in INDEX:
        close = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise SegueError(f"{name!r} is not one of the {len(NAMES)} style terms.{hint}")
    return TERMS[INDEX[name]]


_SINGLE_TEMPLATES = (
    "{a}", "{a} music", "{a}, please", "a {a} track", "some {a}", "{a} style", "the sound of {a}",
    "{A}.", "a piece with {a}", "{a}: {d}", "{d}", "music with {d}", "{a} groove", "pure {a}",
    "a recording of {a}", "play me {a}", "{d}, {a}",
)  # fmt: skip
_PAIR_TEMPLATES = (
    "{a} with {b}", "{a} and {b}", "{a}, {b}", "{b} over {a}", "{a} meets {b}", "{a} + {b}",
    "a blend of {a} and {b}", "{a} featuring {b}", "{b} playing {a}", "{a} mixed with {b}",
    "a {a} track with some {b}", "{a}; {b}", "{a} / {b}", "{a} infused with {b}",
)  # fmt: skip
_UNEQUAL_TEMPLATES = (
    "{a} with a touch of {b}", "mostly {a} with a bit of {b}", "{a} with a hint of {b}",
    "{a}, slightly {b}", "mainly {a}, some {b}",
)  # fmt: skip


def _surface_form(name: str, rng: np.random.Generator) -> str:
    """A random form of a term's name: upper or lower case, or a synonym."""
    row = term(name)
    if row.synonyms and rng.random() < 0.45:
        return str(rng.choice(row.synonyms))
    return name if rng.random() < 0.4 else name.lower()


def caption(
    terms_with_weights: Mapping[str, float] | Sequence[tuple[str, float]],
    rng: np.random.Generator,
) -> str:
    """A random caption of weighted terms, from a single word to a sentence.

    Args:
        terms_with_weights: terms under a tenth of the largest weight are not mentioned.
        rng: random generator.

    Raises:
        SegueError: an unknown name, or no positive weight.

    """
    pairs = sorted(dict(terms_with_weights).items(), key=lambda pair: -pair[1])
    for name, _ in pairs:
        term(name)
    pairs = [pair for pair in pairs if pair[1] > 0 and pair[1] >= 0.1 * pairs[0][1]]
    if not pairs:
        raise SegueError("A caption needs at least one term with a positive weight.")
    first = pairs[0][0]
    names = [_surface_form(name, rng) for name, _ in pairs]
    about = term(first).description
    if len(pairs) == 1:
        template = str(rng.choice(_SINGLE_TEMPLATES))
        head = names[0][:1].upper() + names[0][1:]
        return template.format(a=names[0], A=head, d=about)
    unequal = pairs[1][1] < 0.6 * pairs[0][1]
    template = str(
        rng.choice(_UNEQUAL_TEMPLATES if unequal and rng.random() < 0.7 else _PAIR_TEMPLATES)
    )
    text = template.format(a=names[0], b=names[1])
    if len(names) > 2:
        text += ", " + " and ".join(names[2:4])
    if rng.random() < 0.12:
        text = f"{text}, {about}"
    return text
