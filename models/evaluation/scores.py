"""Symbolic evaluation: the arranger's scores as songs, and statistics of songs.

A score becomes a `Song`, so that the composer's own rules judge it and the corpus'
instruments play it, side by side with what the composer wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.corpus.composer.composer import compose
from models.engine.controls import Controls
from models.evaluation import ears
from models.music.harmony import MINOR_LIKE, chord_intervals
from models.music.score import FRAME_SECONDS, INSTRUMENTS, KITS, MODES, PITCHED
from models.music.song import NOTE, Production, Song
from models.music.tonality import estimate_key, pitch_class_weights
from models.music.voicing import voice
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.state import State
from models.segue.arranger.steps import (
    ACTION,
    ACTION_TOUCH,
    DRUM_COLUMNS,
    HOLD,
    HOLD_HALF,
    LEVEL_VELOCITY,
    NOTE_PARTS,
    SECTIONS,
    STRIKE,
    SYMBOL,
    TOKEN,
    Rows,
    code_pitch,
)

Figures = dict[str, float]
BLOCK: Final = 2  # frames in a block of the arranger


def write(
    arranger: Arranger,
    style: NDArray[np.float32] | None,
    controls: Controls,
    seconds: float,
    seed: int,
) -> Song:
    """The song that the arranger writes in `seconds` under steady controls.

    Args:
        arranger: that writes.
        style: (style_dim,) the mix; None for no style.
        controls: of every block.
        seconds: length of the song.
        seed: of the stream.

    Returns:
        A song in the setting of its last bar; its production is the default one.

    """
    state = arranger.start(seed)
    rows: list[NDArray[np.uint8]] = []
    sections: list[int] = []
    for _ in range(int(np.ceil(seconds / FRAME_SECONDS / BLOCK))):
        before = state.history.length
        _, state, _ = arranger.block(state, style, controls, BLOCK)
        for index in range(before, state.history.length):
            row = state.history.get(index)
            assert row is not None
            rows.append(row)
            sections.append(state.form.section)
    return to_song(np.stack(rows), np.array(sections), state, controls.bpm, seed)


def to_song(
    rows: Rows, sections: NDArray[np.int64], state: State, bpm: float | None, seed: int
) -> Song:
    """Rows (T, WIDTH or more) written in the setting and key of `state`, as a song."""
    setting = state.setting
    assert setting is not None
    tonic, mode = state.key
    instruments = [INSTRUMENTS[i] for i in setting.instruments]
    names = dict(zip(PITCHED, instruments, strict=True))
    notes = {part: _line(rows, part, tonic) for part in NOTE_PARTS}
    notes["chords"] = _strikes(rows, tonic, names["chords"])
    return Song(
        seed=seed,
        terms=(),
        captions=(),
        bpm=bpm or setting.bpm,
        swing=setting.swing if setting.steps_per_beat % 2 == 0 else 0.5,
        steps_per_beat=setting.steps_per_beat,
        steps_per_bar=setting.steps_per_bar,
        tonic=tonic,
        mode=mode,
        kit=KITS[setting.kit],
        instruments=names,
        drums=LEVEL_VELOCITY[rows[:, DRUM_COLUMNS]].astype(np.uint8),
        notes=notes,
        chords=rows[:, SYMBOL].astype(np.int16) - 1,
        sections=sections.astype(np.int16),
        section_names=SECTIONS,
        looseness=0.002,
    )


def _spans(actions: NDArray[np.uint8], touches: NDArray[np.uint8]) -> list[tuple[int, float, int]]:
    """(step, length in steps, velocity) of each onset of a column."""
    spans: list[tuple[int, float, int]] = []
    for step in np.flatnonzero(actions >= STRIKE).tolist():
        level, short = divmod(int(touches[step]), 2)
        length, at = (0.5 if short else 1.0), step + 1
        while not short and at < len(actions) and actions[at] in (HOLD, HOLD_HALF):
            length += 1.0 if actions[at] == HOLD else 0.5
            at += 1
            if actions[at - 1] == HOLD_HALF:
                break
        spans.append((step, length, int(LEVEL_VELOCITY[level + 1])))
    return spans


def _line(rows: Rows, part: str, tonic: int) -> NDArray[np.void]:
    column = TOKEN[part]
    spans = _spans(rows[:, column], rows[:, column + 1])
    notes = [
        (step, length, code_pitch(int(rows[step, column]) - STRIKE, tonic), velocity)
        for step, length, velocity in spans
    ]
    return np.array(notes, NOTE)


def _strikes(rows: Rows, tonic: int, instrument: str) -> NDArray[np.void]:
    notes: list[tuple[int, float, int, int]] = []
    voicing: tuple[int, ...] | None = None
    for step, length, velocity in _spans(rows[:, ACTION], rows[:, ACTION_TOUCH]):
        symbol = int(rows[step, SYMBOL]) - 1
        if symbol < 0:
            continue
        voicing = voice(symbol, tonic, instrument, voicing)
        notes += [(step, length, pitch, velocity) for pitch in voicing]
    return np.array(notes, NOTE)


def describe(song: Song) -> Figures:
    """How a song keeps to its key, and how rich it is.

    Returns:
        Shares from 0 to 1 by name: `scale PART` of the sounding time in the mode's notes, `tonic
        PART` on the tonic, `chords` of the time under a chord inside the mode, `tonic chord`,
        `tonic bar` of four-bar groups that begin on it, `bass root` of the bass notes on a beat,
        `lead chordal` of the lead's notes on a beat; `right` 1 where Krumhansl's profiles find the
        key; `margin` by how much it leads; `entropy` of the pitch classes and `pitches` of the
        notes in bits; `chord entropy` in bits; `symbols` the number of chords.

    """
    scale = set(MODES[song.mode])
    seconds = song.step_seconds
    out: Figures = {}
    total = np.zeros(12)
    for part in PITCHED:
        notes = song.notes.get(part)
        if notes is None or not len(notes):
            continue
        classes = np.roll(pitch_class_weights({part: notes}, seconds), -song.tonic)
        total += classes
        out[f"scale {part}"] = float(classes[list(scale)].sum() / classes.sum())
        out[f"tonic {part}"] = float(classes[0] / classes.sum())
    sounding = song.chords[song.chords >= 0]
    if len(sounding):
        inside = [set(chord_intervals(int(s))) <= scale for s in sounding]
        roots = np.array([chord_intervals(int(s))[0] for s in sounding])
        out["chords"] = float(np.mean(inside))
        out["tonic chord"] = float(np.mean(roots == 0))
        fours = song.chords[:: 4 * song.steps_per_bar]
        fours = fours[fours >= 0]
        if len(fours):
            out["tonic bar"] = float(np.mean([chord_intervals(int(s))[0] == 0 for s in fours]))
        odds = np.bincount(sounding) / len(sounding)
        out["chord entropy"] = _bits(odds)
        out["symbols"] = float((odds > 0).sum())
    for part, name in (("bass", "bass root"), ("lead", "lead chordal")):
        share = _on_chord(song, part, roots_only=part == "bass")
        if share is not None:
            out[name] = share
    if total.sum():
        weights = np.roll(total, song.tonic)
        found = estimate_key(weights)
        out["right"] = float(found == (song.tonic, song.mode in MINOR_LIKE))
        out["entropy"] = _bits(total / total.sum())
    pitches = np.concatenate([song.notes[p]["pitch"] for p in PITCHED if p in song.notes])
    if len(pitches):
        out["pitches"] = _bits(np.bincount(pitches) / len(pitches))
    onsets = (song.drums > 0).sum() + sum(len(song.notes[p]) for p in NOTE_PARTS if p in song.notes)
    out["onsets per second"] = float(onsets / song.seconds)
    return out


def _bits(odds: NDArray[np.float64]) -> float:
    odds = odds[odds > 0]
    return float(-(odds * np.log2(odds)).sum())


def _on_chord(song: Song, part: str, roots_only: bool) -> float | None:
    """Share of a part's notes on beats that are the chord's root, or any note of it."""
    hits = []
    for note in song.notes.get(part, np.zeros(0, NOTE)):
        step = int(note["step"])
        symbol = int(song.chords[min(step, song.steps - 1)])
        if step % song.steps_per_beat or symbol < 0:
            continue
        classes = chord_intervals(symbol)[: 1 if roots_only else None]
        hits.append((int(note["pitch"]) - song.tonic) % 12 in classes)
    return float(np.mean(hits)) if hits else None


def form_figures(song: Song) -> Figures:
    """How alike a section is when it returns, and how different sections are.

    Returns:
        For the parts together, over up to eight bars: `return rhythm`, the share of onsets that
        fall where the section's first statement has one of that part; `return pitch`, the share
        that also have its pitch class (chords: the same symbol); `other rhythm` and `other pitch`,
        the same against the first statement of another section; `sections`, how many there are;
        `contrast`, the standard deviation of the sections' onsets per step relative to their mean.

    """
    edges = [0, *(np.flatnonzero(np.diff(song.sections)) + 1).tolist(), song.steps]
    spans = [(a, b) for a, b in pairwise(edges) if b - a >= 2 * song.steps_per_bar]
    table = _onset_table(song)
    first: dict[int, tuple[int, int]] = {}
    alike: dict[str, list[float]] = {}
    for begin, end in spans:
        name = int(song.sections[begin])
        for other, (start, stop) in first.items():
            size = min(end - begin, stop - start, 8 * song.steps_per_bar)
            now, then = table[begin : begin + size], table[start : start + size]
            struck = now >= 0
            if not struck.any():
                continue
            kind = "return" if other == name else "other"
            alike.setdefault(f"{kind} rhythm", []).append(float((then >= 0)[struck].mean()))
            alike.setdefault(f"{kind} pitch", []).append(float((then == now)[struck].mean()))
        first.setdefault(name, (begin, end))
    out = {name: float(np.mean(values)) for name, values in alike.items()}
    out["sections"] = float(len(first))
    busy = np.array([(table[a:b] >= 0).sum() + (song.drums[a:b] > 0).sum() for a, b in spans])
    rate = busy / np.maximum(1, np.array([b - a for a, b in spans]))
    out["contrast"] = float(rate.std() / max(rate.mean(), 1e-9)) if len(rate) else 0.0
    return out


def _onset_table(song: Song) -> NDArray[np.int64]:
    """(steps, parts): pitch class of each part's onset, the symbol for chords, -1 for none."""
    table = np.full((song.steps, len(PITCHED)), -1, np.int64)
    for column, part in enumerate(PITCHED):
        notes = song.notes.get(part, np.zeros(0, NOTE))
        steps = notes["step"]
        table[steps, column] = song.chords[steps] if part == "chords" else notes["pitch"] % 12
    return table


def mean_figures(
    songs: Sequence[Song], figures_of: Callable[[Song], Figures] = describe
) -> Figures:
    """Means of `describe` or another function over songs, each over those that have the figure."""
    found = [figures_of(song) for song in songs]
    names = dict.fromkeys(name for figures in found for name in figures)
    return {name: float(np.mean([f[name] for f in found if name in f])) for name in names}


def production_of(term: str, seed: int) -> Production:
    """The mix that the corpus would give to a song of this term."""
    return compose(seed, [(term, 1.0)], seconds=4.0, split="eval").production


def key_score(song: Song, seconds: float, seed: int) -> float:
    """MIREX score of the song's key by essentia's key finder, played by the corpus'
    instruments; the first two seconds are left out.
    """
    found = ears.key(_audio(song, seconds, seed)[2 * ears.SAMPLE_RATE :])
    scale = "minor" if song.mode in MINOR_LIKE else "major"
    return ears.key_score((song.tonic, scale), found)


def tempo_verdict(song: Song, seconds: float, seed: int) -> str:
    """The verdict of `ears.tempo_verdict` on the song's tempo."""
    found = ears.tempo(_audio(song, seconds, seed)[2 * ears.SAMPLE_RATE :])
    return ears.tempo_verdict(song.bpm, found)


def _audio(song: Song, seconds: float, seed: int) -> NDArray[np.float32]:
    from models.corpus.sound.render import fit_range, render

    return render(fit_range(song), np.random.default_rng(seed), seconds, "eval").mix
