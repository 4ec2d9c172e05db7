"""Form of the music over minutes: section, length, parts that may play, and fullness.

The composer's forms (`models.music.form.FORMS`) are laid out as the music goes, round and round:
an intro, themes, variations, builds, breaks, returns. The network says which form suits the style,
and writes the bars.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.form import FORMS, LETTERS
from models.music.score import PARTS
from models.segue.arranger.steps import SECTIONS, section_code

OPENINGS: Final = frozenset({"intro", "alap"})
THIN: Final = OPENINGS | {"break", "build"}
PEAKS: Final = ("drop", "b", "solo")
"""Sections that a rise of energy leads to, the first that a form has."""
THEME_SECONDS: Final = 18.0  # length that a section comes near to, in whole powers of two of bars
MAX_BARS: Final = 16
THIN_BARS: Final = 4  # a thin section is no longer
OPENING_BARS: Final = 2
PHRASE_BARS: Final = 4
COMPANY_SHARE: Final = 0.5
"""Share of the phrases with one part alone that another joins, as in the corpus."""
LONGER: Final = 0.3  # share of sections that are twice as long
FILL_SHARE: Final = 0.75  # share of sections that end in a fill, as in the corpus
WITHOUT_DRUMS: Final = 0.3
"""Log-odds that a form loses whose themes have no drums, where there is a drummer."""
OWN_KITS: Final = {
    "raga": frozenset({"none", "tabla"}),
    "chamber": frozenset({"none", "frame", "orchestral", "latin"}),
}
"""Kits with which the corpus plays these forms."""
OUT_OF_PLACE: Final = 4.0
"""Log-odds that such a form loses with another drummer: by the names of its sections alone a raga
is like a song, and rock began with an alap; by its parts chamber music is, and a sixth of the rock
began with half a minute without drums.
"""
BANDS: Final = frozenset({"song", "club", "groove", "jam"})
"""Forms of bands: who has a drummer plays the themes with the drums, as on records."""
FOCUS_SHARE: Final = 0.85
"""Share of sections without a lead (chords, where nobody leads) that it joins, as in the corpus."""
LEAD: Final = 1 << PARTS.index("lead")
CHORDS: Final = 1 << PARTS.index("chords")
DRUMS: Final = 1 << PARTS.index("drums")
LEAP: Final = 0.25  # change of energy from which the form answers at once
CALM: Final = 0.3  # energy under which no peak is chosen
KEEN: Final = 0.7  # energy over which no thin section is chosen
UNIFORM_SHARE: Final = 0.05  # share of each section in every form, so that log-odds are finite
CHOICE: Final = 0.15  # spread of the noise that chooses among forms

Draw = Callable[[], float]
"""A number in [0, 1), another one each time."""


@dataclass(frozen=True)
class FormPlan:
    """Plan of the section that is being played.

    form: name in FORMS, "" before the first bar. place: sections entered since the start, this one
    included. bars: its length. parts: bits of the parts that may play, in PARTS' order. level: how
    full it is, about 1. fill: whether it ends in a fill. again: how often its name came before.
    counts: by section code, how often it has begun. energy: the control when it began, -1 for auto.
    """

    form: str = ""
    place: int = 0
    bars: int = 0
    parts: int = 0
    level: float = 1.0
    fill: bool = False
    again: int = 0
    counts: tuple[int, ...] = (0,) * len(SECTIONS)
    energy: float = -1.0

    @property
    def name(self) -> str:
        """The section's name in the form; "" before the first bar."""
        if not self.form or not self.place:
            return ""
        return self._section[0]

    @property
    def choices(self) -> str:
        """The composer's choices of parts for the section ("DBC/DC")."""
        return self._section[1]

    def begins_phrase(self, bar: int) -> bool:
        """Whether a phrase begins at a bar of the section (0 is its first): a long section has two,
        with parts of their own.
        """
        halves = self.bars >= 2 * PHRASE_BARS and self.name not in THIN
        return not bar or (halves and 2 * bar == self.bars)

    @property
    def _section(self) -> tuple[str, str, float]:
        table = FORMS[self.form]
        return table[(self.place - 1) % len(table)]


def likely_forms(
    sections: NDArray[np.floating], parts: NDArray[np.floating], available: int, kit: str = "none"
) -> dict[str, float]:
    """Log-odds of each form of FORMS.

    Args:
        sections: (len(SECTIONS),) odds of the first section's name.
        parts: (len(SECTIONS), 2 ** len(PARTS)) log-odds of the parts that play in each.
        available: bits of the parts that have an instrument.
        kit: the drummer's, of KITS.

    """
    odds = np.asarray(sections, np.float64) / np.sum(sections)
    found = {}
    for form, table in FORMS.items():
        codes = [section_code(name) for name, _, _ in table]
        shares = np.bincount(codes, minlength=len(SECTIONS)) / len(codes)
        shares = (1 - UNIFORM_SHARE) * shares + UNIFORM_SHARE / len(SECTIONS)
        name_fit = float(-(shares * np.log(shares / np.maximum(odds, 1e-4))).sum())
        fits = [
            np.logaddexp.reduce([max(parts[code, bits & available], -12.0) for bits in options])
            for code, (_, choices, _) in zip(codes, table, strict=True)
            if (options := part_options(choices, available))
        ]
        found[form] = name_fit + (0.5 * float(np.mean(fits)) if fits else -12.0)
        if DRUMS & available:
            found[form] -= WITHOUT_DRUMS * _drumless_share(form)
        if DRUMS & available and kit not in OWN_KITS.get(form, {kit}):
            found[form] -= OUT_OF_PLACE
    return found


@lru_cache(maxsize=len(FORMS))
def _drumless_share(form: str) -> float:
    """Share of the choices of a form's themes in which no drums play."""
    choices = [c for name, text, _ in FORMS[form] if name not in THIN for c in text.split("/")]
    return sum("D" not in letters for letters in choices) / len(choices)


def choose_form(odds: Mapping[str, float], draw: Draw) -> str:
    """The form with the largest of log-odds and noise (Gumbel-max, Maddison et al. 2014)."""
    noise = {form: -math.log(-math.log(min(max(draw(), 1e-9), 1 - 1e-9))) for form in odds}
    return max(odds, key=lambda form: odds[form] + CHOICE * noise[form])


def in_form(plan: FormPlan, form: str) -> FormPlan:
    """The plan with another form, before its first section; one that is changed to in the middle
    of the music has no opening.
    """
    if form == plan.form:
        return plan
    opens = FORMS[form][0][0] in OPENINGS
    return FormPlan(form, place=1 if plan.place and opens else 0, energy=plan.energy)


def part_options(choices: str, available: int) -> list[int]:
    """Bits of each choice ("DBC/DC") of a form's section in which an available part plays."""
    options = [
        sum(1 << PARTS.index(LETTERS[letter]) for letter in letters)
        for letters in choices.split("/")
    ]
    return [bits for bits in options if bits & available]


def section_bars(name: str, bar_seconds: float, draw: Draw) -> int:
    """Length of a section in bars."""
    near: int = 2 ** round(math.log2(max(1.0, THEME_SECONDS / bar_seconds)))
    if name in OPENINGS:
        return OPENING_BARS  # who starts to play or clears wants to hear the music soon
    if name in THIN:
        return max(2, min(THIN_BARS, near // 2))
    bars = min(MAX_BARS, max(2, near))
    return min(MAX_BARS, 2 * bars) if draw() < LONGER else bars


def next_section(
    plan: FormPlan,
    available: int,
    bar_seconds: float,
    energy: float | None,
    favour: Callable[[int, int], float],
    draw: Draw,
) -> FormPlan:
    """The plan of the section that comes next.

    Args:
        plan: of the section that ends.
        available: bits of the parts that have an instrument and are not muted.
        bar_seconds: length of a bar.
        energy: 0 to 1, None for auto. Where it has changed by LEAP since the section began, a rise
            past the middle leads to the form's peak and a fall to its calmest section; a low one
            passes over peaks, a high one over thin sections.
        favour: log-odds of a set of parts (bits) in a section (code).
        draw: random numbers.

    """
    table = FORMS[plan.form]
    place = plan.place
    rise = 0.0 if energy is None or plan.energy < 0 else energy - plan.energy
    for _ in range(len(table)):
        name = table[place % len(table)][0]
        if _suits(name, place, len(table), energy, rise):
            break
        place += 1
    else:
        place = plan.place
    name, choices, level = table[place % len(table)]
    code, drums = section_code(name), DRUMS & available
    needed = drums if not place or _has_drums(plan.form, name) else 0
    parts = _draw_parts(choices, available, needed, partial(favour, code), draw)
    bars = section_bars(name, bar_seconds, draw)
    if drums and not parts & drums:
        bars = min(bars, THIN_BARS)  # who has a drummer does not wait long
    counts = list(plan.counts)
    counts[code] += 1
    return replace(
        plan,
        place=place + 1,
        bars=bars,
        parts=parts,
        level=level,
        fill=draw() < FILL_SHARE,
        again=plan.counts[code],
        counts=tuple(counts),
        energy=-1.0 if energy is None else energy,
    )


def next_phrase(
    plan: FormPlan, available: int, favour: Callable[[int, int], float], draw: Draw
) -> FormPlan:
    """The plan of a section whose second phrase begins; arguments as of `next_section`."""
    code = section_code(plan.name)
    needed = DRUMS & available if _has_drums(plan.form, plan.name) else 0
    parts = _draw_parts(plan.choices, available, needed, partial(favour, code), draw)
    return replace(plan, parts=parts)


def _draw_parts(
    choices: str, available: int, needed: int, favour: Callable[[int], float], draw: Draw
) -> int:
    """Bits of the parts of a phrase: one of the choices, by their log-odds and with `needed` bits
    where any has them, and who joins it.
    """
    options = part_options(choices, available) or [available]
    if any(bits & needed for bits in options):
        options = [bits for bits in options if bits & needed]
    noise = [-math.log(-math.log(min(max(draw(), 1e-9), 1 - 1e-9))) for _ in options]
    odds = [favour(bits & available) + n for bits, n in zip(options, noise, strict=True)]
    parts = options[int(np.argmax(odds))]
    focus = LEAD & available or CHORDS & available
    if not parts & focus and draw() < FOCUS_SHARE:
        parts |= focus
    alone, others = parts & available, available & ~parts
    if alone.bit_count() == 1 and others and draw() < COMPANY_SHARE:
        joining = [1 << i for i in range(len(PARTS)) if others >> i & 1]
        parts |= max(joining, key=lambda bit: favour(alone | bit))
    return parts


def _has_drums(form: str, section: str) -> bool:
    """Whether the drums play in a section of a form, where there are any."""
    return form in BANDS and section not in THIN


def _suits(name: str, place: int, size: int, energy: float | None, rise: float) -> bool:
    """Whether a section may come next."""
    if name in OPENINGS and place >= size:
        return False  # an intro comes once
    if energy is not None and rise >= LEAP and energy >= 0.5:
        return name in PEAKS
    if energy is not None and rise <= -LEAP and energy <= 0.5:
        return (name in THIN and name != "build") or name == "a"
    if energy is not None and energy > KEEN:
        return name not in THIN
    if energy is not None and energy < CALM:
        return name not in PEAKS
    return True


def is_over(plan: FormPlan, bar: int, energy: float | None) -> bool:
    """Whether a section ends before its bar `bar` (0 is its first)."""
    leaps = energy is not None and plan.energy >= 0 and abs(energy - plan.energy) >= LEAP
    return not plan.place or bar >= plan.bars or leaps


def part_limits(energy: float | None) -> tuple[int, int]:
    """Minimum and maximum number of parts that play at once: one at energy 0, all at 1."""
    if energy is None:
        return 1, len(PARTS)
    spare = len(PARTS) - 1
    maximum = 1 + round(2 * spare * energy) if energy < 0.5 else len(PARTS)
    minimum = 1 + round(2 * spare * (energy - 0.5)) if energy > 0.5 else 1
    return minimum, maximum


def fullness(plan: FormPlan, energy: float | None) -> float:
    """Log-odds that the plan adds to every onset."""
    level = 0.8 * math.log(max(plan.level, 0.3)) if plan.place else 0.0
    return level if energy is None else level + 2.4 * (energy - 0.5)
