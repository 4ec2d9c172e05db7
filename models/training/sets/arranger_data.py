"""Training data of the arranger: a pool of songs on disk, and batches drawn from it.

The pool is a folder of `songs-*.npz`, a few dozen composed
songs each, in rows of `models.segue.arranger.steps`. Seeds start high above those kept for
evaluation.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.music.score import CHORDS, PARTS
from models.segue.arranger.network import LAGS, LONG_AGO, SOURCES
from models.segue.arranger.setting import setting_codes
from models.segue.arranger.steps import (
    ACTION,
    DRUM_COLUMNS,
    LEVELS,
    MAX_BAR,
    NOTE_CODES,
    STRIKE,
    SYMBOL,
    TOKEN,
    WIDTH,
    Setting,
    StepSong,
    encode,
)

FIRST_SEED: Final = 50_000_000
SHARD: Final = 48  # songs a file
SECONDS: Final = 80.0  # of a song: long enough for sections to come back
ABSENT: Final = 255
Arrays: TypeAlias = dict[str, np.ndarray]
"""Arrays by the name of their field."""


def fill_pool(
    folder: Path, first: int, stride: int, songs: int, stop: Callable[[], bool] = lambda: False
) -> None:
    """Compose `songs` songs with seeds first, first + stride, ... into the pool, a shard at a time.

    Shards that exist are not composed again.
    """
    from models.corpus.composer.composer import compose

    os.nice(3)  # composing may wait for learning
    folder.mkdir(parents=True, exist_ok=True)
    for begin in range(0, songs, SHARD):
        path = folder / f"songs-{first + begin * stride}.npz"
        if path.exists():
            continue
        batch = []
        for number in range(begin, min(songs, begin + SHARD)):
            if stop():
                return
            batch.append(encode(compose(FIRST_SEED + first + number * stride, seconds=SECONDS)))
        write_shard(batch, path)


def write_shard(songs: Sequence[StepSong], path: Path) -> None:
    """Write songs as one compressed file, whole or not at all."""
    arrays: dict[str, Any] = {  # as numpy declares the keywords of savez
        name: np.concatenate([getattr(song, name) for song in songs])
        for name in ("rows", "active", "section", "section_bar", "returns", "density")
    }
    arrays["lengths"] = np.array([len(song.rows) for song in songs])
    notes = [
        [s.setting.metre, s.setting.kit, *s.setting.instruments, s.setting.mode] for s in songs
    ]
    arrays["settings"] = np.array(notes)
    arrays["pace"] = np.array([[s.setting.bpm, s.setting.swing] for s in songs])
    arrays["terms"] = np.frombuffer(json.dumps([s.terms for s in songs]).encode(), np.uint8)
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, **arrays)
    partial.replace(path)


def read_shard(path: Path) -> list[StepSong]:
    """The songs of one file."""
    with np.load(path) as arrays:
        data = {name: arrays[name] for name in arrays.files}
    terms = json.loads(data["terms"].tobytes())
    edges = np.concatenate([[0], np.cumsum(data["lengths"])])
    songs = []
    for index, (begin, end) in enumerate(pairwise(edges.tolist())):
        metre, kit, bass, chords, lead, extra, mode = (int(v) for v in data["settings"][index])
        bpm, swing = (float(v) for v in data["pace"][index])
        setting = Setting(metre, kit, (bass, chords, lead, extra), bpm, swing, mode)
        span = slice(begin, end)
        songs.append(
            StepSong(
                rows=data["rows"][span],
                active=data["active"][span],
                section=data["section"][span],
                section_bar=data["section_bar"][span],
                returns=data["returns"][span],
                density=data["density"][span],
                setting=setting,
                terms=tuple((name, weight) for name, weight in terms[index]),
            )
        )
    return songs


class SongPool:
    """The songs read so far; `refresh` reads what the worker has written since."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.songs: list[StepSong] = []
        self._read: set[str] = set()

    def refresh(self) -> int:
        """Read new shards; the number of songs."""
        for path in sorted(self.folder.glob("songs-*.npz")):
            if path.name not in self._read and not path.name.endswith(".partial.npz"):
                self._read.add(path.name)
                self.songs += read_shard(path)
        return len(self.songs)

    def density_quantiles(self, count: int = 33) -> NDArray[np.float32]:
        """(count,) quantiles of the songs' onset density (onsets per second)."""
        sample = np.concatenate([song.density[::8] for song in self.songs[:3000]])
        quantiles: NDArray[np.float32] = np.quantile(sample, np.linspace(0, 1, count)).astype(
            np.float32
        )
        return quantiles


@dataclass(frozen=True)
class StepBatch:
    """Sequences (B, T, ...); each may cross from one song to another. See `draw`."""

    previous: NDArray[np.uint8]  # (B, T, WIDTH) the row before, column 0 ABSENT for none
    lags: NDArray[np.uint8]  # (B, T, SOURCES, WIDTH)
    rows: NDArray[np.uint8]  # (B, T, WIDTH) what is to be written
    place: NDArray[np.int64]
    section: NDArray[np.int64]
    section_bar: NDArray[np.int64]
    active: NDArray[np.int64]  # bits
    change: NDArray[np.int64]
    density: NDArray[np.float32]  # onsets per second
    which: NDArray[np.int64]  # 0 before, 1 after the crossing
    valid: NDArray[np.bool_]
    plan: NDArray[np.bool_]  # bar starts whose plan is to be learned
    fresh: NDArray[np.bool_]  # (B,) the sequence begins with the song
    plan_section: NDArray[np.int64]
    returned: NDArray[np.int64]  # bits in that bar of the previous occurrence, -1 if none
    songs: NDArray[np.int64]  # (B, 2)


def _fragment(song: StepSong, rng: np.random.Generator, length: int) -> int:
    """A bar at which to begin, such that at least a part of `length` follows."""
    bar = song.setting.steps_per_bar
    bars = max(1, (len(song.rows) - min(length // 2, len(song.rows))) // bar)
    return int(rng.integers(bars)) * bar


def _line(song: StepSong, begin: int, end: int, start: int) -> Arrays:
    """Arrays of steps begin..end of a song; `start` is subtracted from returns."""
    span = slice(begin, end)
    returns = song.returns[span].astype(np.int64)
    bar = song.setting.steps_per_bar
    step = np.arange(begin, end)
    edge = np.zeros(end - begin, np.int64)
    first = (song.section_bar[span] == 0) & (step % bar == 0)
    edge[first] = song.section[span][first].astype(np.int64) + 1
    returned = np.where(returns >= 0, song.active[np.maximum(returns, 0)], -1)
    return {
        "rows": song.rows[span],
        "active": song.active[span],
        "section": song.section[span],
        "section_bar": song.section_bar[span],
        "density": song.density[span],
        "returns": np.where(returns >= begin - start, returns - begin + start, -1),
        "returned": np.where(returns >= begin - start, returned, -1),
        "edge": edge,
        "bar_step": step % bar,
    }


def draw_one(songs: Sequence[StepSong], rng: np.random.Generator, length: int) -> Arrays:
    """One sequence of `length` steps, fields of StepBatch without the first axis.

    A third cross at a bar line into another song: its style and setting are new, the music
    before is still the old song's, as when the performer changes the prompt.
    """
    first = int(rng.integers(len(songs)))
    a = songs[first]
    bar = a.setting.steps_per_bar
    luck = rng.random()
    begin = 0 if luck < 0.12 else _fragment(a, rng, length)
    forget = 0.12 <= luck < 0.22  # history cut off, as after a change of metre
    crosses = rng.random() < 0.35
    room = min(length, len(a.rows) - begin)
    cut = room
    if crosses:
        cut = min(room, int(rng.integers(1, max(2, length * 2 // 3 // bar))) * bar)
    history = 0 if not forget else begin
    line = _line(a, history, begin + cut, 0)
    offset = begin - history
    second, which_start = first, len(line["rows"])
    same_metre = True
    if crosses or room < length:
        second = int(rng.integers(len(songs)))
        b = songs[second]
        same_metre = b.setting.metre == a.setting.metre
        start = _fragment(b, rng, length - cut)
        end = min(len(b.rows), start + length - cut)
        other = _line(b, start, end, 0)
        shift = len(line["rows"])
        other["returns"] = np.where(other["returns"] >= 0, other["returns"] + shift, -1)
        line = {name: np.concatenate([line[name], other[name]]) for name in line}
    total = len(line["rows"])
    steps = np.arange(offset, min(offset + length, total))
    late = steps >= which_start
    bars = np.where(late, songs[second].setting.steps_per_bar, bar)
    floor = np.where(late & (not same_metre), which_start, 0)
    source = np.stack([steps - lag * bars for lag in LAGS] + [line["returns"][steps]], axis=1)
    source = np.where(source >= floor[:, None], source, -1)
    rows = np.concatenate([line["rows"], np.full((1, WIDTH), ABSENT, np.uint8)])
    previous = rows[np.where(steps > 0, steps - 1, -1)]
    since = np.where(late, (steps - which_start) // bars, LONG_AGO)
    if history == begin:
        since = np.where(late, since, (steps - offset) // bars)
    metre = np.where(late, songs[second].setting.metre, a.setting.metre)
    bar_start = line["bar_step"][steps] == 0
    bar_start[0] = history == begin == 0
    out: Arrays = {
        "previous": previous,
        "lags": rows[source],
        "rows": line["rows"][steps],
        "place": metre * MAX_BAR + line["bar_step"][steps],
        "section": line["section"][steps].astype(np.int64),
        "section_bar": line["section_bar"][steps].astype(np.int64),
        "active": line["active"][steps].astype(np.int64),
        "change": np.minimum(since, LONG_AGO),
        "density": line["density"][steps],
        "which": late.astype(np.int64),
        "valid": np.ones(len(steps), bool),
        "plan": bar_start,
        "plan_section": line["edge"][steps],
        "returned": line["returned"][steps],
    }
    if len(steps) < length:
        pad = length - len(steps)
        out = {
            k: np.concatenate([v, np.zeros((pad, *v.shape[1:]), v.dtype)]) for k, v in out.items()
        }
    out["fresh"] = np.array(history == begin == 0)
    out["songs"] = np.array([first, second])
    return out


def draw(songs: Sequence[StepSong], rng: np.random.Generator, size: int, length: int) -> StepBatch:
    """A batch of `size` sequences of `length` steps."""
    return collate([draw_one(songs, rng, length) for _ in range(size)])


def collate(items: Sequence[Arrays]) -> StepBatch:
    """Sequences of `draw_one` as a batch."""
    return StepBatch(
        **{f.name: np.stack([item[f.name] for item in items]) for f in fields(StepBatch)}
    )


def corrupt(rows: NDArray[np.uint8], rng: np.random.Generator, odds: float) -> NDArray[np.uint8]:
    """Rows with wrong notes: each hit, chord and note is altered with the given odds.

    The arranger will be conditioned on its own mistakes, and must learn to recover from them.
    """
    out = rows.copy()
    there = rows[..., 0] != ABSENT
    draw_ = rng.random

    def where(shape: tuple[int, ...], share: float) -> NDArray[np.bool_]:
        return draw_(shape, np.float32) < share

    drums = out[..., DRUM_COLUMNS]
    # Hits are lost as often as they are invented: a step holds few of sixteen.
    lost = where(drums.shape, odds) & (drums > 0)
    made = where(drums.shape, odds * 0.1) & (drums == 0)
    drums[lost] = 0
    drums[made] = rng.integers(1, LEVELS, int(made.sum()))
    chord = where(out.shape[:-1], odds * 0.3)
    out[..., SYMBOL][chord] = rng.integers(0, CHORDS + 1, int(chord.sum()))
    for column in (ACTION, *TOKEN.values()):
        line = out[..., column]
        other = where(line.shape, odds)
        if column == ACTION:
            line[other] = rng.integers(0, STRIKE + 1, int(other.sum()))
            continue
        sounding = other & (line >= STRIKE)
        moved = line[sounding].astype(np.int64) + rng.integers(-4, 5, int(sounding.sum()))
        line[sounding] = np.clip(moved, STRIKE, NOTE_CODES - 1)
        line[other & (line < STRIKE)] = rng.integers(0, 3)
    out[~there] = rows[~there]
    return out


def corrupt_batch(
    batch: StepBatch, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(previous, lags) of a batch as inputs of the network: some sequences with wrong notes, some
    with sources missing.
    """
    previous, lags = batch.previous.copy(), batch.lags.copy()
    for index in range(len(previous)):
        luck = rng.random()
        if luck < 0.35:
            odds = float(rng.uniform(0.01, 0.1))
            previous[index] = corrupt(previous[index], rng, odds)
            lags[index] = corrupt(lags[index], rng, odds)
        for source in np.flatnonzero(rng.random(SOURCES) < 0.06):
            lags[index, :, source] = ABSENT
    return previous, lags


def bits(active: NDArray[np.integer]) -> NDArray[np.float32]:
    """(...,) bits to (..., 5) zeros and ones."""
    return ((active[..., None] >> np.arange(len(PARTS))) & 1).astype(np.float32)


def setting_targets(songs: Sequence[StepSong]) -> NDArray[np.int64]:
    """(N, choices) what `SettingNet` is to choose for each song."""
    return np.stack([setting_codes(song.setting) for song in songs])
