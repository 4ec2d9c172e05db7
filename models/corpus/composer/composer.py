"""The composer: a seed and a few prompt terms become a song. Offline lane; pure numpy.

`compose` draws a plan (composer_plan), lays out the form, then lets each player play bar by bar:
drummer, bassist, comper, melodist, second. The same seed, terms and split give the same song.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.corpus.composer.backing import Accompanist, Bassist, SecondVoice
from models.corpus.composer.form import METRES, Section, sections
from models.corpus.composer.grooves import Drummer
from models.corpus.composer.harmony import progression
from models.corpus.composer.melody import Melodist, Note
from models.corpus.composer.plan import (
    SongPlan,
    check_terms,
    draw_terms,
    make_plan,
    split_rng,
    vary_production,
)
from models.corpus.composer.tonality import agrees
from models.errors import SegueError
from models.music.score import DRUMS, PITCHED, parse_key
from models.music.song import NOTE, Song
from models.music.voicing import chord_register, voice
from models.segue.style.terms import caption

ATTEMPTS: Final = 4
"""A song whose notes suggest another key than its own is written again, up to so many times."""


def compose(
    seed: int,
    terms: Sequence[tuple[str, float]] | None = None,
    seconds: float = 30.0,
    bpm: float | None = None,
    key: str | None = None,
    split: str = "train",
) -> Song:
    """A song of at least `seconds`, in whole bars.

    `terms` are (name, weight) pairs from `models.corpus.styles.TERMS`; None draws one to three.
    `bpm` and `key` ('A minor') override the style's own. SegueError for an unknown term, key or
    split, or a length or tempo that no song has.
    """
    if not np.isfinite(seconds) or not 1.0 <= seconds <= 3600.0:
        raise SegueError(f"A song lasts 1 to 3600 seconds; {seconds} is out of range.")
    if bpm is not None and not (np.isfinite(bpm) and 30.0 <= bpm <= 300.0):
        raise SegueError(f"A tempo is 30 to 300 beats a minute; {bpm} is out of range.")
    chosen = draw_terms(seed, split) if terms is None else check_terms(terms)
    rng = split_rng(seed, split, 3)
    plan = make_plan(rng, chosen)
    tonic, mode = int(rng.integers(12)), plan.style.mode
    if key is not None:
        tonic, mode = parse_key(key)
    for attempt in range(ATTEMPTS):
        writer = _SongWriter(rng, plan, seconds, bpm or plan.bpm, tonic, mode)
        song = writer.song(seed, chosen, split)
        if agrees(song.notes, song.step_seconds, tonic, mode) or attempt == ATTEMPTS - 1:
            break
    return song


class _SongWriter:
    """Writes one song."""

    def __init__(
        self,
        rng: np.random.Generator,
        plan: SongPlan,
        seconds: float,
        bpm: float,
        tonic: int,
        mode: str,
    ) -> None:
        self.rng, self.plan, self.bpm, self.tonic, self.mode = rng, plan, bpm, tonic, mode
        style = plan.style
        self.metre = style.metre
        self.beat, self.bar = METRES[style.metre]
        self.bar_seconds = 60.0 / bpm * self.bar / self.beat
        self.bars = int(np.ceil(seconds / self.bar_seconds))
        self.used = {part for part, name in plan.instruments.items() if name != "none"}
        drums = plan.kit != "none"
        present = frozenset(self.used | ({"drums"} if drums else set()))
        self.sections = sections(rng, style.form, self.bars, self.bar_seconds, present, plan.focus)
        self.drummer = (
            Drummer(rng, style.groove, style.metre, plan.groove_second) if drums else None
        )
        make = plan.instruments
        common = (style.metre, tonic, mode)
        self.bassist = Bassist(rng, style.line, make["bass"], *common)
        self.comper = Accompanist(rng, style.comp, style.metre)
        above = sum(chord_register(make["chords"])) // 2 - 2 if make["chords"] != "none" else 0
        self.lead = Melodist(rng, style.melody, make["lead"], *common, self.bar_seconds, above)
        self.second = SecondVoice(rng, style.role, make["extra"], *common, self.bar_seconds)
        self.notes: dict[str, list[Note]] = {part: [] for part in PITCHED}
        self.voicing: tuple[int, ...] | None = None
        self.progressions: dict[int, tuple[tuple[int, ...], ...]] = {}
        self.played: dict[int, int] = {}

    def song(self, seed: int, terms: tuple[tuple[str, float], ...], split: str) -> Song:
        """Play every section and gather the result."""
        steps = self.bars * self.bar
        drums = np.zeros((steps, len(DRUMS)), np.float32)
        chords = np.full(steps, -1, np.int16)
        index = np.zeros(steps, np.int16)
        intensity = np.ones(steps, np.float32)
        first = 0
        for number, section in enumerate(self.sections):
            span = slice(first * self.bar, (first + section.bars) * self.bar)
            symbols = self._symbols(section)
            index[span], intensity[span] = section.index, section.level
            if section.parts & set(PITCHED):
                chords[span] = symbols
            self._section(section, first, symbols, drums[span], number)
            first += section.bars
        names: dict[int, str] = {s.index: s.name for s in self.sections}
        plan, style = self.plan, self.plan.style
        words = np.random.default_rng([seed, 77])
        said = " and ".join(name for name, _ in terms)
        captions = (said, *(caption(terms, words) for _ in range(3)))
        notes = {part: _finish(self.notes[part], steps, part) for part in PITCHED}
        return Song(
            seed=seed if split == "train" else seed + (1 << 31),
            terms=terms,
            captions=captions,
            bpm=self.bpm,
            swing=plan.swing if self.beat % 2 == 0 else 0.5,
            steps_per_beat=self.beat,
            steps_per_bar=self.bar,
            tonic=self.tonic,
            mode=self.mode,
            kit=plan.kit,
            instruments=dict(plan.instruments),
            drums=np.clip(np.where(drums > 0, np.maximum(drums, 12), 0), 0, 127).astype(np.uint8),
            notes=notes,
            chords=chords,
            sections=index,
            section_names=tuple(names.get(i, "") for i in range(max(names) + 1)),
            intensity=intensity,
            production=vary_production(self.rng, style.production, plan.present),
            looseness=style.looseness * float(self.rng.uniform(0.6, 1.4)),
            laid_back=style.laid_back * float(self.rng.uniform(0.5, 1.3)),
        )

    def _symbols(self, section: Section) -> NDArray[np.int16]:
        """Chord symbol of every step of a section."""
        if section.index not in self.progressions:
            reuse = self.progressions and self.rng.random() < 0.4
            if reuse:
                kept = list(self.progressions.values())
                self.progressions[section.index] = kept[0]
            else:
                self.progressions[section.index] = progression(
                    self.rng, self.plan.style.harmony, self.mode
                )
        entries = self.progressions[section.index]
        rate = float(self.plan.style.rate)
        if len(entries) >= 8:
            rate = min(rate, 1.0)
        if self.bar_seconds < 1.1 and len(entries) < 8:  # fast bars: chords would fly by
            rate = max(rate, 1.0) * 2
        if self.bar_seconds > 3.4:
            rate = min(rate, 1.0)
        begin = self.played.get(section.index, 0) if len(entries) > 8 else 0
        self.played[section.index] = begin + section.bars
        symbols = np.zeros(section.bars * self.bar, np.int16)
        for step in range(len(symbols)):
            bar, within = divmod(step, self.bar)
            within -= within % self.beat  # chords change on beats
            place = (begin + bar + within / self.bar) / rate
            entry = entries[int(place) % len(entries)]
            symbols[step] = entry[int((place - int(place)) * len(entry) + 1e-9)]
        return symbols

    def _section(
        self, section: Section, first: int, symbols: NDArray[np.int16], drums: NDArray, number: int
    ) -> None:
        rng, bar = self.rng, self.bar
        last_section = number == len(self.sections) - 1
        feel = {part: float(np.exp(rng.normal(0.0, 0.12))) for part in ("drums", *PITCHED)}
        loud = 0.9 + 0.12 * min(section.level, 1.5) + rng.normal(0.0, 0.03)
        fill_at_end = rng.random() < 0.75 and not last_section
        for place in range(section.bars):
            chords = symbols[place * bar : (place + 1) * bar]
            following = int(symbols[((place + 1) * bar) % len(symbols)])
            start = (first + place) * bar
            # One or two players alone carry the music, so they do not thin out as a band may.
            least = {1: 0.75, 2: 0.55}.get(len(section.parts), 0.3)
            levels = {part: float(np.clip(section.level * feel[part], least, 2.0)) for part in feel}
            if "drums" in section.parts and self.drummer is not None:
                only = section.drums_only
                grid = self.drummer.play(place, levels["drums"], section.second, only)
                end = place == section.bars - 1
                if section.name == "build":
                    self.drummer.build(grid, (place + 1) / section.bars)
                elif end and fill_at_end and only is None:
                    self.drummer.fill(grid, section.bars >= 8 and rng.random() < 0.5)
                elif place % 4 == 3 and only is None and rng.random() < 0.25:
                    self.drummer.fill(grid, False)
                if place == 0 and self.drummer.crash and number and only is None:
                    grid[0, DRUMS.index("crash")] = 104
                drums[place * bar : (place + 1) * bar] = grid * loud
            before = sum(map(len, self.notes.values()))
            self._pitched(section, place, start, chords, following, levels, loud)
            silent = before == sum(map(len, self.notes.values()))
            if silent and not drums[place * bar : (place + 1) * bar].any():
                # Nobody came in: somebody must, music does not stop.
                part = min(self.plan.focus & self.used, default=min(self.used))
                solo = replace(section, parts=frozenset({part}))
                calm = dict.fromkeys(levels, 1.0)
                self._pitched(solo, place, start, chords, following, calm, loud)

    def _pitched(
        self,
        section: Section,
        place: int,
        start: int,
        chords: NDArray[np.int16],
        following: int,
        levels: dict[str, float],
        loud: float,
    ) -> None:
        index = section.index
        lead: list[Note] = []
        if "bass" in section.parts:
            self._add(
                "bass",
                start,
                loud,
                self.bassist.play(index, place, levels["bass"], chords, following),
            )
        if "chords" in section.parts:
            self._strikes(start, loud, self.comper.play(index, place, levels["chords"], chords))
        if "lead" in section.parts:
            alone = len(section.parts) == 1
            lead = self.lead.play(index, place, levels["lead"], chords, alone)
            self._add("lead", start, loud, lead)
        if "extra" in section.parts:
            self._add(
                "extra", start, loud, self.second.play(index, place, levels["extra"], chords, lead)
            )

    def _add(self, part: str, start: int, loud: float, notes: list[Note]) -> None:
        self.notes[part] += [
            (start + step, length, pitch, int(velocity * loud))
            for step, length, pitch, velocity in notes
        ]

    def _strikes(self, start: int, loud: float, strikes: list[Note]) -> None:
        """Turn chord strikes into notes; held styles tie over the bar line."""
        instrument = self.plan.instruments["chords"]
        notes = self.notes["chords"]
        for step, length, symbol, velocity in strikes:
            pitches = voice(int(symbol), self.tonic, instrument, self.voicing)
            if step == 0 and self.comper.held and pitches == self.voicing and notes:
                tied = [n for n in notes[-8:] if n[0] + n[1] > start - 1.5]
                if tied and self.rng.random() < 0.6 and len(tied) == len(pitches):
                    kept = len(notes) - len(tied)
                    notes[kept:] = [(s, start + length - s, p, v) for s, _, p, v in tied]
                    continue
            self.voicing = pitches
            notes += [(start + step, length, p, int(velocity * loud)) for p in pitches]


def _finish(notes: list[Note], steps: int, part: str) -> NDArray[np.void]:
    """A sorted NOTE array inside the song; a line has one note at a time, a chord one strike."""
    table = (
        np.array([n for n in notes if 0 <= n[0] < steps], dtype=NOTE)
        if notes
        else np.zeros(0, NOTE)
    )
    if not len(table):
        return table
    table["length"] = np.minimum(table["length"], steps - table["step"])
    table["velocity"] = np.clip(table["velocity"], 1, 127)
    table = table[np.lexsort((table["pitch"], table["step"]))]
    onsets = table["step"]
    if part != "chords":
        # A grace note gives way to a note that is already there.
        table = table[np.append(onsets[1:] != onsets[:-1], True)]
        onsets = table["step"]
    later = np.searchsorted(onsets, onsets, side="right")
    until = np.append(onsets, steps)[later]
    table["length"] = np.maximum(np.minimum(table["length"], until - onsets), 0.25)
    return table
