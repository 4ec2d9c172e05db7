"""Fades: between two pieces of sound, and towards and from silence. Pure; inference and audio lane.

The crossfade keeps the power constant whatever the two sounds have to do with each other: an
equal-power law for sounds that are not alike, an equal-gain law for sounds that are, and what lies
between by the measured correlation (Fink, Holters, Zoelzer, "Signal-matched power-complementary
cross-fading and dry-wet mixing", DAFx 2016). It matters here because the music before and after a
turned knob is often nearly the same, and sin/cos alone would lift it by 3 dB on the way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def correlation(old: Samples, new: Samples) -> float:
    """How alike two pieces (n, channels) are, 0 to 1. Negative correlation counts as 0."""
    a = old.astype(np.float64).ravel()
    b = new.astype(np.float64).ravel()
    power = float(np.sqrt((a @ a) * (b @ b)))
    if power <= 1e-12:
        return 0.0
    return min(1.0, max(0.0, float(a @ b) / power))


def crossfade_gains(frames: int, alike: float = 0.0) -> tuple[Samples, Samples]:
    """Gains (frames, 1) for the old and the new sound; alike: their correlation, 0 to 1.

    old**2 + new**2 + 2 * alike * old * new is 1 throughout. The ends lie outside, half a frame
    before the first and after the last, so that every frame mixes both.
    """
    angle = (np.arange(frames) + 0.5) * (np.pi / 2 / max(1, frames))
    old, new = np.cos(angle), np.sin(angle)
    scale = 1.0 / np.sqrt(1.0 + 2.0 * alike * old * new)
    return (
        (old * scale).astype(np.float32)[:, None],
        (new * scale).astype(np.float32)[:, None],
    )


def crossfade(old: Samples, new: Samples) -> Samples:
    """From the old sound to the new over their whole length (n, channels), power kept."""
    out, into = crossfade_gains(len(new), correlation(old, new))
    return old * out + new * into


def fade_in(sound: Samples, frames: int) -> Samples:
    """A copy of the sound (n, channels) that rises from silence over the first `frames`."""
    frames = min(frames, len(sound))
    _, into = crossfade_gains(frames)
    faded = sound.copy()
    faded[:frames] *= into
    return faded


def fade_out(sound: Samples, frames: int) -> Samples:
    """A copy of the sound (n, channels) that falls to silence over the last `frames`."""
    frames = min(frames, len(sound))
    out, _ = crossfade_gains(frames)
    faded = sound.copy()
    if frames:
        faded[-frames:] *= out
    return faded


class UnderrunFade:
    """The audio lane's own fade: out before the plan ends, in when there is enough again.

    Its state is a phase from 0 (silent) to 1 (open) that moves by at most 1/length a frame. As the
    reader sees how much is left, the phase starts to fall in time to be 0 exactly where the plan
    ends: there is never an edge. Gain is sin^2 of the phase: smooth at both ends.

    Only `plan` is called from the callback. It uses arrays made once.
    """

    def __init__(self, length: int, rebuffer: int, most: int = 8192) -> None:
        """length: frames of a full fade. rebuffer: frames wanted before sound after an underrun."""
        self.length = length
        self.rebuffer = rebuffer
        self.phase = 0.0
        self.short = False  # the plan is running dry, or ran dry and is not back in full yet
        self._steps = (np.arange(1, most + 1, dtype=np.float64)) / length
        self._phase = np.zeros(most)
        self._other = np.zeros(most)
        self.gain = np.ones((most, 1), np.float32)
        """Gains (most, 1) of the frames last planned; valid for as many as were asked for."""

    @property
    def silent(self) -> bool:
        return self.phase <= 0.0

    def plan(self, frames: int, available: int, wanted: bool, quick: int = 1) -> int:
        """Set `gain` for the next `frames` and return how many of them to take from the plan.

        available: frames in the plan. wanted: play, or fade out and hold the place.
        quick: how many times faster than usual to fade out. The frames beyond those returned are
        silent. `short` turns True when an underrun begins.
        """
        before, leave = self.phase, self.length // quick
        if self.silent:
            need = self.rebuffer if self.short else 2 * self.length
            if not wanted or available < need:
                self.gain[:frames] = 0.0
                return 0
        if before >= 1.0 and wanted and available >= frames + leave:
            self.short = False
            self.gain[:frames] = 1.0
            return frames
        steps = self._steps[:frames]
        phase, other = self._phase[:frames], self._other[:frames]
        if wanted:
            np.add(steps, before, out=phase)
        else:
            np.multiply(steps, -quick, out=phase)
            np.add(phase, before, out=phase)
        np.subtract(available / self.length, steps, out=other)  # 0 at the plan's last frame
        np.multiply(other, quick, out=other)
        if wanted and available < frames + leave:
            self.short = True
        np.minimum(phase, other, out=phase)
        np.clip(phase, 0.0, 1.0, out=phase)
        take = frames
        if phase[-1] <= 0.0:
            take = min(int(np.count_nonzero(phase)) + 1, frames, available)
        self.phase = float(phase[-1])
        if self.phase >= 1.0 and available >= frames + leave:
            self.short = False
        np.multiply(phase, np.pi / 2, out=phase)
        np.sin(phase, out=phase)
        np.square(phase, out=phase)
        self.gain[:frames, 0] = phase
        return take
