"""Reverb and echo, shared by the parts.

Each part sends one line at 24 kHz into the room; a feedback delay writes its echoes into the same
line, so they reach the room too. The room's impulse response (`rooms`) is convolved in equal
partitions by overlap-save (Stockham 1966; Wefers, "Partitioned convolution algorithms for real-time
auralization", chapter 5). As all of this is linear, the sound of a part's
room can be had apart from the others', at any time, from the lines alone: they are the only thing
that a snapshot holds, as 16-bit floats, and share with all snapshots before.
"""

from __future__ import annotations

import threading
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.segue.studio.block import BLOCK, Planes, sliding_windows
from models.segue.studio.rooms import BINS, HALF, MAX_LINES, SIZE, RoomSpec, blend_rooms

SENDERS: Final = (0, 2, 3, 4)  # drums, chords, lead, extra: a bass stays dry
SILENT: Final = 1e-6
LONGEST_ECHO: Final = 2.0  # seconds


class Lines(NamedTuple):
    """Sends of a block: numbers of those that did, and (senders, HALF) samples."""

    senders: tuple[int, ...]
    samples: NDArray[np.float16]

    def all(self) -> Planes:
        """(all senders, HALF), zeros for those that sent nothing."""
        if len(self.senders) == len(SENDERS):
            return self.samples.astype(np.float32)
        full = np.zeros((len(SENDERS), HALF), np.float32)
        full[list(self.senders)] = self.samples
        return full


class Echo(NamedTuple):
    """The delay: samples at 24 kHz, its level, and the feedback."""

    delay: int = 9000
    level: float = 0.0
    feedback: float = 0.0


class SpaceState(NamedTuple):
    """`lines` of the blocks so far, oldest first; `sends` the last samples (senders, 46) before
    the next block; the room, the room that it crossfades to, and how far.
    """

    lines: tuple[Lines, ...] = ()
    sends: Planes | None = None
    room: RoomSpec = RoomSpec()
    goal: RoomSpec = RoomSpec()
    turned: float = 1.0


def _half_band(taps: int) -> NDArray[np.float32]:
    place = np.arange(taps) - (taps - 1) / 2
    response = np.sinc(place * 0.48) * np.kaiser(taps, 7.0)
    taps_32: NDArray[np.float32] = (response / response.sum()).astype(np.float32)
    return taps_32


DOWN: Final = _half_band(47)
UP: Final = 2 * _half_band(48)
CONTEXT: Final = len(UP) // 2 - 1
"""Half-rate samples before a block that `doubled` needs."""
DAMP: Final = (np.hanning(11)[1:-1] / np.hanning(11)[1:-1].sum()).astype(np.float32)
"""The treble that an echo loses a turn."""
TURN_BLOCKS: Final = 25  # 2 s
SPREAD: Final = 290  # half-rate samples that the right side's echo comes later
STEP: Final = 64  # samples at the lower rate that one product gives


def _filter_matrix(taps: Planes, up: int, down: int) -> Planes:
    """Matrix that filters a stretch: (inputs of STEP outputs and what is before them, outputs).

    A short filter is cheapest as a product of matrices, whatever its rates are.
    """
    if up == 2:
        count = STEP + CONTEXT
        matrix = np.zeros((count, 2 * STEP), np.float32)
        for out in range(STEP):
            matrix[out : out + CONTEXT + 1, 2 * out : 2 * out + 2] = taps.reshape(-1, 2)[::-1]
        return matrix
    matrix = np.zeros((down * STEP + len(taps) - down, STEP), np.float32)
    for out in range(STEP):
        matrix[down * out : down * out + len(taps), out] = taps[::-1]
    return matrix


_DOWN: Final = _filter_matrix(DOWN, 1, 2)
_UP: Final = _filter_matrix(UP, 2, 1)
_DAMP: Final = _filter_matrix(DAMP, 1, 1)


def _filtered(x: Planes, matrix: Planes, step: int) -> Planes:
    """(k, n) through a matrix of `_filter_matrix` that goes on by `step` inputs."""
    windows = sliding_windows(x, len(matrix), step)
    k, count = windows.shape[:2]
    return (windows.reshape(k * count, -1) @ matrix).reshape(k, -1)


def halved(x: Planes, before: Planes) -> Planes:
    """(k, n) at 48 kHz -> (k, n / 2); `before` are the last len(DOWN) - 1 samples before it."""
    return _filtered(np.concatenate([before[:, 1:], x], axis=1), _DOWN, 2 * STEP)


def doubled(x: Planes) -> Planes:
    """(k, CONTEXT + n) at 24 kHz -> (k, 2 n) at 48 kHz, half a filter late."""
    return _filtered(x, _UP, STEP)


class Space:
    """Reverb and echo. Spectra are cached while they are in use, which saves time and changes
    nothing; each thread has its own, as streams of one engine may play in several.
    """

    def __init__(self) -> None:
        self._caches = threading.local()

    def _cache(self, weights: tuple[float, ...]) -> _SpectrumCache:
        """Spectra of lines that are mixed with these weights."""
        windows: dict[tuple[float, ...], _SpectrumCache]
        windows = self._caches.__dict__.setdefault("windows", {})
        cache = windows.get(weights)
        if cache is None:
            if len(windows) > 8:
                windows.clear()
            cache = windows[weights] = _SpectrumCache(weights)
        return cache

    def write(self, sends: Planes, state: SpaceState, echo: Echo) -> SpaceState:
        """The state after a block's sends (senders, BLOCK): its line holds them and what the
        echo brings back.
        """
        before = state.sends
        if before is None:
            before = np.zeros((len(SENDERS), len(DOWN) - 1), np.float32)
        line = halved(sends, before)
        if echo.feedback > 0.0:
            line[1:] += (
                np.float32(echo.feedback) * self._delayed(state.lines, echo.delay, 0, None)[1:]
            )
        loud = np.flatnonzero(np.abs(line).max(axis=1) > SILENT)
        samples = line[loud].astype(np.float16)
        samples.setflags(write=False)
        stored = Lines(tuple(loud.tolist()), samples)
        tail = np.ascontiguousarray(sends[:, 1 - len(DOWN) :])
        tail.setflags(write=False)
        return state._replace(lines=(*state.lines, stored)[-MAX_LINES:], sends=tail)

    def _delayed(
        self, lines: tuple[Lines, ...], delay: int, context: int, mix: Planes | None
    ) -> Planes:
        """(senders, context + HALF) damped lines of so many samples ago, for the block that comes
        after `lines`; one row, mixed, where `mix` (senders,) is given.
        """
        length = context + HALF + len(DAMP) - 1
        start = len(lines) * HALF - delay - len(DAMP) // 2 - context
        stop = start + length
        rows = len(SENDERS) if mix is None else 1
        if stop <= 0:
            return np.zeros((rows, context + HALF), np.float32)
        first, last = max(0, start // HALF), min(len(lines), -(-stop // HALF))
        past = [line.all() if mix is None else mix[None] @ line.all() for line in lines[first:last]]
        whole = np.concatenate(past, axis=1)
        # What comes before the block may be no whole number of steps.
        ahead = -context % STEP
        piece = np.zeros((rows, ahead + length), np.float32)
        begin = max(0, start - first * HALF)
        silent = max(0, first * HALF - start)
        piece[:, ahead + silent :] = whole[:, begin : begin + length - silent]
        return _filtered(piece, _DAMP, STEP)[:, -(context + HALF) :]

    def answer(
        self, state: SpaceState, gains: tuple[float, ...], echoes: tuple[Echo, Echo],
        amounts: tuple[float, float],
    ) -> Planes:  # fmt: skip
        """(2, BLOCK) room and echo of the lines up to the newest. `gains` by sender; the echo and
        the amount of the room at the beginning and at the end of the block.
        """
        before, echo = echoes
        if not any(gains[sender] for line in state.lines for sender in line.senders):
            return np.zeros((2, BLOCK), np.float32)
        # All at 24 kHz, with the few samples before the block that doubling needs.
        if state.turned < 1.0:
            begin = max(0.0, state.turned - 1.0 / TURN_BLOCKS)
            share = _ramp(begin, state.turned)
            out = self._room(state.lines, state.room, gains) * (1 - share)
            out += self._room(state.lines, state.goal, gains) * share
        else:
            out = self._room(state.lines, state.goal, gains)
        if amounts[0] == amounts[1]:
            out = out * np.float32(amounts[1])
        else:
            out = out * _ramp(*amounts)
        if echo.level > 0.0 or before.level > 0.0:
            now = self._echo(state.lines, echo, gains)
            if before != echo:
                share = _ramp(0.0, 1.0)
                now = now * share + self._echo(state.lines, before, gains) * (1 - share)
            out += now
        return doubled(out)

    def _echo(self, lines: tuple[Lines, ...], echo: Echo, gains: tuple[float, ...]) -> Planes:
        """(2, CONTEXT + HALF) echoes, on the right a little later."""
        if echo.level <= 0.0:
            return np.zeros((2, CONTEXT + HALF), np.float32)
        weights = np.array((0.0, *gains[1:]), np.float32) * np.float32(echo.level)
        both = self._delayed(lines[:-1], echo.delay, CONTEXT + SPREAD, weights)[0]
        return np.stack([both[SPREAD:], both[: CONTEXT + HALF]])

    def _room(self, lines: tuple[Lines, ...], spec: RoomSpec, gains: tuple[float, ...]) -> Planes:
        """(2, CONTEXT + HALF) reverb of a room."""
        rooms = blend_rooms(spec)
        if not rooms:
            return np.zeros((2, CONTEXT + HALF), np.float32)
        longest = rooms[0].shape[1]
        count = min(len(lines), longest)
        weights = tuple(float(gain) for gain in gains)
        spectra = self._cache(weights).of(lines, count)
        total = np.empty((2, BINS), np.complex64)
        for part in rooms:
            # Shorter stretches of the room reach higher.
            last = min(count, part.shape[1])
            low, high = part.start, part.start + part.shape[2]
            past = spectra[count - last :, low:high]
            for side in range(2):
                room = part.spectra[side, part.shape[1] - last :]
                np.einsum("pf,pf->f", past, room, out=total[side, low:high])
        answer = np.fft.irfft(total, SIZE, axis=1)[:, -(CONTEXT + HALF) :]
        return np.asarray(answer, np.float32)


def _ramp(begin: float, end: float) -> NDArray[np.float32]:
    """(CONTEXT + HALF,) a line over a block that begins before it, half a filter late."""
    place = (np.arange(CONTEXT + HALF, dtype=np.float32) - (CONTEXT - CONTEXT // 2)) / HALF
    ramp = np.float32(begin) + np.float32(end - begin) * np.clip(place, 0.0, 1.0)
    return np.asarray(ramp, np.float32)


class _SpectrumCache:
    """Spectra of the latest lines, mixed by sender, in order in one piece of memory."""

    ROWS: Final = 4 * MAX_LINES

    def __init__(self, weights: tuple[float, ...]) -> None:
        self.weights = np.array(weights, np.float32)
        self.rows = np.zeros((self.ROWS, BINS), np.complex64)
        self.lines: list[Lines] = []
        self.end = 0
        self._mixed: tuple[tuple[Lines, NDArray[np.float32]], ...] = ()  # the latest, of 3 lines

    def of(self, lines: tuple[Lines, ...], count: int) -> NDArray[np.complex64]:
        """(count, BINS) spectra of the last of `lines`."""
        fresh = self._keep(lines, count)
        if self.end + fresh > self.ROWS:
            older = count - fresh
            self.rows[:older] = self.rows[self.end - older : self.end].copy()
            self.lines, self.end = self.lines[len(self.lines) - older :], older
        for index in range(len(lines) - fresh, len(lines)):
            self.rows[self.end] = self._spectrum(lines, index)
            self.lines.append(lines[index])
            self.end += 1
        return self.rows[self.end - count : self.end]

    def _keep(self, lines: tuple[Lines, ...], count: int) -> int:
        """Keep the rows that go on to the last `count` lines; number of lines that are new.

        One, if the music just went on; and if it went back, what came later is dropped.
        """
        for new in range(min(3, count)):
            last, old = lines[-1 - new], count - new
            for place in range(len(self.lines), old - 1, -1):
                if self.lines[place - 1] is not last:
                    continue
                mine, theirs = self.lines[place - old : place], lines[-count : len(lines) - new]
                if any(a is not b for a, b in zip(mine, theirs, strict=True)):
                    break
                del self.lines[place:]
                self.end = place
                return new
        self.lines, self.end = [], 0
        return count

    def _spectrum(self, lines: tuple[Lines, ...], index: int) -> NDArray[np.complex64]:
        """(BINS,) of a line and those before it."""
        span = lines[max(0, index - 2) : index + 1]
        mixed = np.concatenate([self._mix(line) for line in span])[-SIZE:]
        if len(mixed) < SIZE:
            mixed = np.pad(mixed, (SIZE - len(mixed), 0))
        return np.asarray(np.fft.rfft(mixed), np.complex64)

    def _mix(self, line: Lines) -> NDArray[np.float32]:
        """(HALF,) of a line. Three spectra in a row hold it."""
        for known, mixed in self._mixed:
            if known is line:
                return mixed
        mixed = np.asarray(self.weights @ line.all(), np.float32)
        self._mixed = (*self._mixed[-2:], (line, mixed))
        return mixed


def advance_room(state: SpaceState, target: RoomSpec) -> SpaceState:
    """The state at the beginning of a block with a target room: a crossfade takes two seconds, and
    one that has begun is finished first.
    """
    if state.turned < 1.0:
        return state._replace(turned=min(1.0, state.turned + 1.0 / TURN_BLOCKS))
    if not state.lines:
        return state._replace(room=target, goal=target)
    if target != state.goal:
        return state._replace(room=state.goal, goal=target, turned=1.0 / TURN_BLOCKS)
    return state
