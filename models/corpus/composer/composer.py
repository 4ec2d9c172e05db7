"""Composer: a seed and prompt terms become a song.

`compose` draws a plan and a form; then drummer, bassist, accompanist, melodist and second voice
play bar by bar. The same seed, terms and split give the same song.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.corpus.composer.backing import Accompanist, Bassist, SecondVoice
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
from models.errors import SegueError
from models.music.form import METRES, Section, sections
from models.music.score import DRUMS, PITCHED, parse_key
from models.music.song import NOTE, Song
from models.music.tonality import agrees
from models.music.voicing import chord_register, voice
from models.segue.style.terms import caption

ATTEMPTS: Final = 4
"""Most attempts at a song whose notes imply its key."""


def compose(
    seed: int,
    terms: Sequence[tuple[str, float]] | None = None,
    seconds: float = 30.0,
    bpm: float | None = None,
    key: str | None = None,
    split: str = "train",
) -> Song:
    """Compose a song; deterministic.

    Args:
        seed: 0 or more.
        terms: (name, weight) pairs of `models.corpus.styles.TERMS`; None draws one to three.
        seconds: least length, 1 to 3600; the song has whole bars.
        bpm: tempo, 30 to 300; the style's if None.
        key: such as 'A minor'; the style's mode and a random tonic if None.
        split: 'train' or 'eval'.

    Raises:
        SegueError: an unknown term, key or split, or a value out of range.

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
    """Writer of one song."""

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
        instruments = plan.instruments
        common = (style.metre, tonic, mode)
        self.bassist = Bassist(rng, style.line, instruments["bass"], *common)
        self.accompanist = Accompanist(rng, style.comp, style.metre)
        above = (
            sum(chord_register(instruments["chords"])) // 2 - 2
            if instruments["chords"] != "none"
            else 0
        )
        self.lead = Melodist(
            rng, style.melody, instruments["lead"], *common, self.bar_seconds, above
        )
        self.second = SecondVoice(rng, style.role, instruments["extra"], *common, self.bar_seconds)
        self.notes: dict[str, list[Note]] = {part: [] for part in PITCHED}
        self.voicing: tuple[int, ...] | None = None
        self.progressions: dict[int, tuple[tuple[int, ...], ...]] = {}
        self.played: dict[int, int] = {}

    def song(self, seed: int, terms: tuple[tuple[str, float], ...], split: str) -> Song:
        """The song of all sections."""
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
        caption_rng = np.random.default_rng([seed, 77])
        first_caption = " and ".join(name for name, _ in terms)
        captions = (first_caption, *(caption(terms, caption_rng) for _ in range(3)))
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
                existing = list(self.progressions.values())
                self.progressions[section.index] = existing[0]
            else:
                self.progressions[section.index] = progression(
                    self.rng, self.plan.style.harmony, self.mode
                )
        entries = self.progressions[section.index]
        rate = float(self.plan.style.rate)
        if len(entries) >= 8:
            rate = min(rate, 1.0)
        if self.bar_seconds < 1.1 and len(entries) < 8:  # fast bars: slower chord changes
            rate = max(rate, 1.0) * 2
        if self.bar_seconds > 3.4:
            rate = min(rate, 1.0)
        begin = self.played.get(section.index, 0) if len(entries) > 8 else 0
        self.played[section.index] = begin + section.bars
        symbols = np.zeros(section.bars * self.bar, np.int16)
        for step in range(len(symbols)):
            bar, within = divmod(step, self.bar)
            within -= within % self.beat  # chords change on beats
            bar_number = (begin + bar + within / self.bar) / rate
            entry = entries[int(bar_number) % len(entries)]
            symbols[step] = entry[int((bar_number - int(bar_number)) * len(entry) + 1e-9)]
        return symbols

    def _section(
        self,
        section: Section,
        first: int,
        symbols: NDArray[np.int16],
        drums: NDArray[np.float32],
        number: int,
    ) -> None:
        rng, bar = self.rng, self.bar
        last_section = number == len(self.sections) - 1
        density_factor = {
            part: float(np.exp(rng.normal(0.0, 0.12))) for part in ("drums", *PITCHED)
        }
        loudness = 0.9 + 0.12 * min(section.level, 1.5) + rng.normal(0.0, 0.03)
        fill_at_end = rng.random() < 0.75 and not last_section
        for bar_number in range(section.bars):
            chords = symbols[bar_number * bar : (bar_number + 1) * bar]
            following = int(symbols[((bar_number + 1) * bar) % len(symbols)])
            start = (first + bar_number) * bar
            # One or two parts alone keep a higher minimum density.
            min_level = {1: 0.75, 2: 0.55}.get(len(section.parts), 0.3)
            levels = {
                part: float(np.clip(section.level * density_factor[part], min_level, 2.0))
                for part in density_factor
            }
            if "drums" in section.parts and self.drummer is not None:
                only = section.drums_only
                grid = self.drummer.play(bar_number, levels["drums"], section.second, only)
                end = bar_number == section.bars - 1
                if section.name == "build":
                    self.drummer.build(grid, (bar_number + 1) / section.bars)
                elif end and fill_at_end and only is None:
                    self.drummer.fill(grid, section.bars >= 8 and rng.random() < 0.5)
                elif bar_number % 4 == 3 and only is None and rng.random() < 0.25:
                    self.drummer.fill(grid, False)
                if bar_number == 0 and self.drummer.crash and number and only is None:
                    grid[0, DRUMS.index("crash")] = 104
                drums[bar_number * bar : (bar_number + 1) * bar] = grid * loudness
            before = sum(map(len, self.notes.values()))
            self._pitched(section, bar_number, start, chords, following, levels, loudness)
            silent = before == sum(map(len, self.notes.values()))
            if silent and not drums[bar_number * bar : (bar_number + 1) * bar].any():
                # No part plays in this bar: let one play.
                part = min(self.plan.focus & self.used, default=min(self.used))
                fallback = replace(section, parts=frozenset({part}))
                neutral = dict.fromkeys(levels, 1.0)
                self._pitched(fallback, bar_number, start, chords, following, neutral, loudness)

    def _pitched(
        self,
        section: Section,
        bar_number: int,
        start: int,
        chords: NDArray[np.int16],
        following: int,
        levels: dict[str, float],
        loudness: float,
    ) -> None:
        index = section.index
        lead: list[Note] = []
        if "bass" in section.parts:
            self._add(
                "bass",
                start,
                loudness,
                self.bassist.play(index, bar_number, levels["bass"], chords, following),
            )
        if "chords" in section.parts:
            self._strikes(
                start, loudness, self.accompanist.play(index, bar_number, levels["chords"], chords)
            )
        if "lead" in section.parts:
            alone = len(section.parts) == 1
            lead = self.lead.play(index, bar_number, levels["lead"], chords, alone)
            self._add("lead", start, loudness, lead)
        if "extra" in section.parts:
            self._add(
                "extra",
                start,
                loudness,
                self.second.play(index, bar_number, levels["extra"], chords, lead),
            )

    def _add(self, part: str, start: int, loudness: float, notes: list[Note]) -> None:
        self.notes[part] += [
            (start + step, length, pitch, int(velocity * loudness))
            for step, length, pitch, velocity in notes
        ]

    def _strikes(self, start: int, loudness: float, strikes: list[Note]) -> None:
        """Add chord strikes as notes; sustained styles may tie over the bar line."""
        instrument = self.plan.instruments["chords"]
        notes = self.notes["chords"]
        for step, length, symbol, velocity in strikes:
            pitches = voice(int(symbol), self.tonic, instrument, self.voicing)
            if step == 0 and self.accompanist.sustained and pitches == self.voicing and notes:
                tied = [n for n in notes[-8:] if n[0] + n[1] > start - 1.5]
                if tied and self.rng.random() < 0.6 and len(tied) == len(pitches):
                    existing = len(notes) - len(tied)
                    notes[existing:] = [(s, start + length - s, p, v) for s, _, p, v in tied]
                    continue
            self.voicing = pitches
            notes += [(start + step, length, p, int(velocity * loudness)) for p in pitches]


def _finish(notes: list[Note], steps: int, part: str) -> NDArray[np.void]:
    """Notes as a sorted NOTE array within the song, without overlaps."""
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
        # One note per step: the last, so that grace notes do not replace it.
        table = table[np.append(onsets[1:] != onsets[:-1], True)]
        onsets = table["step"]
    next_index = np.searchsorted(onsets, onsets, side="right")
    next_onset = np.append(onsets, steps)[next_index]
    table["length"] = np.maximum(np.minimum(table["length"], next_onset - onsets), 0.25)
    return table
