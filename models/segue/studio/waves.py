"""Resampling of recorded notes to any pitch, in cached pieces.

A note's wave is a pure function of its zone, its ratio of pitches, its darkness and its glide, so
pieces of it are cached for the next note that is the same; only new ones cost interpolation. That
is done with windowed sincs (Smith, "Digital Audio Resampling Home Page", Kaiser window), whose
cut-off follows the ratio, so nothing folds; and a soft note is darker because its sinc has a low
share, which costs nothing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.segue.studio.bank import BEFORE, Bank, SampleZone
from models.segue.studio.block import BLOCK

PIECE: Final = BLOCK
TAPS: Final = 16
PHASES: Final = 1024
DARKNESS: Final = ((1.0, 0.0), (0.62, 9000.0), (0.42, 6000.0), (0.28, 4000.0))
"""(share of the full band, hertz of the rest's band) by how softly a note is played."""
MEMORY: Final = 120_000_000  # bytes of pieces in the cache
GLIDING: Final = 14_400  # samples after which a glide has arrived


class Wave(NamedTuple):
    """Resampled zone: the zone, its samples per output sample, index into DARKNESS, and the cents
    from which the pitch slides into place within `glide` seconds.
    """

    zone: SampleZone
    ratio: float
    dark: int = 0
    cents: float = 0.0
    glide: float = 0.0


@lru_cache(maxsize=1)
def _places_and_window() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(PHASES + 1, TAPS) each: distance of a tap from the sample asked for, and its window."""
    place = np.arange(TAPS) - (TAPS // 2 - 1) - np.arange(PHASES + 1)[:, None] / PHASES
    window = np.i0(7.5 * np.sqrt(np.maximum(0.0, 1 - (place / (TAPS / 2)) ** 2))) / np.i0(7.5)
    return place, window


@lru_cache(maxsize=96)
def sinc_table(ratio: float, dark: int, rate: int) -> NDArray[np.float32]:
    """(PHASES + 1, TAPS) windowed sincs for a ratio that is rounded up to a twentieth."""
    cut = min(1.0, 1.0 / ratio) * 0.95
    share, hertz = DARKNESS[dark]
    place, window = _places_and_window()

    def low_pass(share_of_band: float) -> NDArray[np.float64]:
        taps = share_of_band * np.sinc(share_of_band * place) * window
        return np.asarray(taps / taps.sum(1, keepdims=True))

    table = low_pass(cut)
    if share < 1.0:
        lower = min(cut, 2 * hertz / rate)
        table = share * table + (1 - share) * low_pass(lower)
    return table.astype(np.float32)


@lru_cache(maxsize=256)
def glide_positions(ratio: float, cents: float, glide: float) -> NDArray[np.float64]:
    """(GLIDING + 1,) place in the zone of the first samples of a note that slides into pitch.

    The distance in cents falls by e to the fourth within `glide` seconds.
    """
    time = np.arange(GLIDING) / SAMPLE_RATE
    step = ratio * 2.0 ** (cents / 1200 * np.exp(-time * 4.0 / glide))
    return np.concatenate([[0.0], np.cumsum(step)])


class Waves:
    """Cache of pieces of resampled zones; may be used by any thread."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self._pieces: OrderedDict[tuple[object, ...], NDArray[np.float32]] = OrderedDict()
        self._cached_bytes = 0
        self._lock = threading.Lock()  # stems of the past are rendered beside the music

    def length(self, wave: Wave) -> int | None:
        """Samples until a wave without loop is over; None for one that goes on."""
        if wave.zone.loop is not None:
            return None
        return int(wave.zone.frames / wave.ratio) + TAPS

    def read(self, wave: Wave, start: int, count: int) -> NDArray[np.float32]:
        """(channels, count) from sample `start` of a wave; not to be written to."""
        first, offset = divmod(start, PIECE)
        if offset + count <= PIECE:
            return self._piece(wave, first)[:, offset : offset + count]
        parts = [self._piece(wave, first)[:, offset:]]
        left = count - (PIECE - offset)
        while left > 0:
            first += 1
            parts.append(self._piece(wave, first)[:, : min(left, PIECE)])
            left -= PIECE
        return np.concatenate(parts, axis=1)

    def _piece(self, wave: Wave, index: int) -> NDArray[np.float32]:
        zone, ratio, dark, cents, glide = wave
        name = (zone.pack, zone.number, ratio, dark, cents, glide, index)
        with self._lock:
            found = self._pieces.get(name)
            if found is not None:
                self._pieces.move_to_end(name)
                return found
        made = self._interpolated(wave, index)
        with self._lock:
            if name in self._pieces:
                return self._pieces[name]
            self._pieces[name] = made
            self._cached_bytes += made.nbytes
            while self._cached_bytes > MEMORY:
                _, old = self._pieces.popitem(last=False)
                self._cached_bytes -= old.nbytes
        return made

    def _interpolated(self, wave: Wave, index: int) -> NDArray[np.float32]:
        zone, ratio, dark, cents, glide = wave
        source = self.bank.samples(zone)
        start = index * PIECE
        place: NDArray[np.float64]
        if glide:
            table = glide_positions(ratio, cents, glide)
            sample = np.arange(start, start + PIECE)
            over = np.maximum(sample - GLIDING, 0)
            place = np.asarray(table[np.minimum(sample, GLIDING)] + ratio * over, np.float64)
        else:
            place = np.asarray(np.arange(start, start + PIECE) * ratio, np.float64)
        if zone.loop is not None:
            first, stop = zone.loop
            past = place >= stop
            if past.any():
                place[past] = first + np.mod(place[past] - first, stop - first)
        else:
            place = np.minimum(place, float(zone.frames + TAPS // 2))
        whole = place.astype(np.int64)
        if ratio == 1.0 and not dark and not glide:
            return np.ascontiguousarray(source[:, BEFORE + whole])
        phase = ((place - whole) * PHASES + 0.5).astype(np.int64)
        step = ratio if not glide else ratio * max(1.0, 2.0 ** (cents / 1200))
        taps = sinc_table(float(np.ceil(step * 20) / 20), dark, zone.rate).take(phase, axis=0)
        at = whole + (BEFORE - TAPS // 2 + 1)
        return np.stack([np.einsum("ij,ij->i", _stretches(side, at), taps) for side in source])


def _stretches(x: NDArray[np.float32], at: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, TAPS) samples of `x` from each place on. A stretch is copied as one item, which takes
    half as long as TAPS of them; `take` would first make an array of all stretches there are.
    """
    whole = np.ascontiguousarray(x)
    kind = np.dtype((np.void, TAPS * whole.itemsize))
    items = np.ndarray((len(whole) - TAPS + 1,), kind, whole, 0, whole.strides)
    return items[at].view(whole.dtype).reshape(-1, TAPS)
