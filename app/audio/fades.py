"""Fades: crossfades, fades in and out, and the fade around underruns.

The crossfade keeps the power constant whatever the correlation of the two sounds: equal power for
uncorrelated, equal gain for identical sounds, and between them by the measured correlation (Fink,
Holters, Zoelzer, "Signal-matched power-complementary cross-fading and dry-wet mixing", DAFx 2016).
The music before and after a turned knob is often nearly the same, and an equal-power law alone
would raise it by 3 dB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def correlation(old: Samples, new: Samples) -> float:
    """Correlation of two pieces (n, channels), 0 to 1; negative counts as 0."""
    a = old.astype(np.float64).ravel()
    b = new.astype(np.float64).ravel()
    power = float(np.sqrt((a @ a) * (b @ b)))
    if power <= 1e-12:
        return 0.0
    return min(1.0, max(0.0, float(a @ b) / power))


def crossfade_gains(frames: int, alike: float = 0.0) -> tuple[Samples, Samples]:
    """Gains (frames, 1) for the old and the new sound. alike: their correlation, 0 to 1.

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
    """Crossfade of constant power over the whole length (n, channels).

    Where there are more than two channels, the first two, the mix, decide.
    """
    out, into = crossfade_gains(len(new), correlation(old[:, :2], new[:, :2]))
    return old * out + new * into


def fade_in(sound: Samples, frames: int) -> Samples:
    """Copy of a sound (n, channels) that fades in over the first `frames`."""
    frames = min(frames, len(sound))
    _, into = crossfade_gains(frames)
    faded = sound.copy()
    faded[:frames] *= into
    return faded


def fade_out(sound: Samples, frames: int) -> Samples:
    """Copy of a sound (n, channels) that fades out over the last `frames`."""
    frames = min(frames, len(sound))
    out, _ = crossfade_gains(frames)
    faded = sound.copy()
    if frames:
        faded[-frames:] *= out
    return faded


class UnderrunFade:
    """Fade of the audio callback: out before the plan ends, in when there is enough again.

    Its state is a phase from 0 (silent) to 1 (open) that moves by at most 1/length a frame. It
    starts to fall in time to be 0 where the plan ends, so that there is no click. The gain is
    sin^2 of the phase.

    underrun: the plan is running dry, or ran dry and is not back in full.
    """

    def __init__(self, length: int, rebuffer: int, max_frames: int = 8192) -> None:
        """length: frames of a full fade. rebuffer: frames needed to play on after an underrun."""
        self.length = length
        self.rebuffer = rebuffer
        self.phase = 0.0
        self.underrun = False
        self._steps = (np.arange(1, max_frames + 1, dtype=np.float64)) / length
        self._phase = np.zeros(max_frames)
        self._other = np.zeros(max_frames)
        self.gain = np.ones((max_frames, 1), np.float32)
        """Gains (max_frames, 1) of the last `next_gains`."""

    @property
    def silent(self) -> bool:
        return self.phase <= 0.0

    def next_gains(self, frames: int, available: int, playing: bool, speed: int = 1) -> int:
        """Set `gain` for the next frames and `underrun`.

        Args:
            frames: to fill.
            available: frames in the plan.
            playing: play, or fade out and keep the position.
            speed: of the fade out, as a multiple of the usual.

        Returns:
            How many frames to take from the plan; those beyond are silent.

        """
        before, fade_frames = self.phase, self.length // speed
        if self.silent:
            need = self.rebuffer if self.underrun else 2 * self.length
            if not playing or available < need:
                self.gain[:frames] = 0.0
                return 0
        if before >= 1.0 and playing and available >= frames + fade_frames:
            self.underrun = False
            self.gain[:frames] = 1.0
            return frames
        steps = self._steps[:frames]
        phase, other = self._phase[:frames], self._other[:frames]
        if playing:
            np.add(steps, before, out=phase)
        else:
            np.multiply(steps, -speed, out=phase)
            np.add(phase, before, out=phase)
        np.subtract(available / self.length, steps, out=other)  # 0 at the plan's last frame
        np.multiply(other, speed, out=other)
        if playing and available < frames + fade_frames:
            self.underrun = True
        np.minimum(phase, other, out=phase)
        np.clip(phase, 0.0, 1.0, out=phase)
        take = frames
        if phase[-1] <= 0.0:
            take = min(int(np.count_nonzero(phase)) + 1, frames, available)
        self.phase = float(phase[-1])
        if self.phase >= 1.0 and available >= frames + fade_frames:
            self.underrun = False
        np.multiply(phase, np.pi / 2, out=phase)
        np.sin(phase, out=phase)
        np.square(phase, out=phase)
        self.gain[:frames, 0] = phase
        return take
