"""Rendering once more of what was heard: the mix and its stems, joined as they were.

The blocks are rendered in the order in which they were written and joined with the fades of
`app.audio.splice`, so that every sample is the one that was planned.
"""

from __future__ import annotations

import itertools
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.audio import fades as fade
from app.audio.past.render_log import PLACES, RenderRecord
from app.audio.splice import CROSSFADED, FADED_IN, REPLACED
from app.audio.stem_delay import StemDelay
from models.engine.hearing import Hearing
from models.engine.interface import Engine, Snapshot, Stream

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class RerenderedBlock:
    """Sound between two plan positions, or a step on the way to it.

    position: of its first frame. sound: mix and stems side by side, float32 (n, 2 + 2 * parts).
    echoes: whether what was played in was in the mix that was heard; it is not in this one.
    """

    position: int
    sound: Samples
    echoes: bool = False


def silent(start: int, stop: int) -> Samples:
    """Input at frames start..stop: none of it is kept."""
    return np.zeros((stop - start, 2), np.float32)


def with_sources(records: Sequence[RenderRecord]) -> list[RenderRecord]:
    """The records, and those that lead to them from a snapshot, in the order of writing."""
    found: dict[int, RenderRecord] = {}
    for record in records:
        source: RenderRecord | Snapshot = record
        while isinstance(source, RenderRecord) and source.number not in found:
            found[source.number] = source
            source = source.source
    return [found[number] for number in sorted(found)]


def rerender(
    engine: Engine, records: Sequence[RenderRecord], start: int, stop: int
) -> Iterator[RerenderedBlock]:
    """Sound of the frames start..stop; empty blocks where a step took time and gave nothing yet.

    Args:
        engine: that rendered them; another thread may use it.
        records: of `RenderLog.between`, from a block before `start` on, so that the stems' delay
            line is filled there.
        start: first plan position.
        stop: last plan position.

    """
    heard = {record.number for record in records}
    steps = with_sources(records)
    rerenderer = _Rerenderer(engine, steps)
    first = min([start, *(_lowest(step) for step in records)])
    joined = _Joined(first, start, 2 + rerenderer.delay.channels)
    lows = [_lowest(step) if step.number in heard else stop for step in steps]
    final = [stop, *itertools.accumulate(reversed(lows), min)][::-1][1:]
    for step, ready in zip(steps, final, strict=True):
        sound = rerenderer.render(step)
        if step.number in heard:
            joined.put(step, sound)
        yield joined.take(min(ready, stop))
    yield joined.take(stop)


def _lowest(record: RenderRecord) -> int:
    """First plan position that a record changes."""
    result = record.result
    return result.join - (result.faded if result.seam == REPLACED else 0)


@dataclass
class _Rerenderer:
    """A stream beside the one that plays."""

    engine: Engine
    steps: Sequence[RenderRecord]
    stream: Stream = field(init=False)
    delay: StemDelay = field(init=False)

    def __post_init__(self) -> None:
        info = self.engine.info
        self.stream = self.engine.start(0)
        self.delay = StemDelay(info.parts, info.stems_lead)
        self._needed = Counter(
            step.source.number for step in self.steps if isinstance(step.source, RenderRecord)
        )
        self._after: dict[int, Snapshot] = {}
        self._tails: OrderedDict[int, Samples | None] = OrderedDict()

    def render(self, record: RenderRecord) -> Samples:
        """Mix and stems of a record, (frames, 2 + 2 * parts)."""
        source = record.source
        if isinstance(source, RenderRecord):
            self.stream.restore(self._after[source.number])
            self._needed[source.number] -= 1
            if not self._needed[source.number]:
                del self._after[source.number]
        else:
            self.stream.restore(source)
        self.delay.tail = None if record.follows is None else self._tails.get(record.follows)
        frames = self.engine.info.block_frames
        hearing = None
        if record.played_in is not None:
            position, kept, known = record.played_in
            hearing = Hearing(position, kept.transcript(), silent, known)
        controls = record.controls.with_(echo=None)
        blocks = []
        for _ in range(record.renders):
            self.stream.hear(hearing)
            mix = self.stream.render(controls)
            blocks.append(np.concatenate([mix, self.delay.push(self.stream.stems)], axis=1))
            hearing = hearing and hearing.later(frames)
        if self._needed[record.number]:
            self._after[record.number] = self.stream.snapshot()
        self._tails[record.number] = self.delay.tail
        if len(self._tails) > PLACES:
            self._tails.popitem(last=False)
        whole = np.concatenate(blocks)
        return whole[record.skip : record.skip + record.frames]


class _Joined:
    """Plan as it is joined; what will not change any more is taken out of it."""

    def __init__(self, first: int, start: int, channels: int) -> None:
        self._first, self._next = first, start
        self._sound = np.zeros((0, channels), np.float32)
        self._echoes: list[tuple[int, int]] = []

    def put(self, record: RenderRecord, sound: Samples) -> None:
        """Join a block as it was joined."""
        result, stop = record.result, record.position + record.frames
        begin = result.join
        new = sound[begin - record.position :].copy()
        faded = result.faded
        if result.seam == CROSSFADED:
            old = self._at(begin, begin + faded)
            new[:faded] = fade.crossfade(old, new[:faded])
        elif result.seam in (FADED_IN, REPLACED):
            new = fade.fade_in(new, faded)
        if result.seam == REPLACED:
            old = self._at(begin - faded, begin)
            self._set(begin - faded, fade.fade_out(old, faded))
        if record.reserve:
            behind = self._at(stop - record.reserve, stop)
            new[-record.reserve :] = fade.crossfade(new[-record.reserve :], behind)
        self._set(begin, new)
        if record.controls.echo:
            self._echoes.append((begin, stop))

    def take(self, stop: int) -> RerenderedBlock:
        """Take out the frames before a position."""
        position = self._next
        if stop <= position:
            return RerenderedBlock(position, self._sound[:0])
        sound = self._at(position, stop)
        echoes = any(low < stop and high > position for low, high in self._echoes)
        self._echoes = [(low, high) for low, high in self._echoes if high > stop]
        self._sound = self._sound[stop - self._first :].copy()
        self._first = self._next = stop
        return RerenderedBlock(position, sound, echoes)

    def _at(self, start: int, stop: int) -> Samples:
        """Copy of the frames start..stop; silence where there are none."""
        out = np.zeros((stop - start, self._sound.shape[1]), np.float32)
        low, high = max(start, self._first), min(stop, self._first + len(self._sound))
        if low < high:
            out[low - start : high - start] = self._sound[low - self._first : high - self._first]
        return out

    def _set(self, start: int, sound: Samples) -> None:
        stop = start + len(sound)
        more = stop - self._first - len(self._sound)
        if more > 0:
            gap = np.zeros((more, self._sound.shape[1]), np.float32)
            self._sound = np.concatenate([self._sound, gap])
        low = max(start, self._first)
        if low < stop:
            self._sound[low - self._first : stop - self._first] = sound[low - start :]
