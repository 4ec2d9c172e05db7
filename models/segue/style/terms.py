"""The 120 style terms, their synonyms, and captions made from them. Pure; any lane may call it.

The table lives in ``resources/terms.toml``: for each term its category, musical traits, tags,
other names, related terms and a description. `resolve` finds known names in free text, so that
words which a general sentence encoder has never met ("DnB", "squeezebox", "8-bit") still mean
what musicians mean by them. Whatever it does not find is left to the text encoder.
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

# Words that carry no style of their own: text made of hits and these is fully understood.
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
_WEAK = 0.3
_SMALL, _LARGE = 0.4, 2.0


@dataclass(frozen=True)
class Term:
    """One row of the table. `traits` are numbers in 0..1, but for bpm and year."""

    name: str
    category: str
    traits: Mapping[str, float]
    tags: tuple[str, ...]
    synonyms: tuple[str, ...]
    related: Mapping[str, float]
    description: str


@dataclass(frozen=True)
class Resolution:
    """What `resolve` understood of a text.

    mixture: weight of each term found, summing to 1 (empty when nothing was found).
    coverage: part of the text's meaningful words that the table explains, 0..1.
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
def _phrases() -> dict[tuple[str, ...], tuple[dict[str, float], bool]]:
    """Known word sequences: the mixture each means, and whether it is a weak (colouring) word."""
    weak = {tuple(tokens(word)) for word in _table()["weak"]["words"]}
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


def _misspelt(word: str) -> tuple[str, ...] | None:
    """The known single word that `word` is a slip of ("accordian"), if there is one."""
    if len(word) < 6:
        return None
    near = difflib.get_close_matches(word, _single_words(), n=1, cutoff=0.86)
    return (near[0],) if near else None


def resolve(text: str) -> Resolution:
    """Find term names and synonyms in `text`, longest first.

    "minimal techno with a bit of squeezebox" gives Minimal Techno 0.71, Accordion 0.29.
    Names after "no" or "without" are left out. Never raises; unknown text gives coverage 0.
    """
    words = tokens(text)
    phrases = _phrases()
    longest = max(map(len, phrases))
    hits: list[tuple[dict[str, float], bool, float]] = []
    understood = meaningful = i = 0
    denied = False
    while i < len(words):
        match: tuple[str, ...] | None = None
        size = min(longest, len(words) - i)
        for n in range(size, 0, -1):
            if tuple(words[i : i + n]) in phrases:
                match, size = tuple(words[i : i + n]), n
                break
        word = words[i]
        if match is None and word not in _FILLER and word not in _NEGATIONS:
            match, size = _misspelt(word), 1
        if match is not None:
            if not denied:
                before = " ".join(words[max(0, i - 4) : i])
                scale = _SMALL if _LESS.search(before) else _LARGE if _MORE.search(before) else 1.0
                mixture, weak = phrases[match]
                hits.append((mixture, weak, scale))
            denied = False
            understood += size
            meaningful += size
            i += size
            continue
        if word in _NEGATIONS:
            denied = True
        elif word not in _FILLER:
            meaningful += 1
        i += 1
    strong = any(not weak for _, weak, _ in hits)
    total: dict[str, float] = {}
    for mixture, weak, scale in hits:
        for name, weight in mixture.items():
            part = weight * scale * (_WEAK if weak and strong else 1.0)
            total[name] = total.get(name, 0.0) + part
    whole = sum(total.values())
    return Resolution(
        {name: weight / whole for name, weight in total.items()} if whole else {},
        understood / meaningful if meaningful and hits else 0.0,
    )


def term(name: str) -> Term:
    """The row called `name` exactly. Raises SegueError for a name that is not one of the 120."""
    if name not in INDEX:
        close = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise SegueError(f"{name!r} is not one of the {len(NAMES)} style terms.{hint}")
    return TERMS[INDEX[name]]


_ONE = (
    "{a}", "{a} music", "{a}, please", "a {a} track", "some {a}", "{a} style", "the sound of {a}",
    "{A}.", "a piece with {a}", "{a}: {d}", "{d}", "music with {d}", "{a} groove", "pure {a}",
    "a recording of {a}", "play me {a}", "{d}, {a}",
)  # fmt: skip
_TWO = (
    "{a} with {b}", "{a} and {b}", "{a}, {b}", "{b} over {a}", "{a} meets {b}", "{a} + {b}",
    "a blend of {a} and {b}", "{a} featuring {b}", "{b} playing {a}", "{a} mixed with {b}",
    "a {a} track with some {b}", "{a}; {b}", "{a} / {b}", "{a} infused with {b}",
)  # fmt: skip
_UNEVEN = (
    "{a} with a touch of {b}", "mostly {a} with a bit of {b}", "{a} with a hint of {b}",
    "{a}, slightly {b}", "mainly {a}, some {b}",
)  # fmt: skip


def _spoken(name: str, rng: np.random.Generator) -> str:
    """The term's own name in a random case, or one of its synonyms."""
    row = term(name)
    if row.synonyms and rng.random() < 0.45:
        return str(rng.choice(row.synonyms))
    return name if rng.random() < 0.4 else name.lower()


def caption(
    terms_with_weights: Mapping[str, float] | Sequence[tuple[str, float]],
    rng: np.random.Generator,
) -> str:
    """A caption for a weighted set of terms: from a single word to a sentence.

    Terms under a tenth of the largest weight go unmentioned. Raises SegueError for an unknown
    name or when no weight is positive.
    """
    pairs = sorted(dict(terms_with_weights).items(), key=lambda pair: -pair[1])
    for name, _ in pairs:
        term(name)
    pairs = [pair for pair in pairs if pair[1] > 0 and pair[1] >= 0.1 * pairs[0][1]]
    if not pairs:
        raise SegueError("A caption needs at least one term with a positive weight.")
    first = pairs[0][0]
    spoken = [_spoken(name, rng) for name, _ in pairs]
    about = term(first).description
    if len(pairs) == 1:
        template = str(rng.choice(_ONE))
        head = spoken[0][:1].upper() + spoken[0][1:]
        return template.format(a=spoken[0], A=head, d=about)
    uneven = pairs[1][1] < 0.6 * pairs[0][1]
    template = str(rng.choice(_UNEVEN if uneven and rng.random() < 0.7 else _TWO))
    text = template.format(a=spoken[0], b=spoken[1])
    if len(spoken) > 2:
        text += ", " + " and ".join(spoken[2:4])
    if rng.random() < 0.12:
        text = f"{text}, {about}"
    return text
