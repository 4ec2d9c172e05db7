"""Plan's ring with the parts' sound beside the mix.

Both lie in shared memory, where the audio process reads them; without one, the stems lie in this
process' own. Whatever is written into the plan, its splices included, is written into both with the
same gains, so the stems of a position are those of what is heard there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.audio.ring import PlanRing, put, take
from app.audio.shared_memory import CHANNELS, STEM_CHANNELS

Samples = NDArray[np.float32]


class StemRing(PlanRing):
    """Writer's side of a plan. While `stems` is not None, frames have its channels after the mix's;
    frames of the mix alone have silent stems.
    """

    def __init__(self, ring: PlanRing) -> None:
        super().__init__(ring.words, ring.data, ring.beside)
        self.rewrites = ring.rewrites
        self.stems: Samples | None = None
        self.words[STEM_CHANNELS] = 0  # those of a writer before this one are not kept up

    def enable(self, channels: int) -> None:
        """Keep this many channels of stems; 0 for none."""
        self.words[STEM_CHANNELS] = 0
        shared = self.beside
        if not channels:
            self.stems = None
        elif shared is None or channels > shared.shape[1]:
            self.stems = np.zeros((self.capacity, channels), np.float32)
        else:
            self.stems = shared[:, :channels]
            self.stems[:] = 0.0
            self.words[STEM_CHANNELS] = channels

    def adopt(self, ring: StemRing) -> None:
        """Go on with the stems of a writer before this one, with as many parts."""
        self.stems = ring.stems
        channels = 0 if ring.stems is None else ring.stems.shape[1]
        shared = self.beside is not None and channels <= self.beside.shape[1]
        self.words[STEM_CHANNELS] = channels if shared else 0

    def fill(self, position: int, stems: Samples) -> None:
        """Store the stems of frames whose mix is in the plan already."""
        if self.stems is not None:
            put(self.stems, position, stems)

    def played_stems(self, start: int, stop: int) -> tuple[Samples, Samples] | None:
        """Mix (n, 2) and stems (n, channels) of the frames start..stop; None where there are none.

        May be called by any thread, for what the reader has passed.
        """
        if self.stems is None or start < self.end - self.capacity or stop > self.end:
            return None
        both = self.copy_played(start, stop)
        return both[:, :CHANNELS], both[:, CHANNELS:]

    def rewrite(self, start: int, frames: Samples, reading: int) -> bool:
        return super().rewrite(start, self._with_stems(frames), reading)

    def copy(self, start: int, stop: int) -> Samples:
        mix = super().copy(start, stop)
        stems = self.stems
        if stems is None:
            return mix
        out = np.empty((stop - start, stems.shape[1]), np.float32)
        take(stems, start, out)
        return np.concatenate([mix, out], axis=1)

    def _store(self, position: int, frames: Samples) -> None:
        if self.stems is not None:  # before the mix, which says that it is there
            put(self.stems, position, self._with_stems(frames)[:, CHANNELS:])
        super()._store(position, frames[:, :CHANNELS])

    def _with_stems(self, frames: Samples) -> Samples:
        if self.stems is None or frames.shape[1] > CHANNELS:
            return frames
        silence = np.zeros((len(frames), self.stems.shape[1]), np.float32)
        return np.concatenate([frames, silence], axis=1)


class StemFeed:
    """Stems of what was heard, for another thread than the one that writes the plan.

    parts: names of the stems in the order of their channels; empty for an engine without.
    """

    def __init__(self) -> None:
        self.parts: tuple[str, ...] = ()
        self._ring: StemRing | None = None

    def open(self, parts: tuple[str, ...], ring: StemRing) -> None:
        """Give out the stems of this plan from now on."""
        self.parts, self._ring = parts, ring

    def copy(self, start: int, stop: int) -> tuple[Samples, Samples] | None:
        """Mix (n, 2) and stems (n, 2 * parts) as planned; None where there are no stems."""
        ring = self._ring
        return None if ring is None else ring.played_stems(start, stop)
