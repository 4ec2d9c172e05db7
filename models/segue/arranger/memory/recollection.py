"""Memory of what is played in: a past for the arranger that it has not written itself.

Audio injection (Live Music Models, section 4.2 and appendix E) puts the performer's sound into the
context that the model goes on from. The arranger's context are rows, so what was played is written
down as rows, which take the place of its own wherever it may copy from. Freely they stand where
they were played; the looper fills every place with the loop of the last bars.

The network was taught songs in which each bar follows from the ones before, and knows nothing of
who played them. How far the remembered row decides is guidance between the odds with it and without
(Ho & Salimans 2022, eq. 6), for a copy an added log-odds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.engine.hearing import Hearing
from models.music.harmony import MINOR_LIKE
from models.music.hearing.transcript import Transcript
from models.music.score import (
    DRUMS,
    FRAME_SECONDS,
    MODE_NAMES,
    PARTS,
    PITCHED,
    SAMPLE_RATE,
)
from models.music.tonality import key_correlations
from models.segue.arranger.clock import Tick, scramble
from models.segue.arranger.memory.rows import DRUM_OF, row_of
from models.segue.arranger.network import LAGS
from models.segue.arranger.state import Row, State, empty_row
from models.segue.arranger.steps import (
    ACTION,
    DRUM_COLUMNS,
    SYMBOL,
    TOKEN,
    WIDTH,
    Setting,
)

RECALL: Final = 4.0  # log-odds for what was played, at full amount
TONES: Final = 3.0  # of its pitch classes, from the strongest to one that was not played
HARMONY: Final = 0.6  # share of the whole bar in them, the rest is the place's
RHYTHM: Final = 2.0  # of an onset where one was played, and against one where none was
KEY_BARS: Final = 4  # of which the key is heard, freely
KEY_HITS: Final = 5  # onsets that tell a key
KEY_LEAD: Final = 0.2  # in correlation over the present key, at full amount, before it changes
FARTHEST: Final = 64  # turns of the loop back in which something is looked for


@dataclass(frozen=True, eq=False)
class HeardMusic:
    """What was played, and by how many seconds its clock is ahead of the stream's."""

    transcript: Transcript
    lead: float


@dataclass(frozen=True, eq=False)
class Recollection:
    """What the memory holds for a step.

    Attributes:
        row: what was played at this place, its last column the bits of the parts in it.
        weight: log-odds for it.
        rhythm: log-odds of every onset.
        tones: (12,) log-odds of notes, from the tonic.
        drums: drums that were played in the bar around it.
        sources: rows for the places that the network copies from; None keeps its own.

    """

    row: Row
    weight: float
    rhythm: float
    tones: NDArray[np.float32]
    drums: tuple[int, ...]
    sources: tuple[Row | None, ...]

    def patched(self, rows: Sequence[Row | None]) -> list[Row | None]:
        """The network's sources with what was played in their place."""
        return [
            own if heard is None else _over(own, heard)
            for own, heard in zip(rows, self.sources, strict=True)
        ]


def heard_music(
    hearing: Hearing | None, controls: Controls, state: State, delay: int
) -> HeardMusic | None:
    """What the arranger is to remember in the next block; None where the send is closed.

    Args:
        hearing: what has come in.
        controls: with the amount.
        state: of the arranger, before the block.
        delay: samples by which the engine's sound is behind its score.

    """
    if hearing is None or not controls.memory:
        return None
    lead = hearing.seconds - state.frames * FRAME_SECONDS + delay / SAMPLE_RATE
    return HeardMusic(hearing.transcript, lead)


def recollect(
    heard: HeardMusic,
    controls: Controls,
    tick: Tick,
    setting: Setting,
    tonic: int,
    active: int,
    seed: int,
) -> Recollection | None:
    """What the memory holds for a step; None where nothing was played.

    Args:
        heard: what was played.
        controls: amount, mode and length of the loop.
        tick: of the step.
        setting: the band, for the registers of its instruments.
        tonic: pitch class 0..11 that rows count from.
        active: bits of the parts that sound in this bar.
        seed: of the stream, with which the amount's share of places is drawn.

    """
    amount = controls.memory or 0.0
    if amount <= 0.0 or not heard.transcript.chroma:
        return None
    step = round(tick.beats * tick.steps_per_beat)
    now, bar = tick.start + heard.lead, bar_seconds(tick)
    looper = controls.memory_mode == "looper"
    length = bar * (controls.loop_bars if looper else 1)
    place = last_place(now, length, heard.transcript.until - tick.length)
    if place is None or not _played(heard.transcript, place, bar):
        return None

    def row_at(time: float) -> Row | None:
        if not _played(heard.transcript, time, bar):
            return None
        return row_of(heard.transcript, time, tick.length, setting, tonic, active)

    row = row_at(place)
    assert row is not None
    sources: list[Row | None] = []
    for index, lag in enumerate((*LAGS, 0)):
        source = None
        if scramble(seed, step, index, 0x3E) < amount:
            if looper or not lag:
                source = row if looper else None
            elif (time := now - lag * bar) < heard.transcript.until - tick.length:
                source = row_at(time)
        sources.append(source)
    around = heard.transcript.hits_from(place - bar / 2, place + bar / 2)
    here = heard.transcript.hits_from(place - tick.length / 2, place + tick.length / 2)
    kinds = {DRUM_OF[hit.kind] for hit in around if hit.kind in DRUM_OF}
    rhythm = 0.0
    if len(around) > 1:
        rhythm = amount * RHYTHM * (1.0 if here else -0.5)
    return Recollection(
        row=row,
        weight=amount * RECALL,
        rhythm=rhythm,
        tones=amount * _tones(heard.transcript, place, tick.length, bar, tonic),
        drums=tuple(DRUMS.index(drum) for drum in sorted(kinds)),
        sources=tuple(sources),
    )


def modulated(state: State, heard: HeardMusic | None, controls: Controls) -> State:
    """The state in the key of what was played, where that is clear and the key is on auto.

    Rows count from the tonic, so the music goes on in the other key as after a turn of the control.
    """
    setting = state.setting
    if heard is None or setting is None or controls.key is not None or not state.ticks:
        return state
    bar = bar_seconds(state.ticks[-1])
    length = bar * (controls.loop_bars if controls.memory_mode == "looper" else KEY_BARS)
    end = min(heard.transcript.until, state.clock.start + heard.lead)
    classes = heard.transcript.chroma_between(end - length, end)
    if len(heard.transcript.hits_from(end - length, end)) < KEY_HITS or not classes.any():
        return state
    minor = 12 if MODE_NAMES[setting.mode] in MINOR_LIKE else 0
    fits = key_correlations(classes)[minor : minor + 12]
    best = int(fits.argmax())
    clear = fits[best] - fits[state.tonic] > KEY_LEAD / max(controls.memory or 0.0, 0.05)
    return state.with_(tonic=best) if clear else state


def bar_seconds(tick: Tick) -> float:
    """Length of a bar at the tempo of a step."""
    return 60.0 / tick.bpm * tick.steps_per_bar / tick.steps_per_beat


def last_place(now: float, length: float, known: float) -> float | None:
    """The last time before `known` that lies whole loops of `length` seconds before `now`; None
    where that is too long ago.
    """
    turns = max(1, int(np.ceil((now - known) / length - 1e-9)))
    return now - turns * length if turns <= FARTHEST and now - turns * length >= 0.0 else None


def _played(transcript: Transcript, place: float, bar: float) -> bool:
    """Whether anything was played within half a bar of a place."""
    if place < -bar:
        return False
    if transcript.hits_from(place - bar / 2, place + bar / 2):
        return True
    return bool(transcript.chroma_between(place - bar / 4, place + bar / 4).any())


def _tones(
    transcript: Transcript, place: float, length: float, bar: float, tonic: int
) -> NDArray[np.float32]:
    """(12,) log-odds of notes, from the tonic, for the pitch classes played at a place and in the
    bar around it.
    """
    total = np.zeros(12)
    for share, half in ((1.0 - HARMONY, length), (HARMONY, bar / 2)):
        classes = np.roll(transcript.chroma_between(place - half, place + half), -tonic)
        if classes.any():
            strong = classes / classes.max()
            total += share * (strong - strong.mean())
    return np.asarray(TONES * total, np.float32)


def _over(own: Row | None, heard: Row) -> Row:
    """A row with what was played in it: parts that were played are played instead."""
    row = empty_row() if own is None else own.copy()
    bits = int(heard[WIDTH])
    if bits & 1:
        row[DRUM_COLUMNS] = heard[DRUM_COLUMNS]
    if heard[SYMBOL]:
        row[SYMBOL] = heard[SYMBOL]
    for part in PITCHED:
        if bits >> PARTS.index(part) & 1:
            column = ACTION if part == "chords" else TOKEN[part]
            row[column : column + 2] = heard[column : column + 2]
    row[WIDTH] |= bits
    return row


def favour_drums(logits: NDArray[np.float32], levels: int, found: Recollection | None) -> None:
    """Add to the drums' log-odds (drums * levels,), in place, for what was played."""
    if found is None or not found.drums:
        return
    table = logits.reshape(len(DRUMS), levels)
    for drum in found.drums:
        table[drum, int(found.row[DRUM_COLUMNS][drum])] += found.weight


def favour_symbol(logits: NDArray[np.float32], symbol: int, found: Recollection | None) -> None:
    """Add to the chord's log-odds (stay, none, symbols), in place, for the chord played."""
    known = 0 if found is None else int(found.row[SYMBOL])
    if found is not None and known:
        logits[0 if known == symbol else known + 1] += found.weight


def favour_code(logits: NDArray[np.float32], part: str, found: Recollection | None) -> None:
    """Add to a part's log-odds (its codes,), in place, for the note played."""
    if found is not None and int(found.row[WIDTH]) >> PARTS.index(part) & 1:
        column = ACTION if part == "chords" else TOKEN[part]
        logits[int(found.row[column])] += found.weight
