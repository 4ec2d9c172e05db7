"""One unit of the vocoder, four frames in 40 ms, as torch does it. Inference lane; CPU only.

What is done, and after which papers, is told in `vocoder`; here it is written for speed. A unit is
one recorded call (`models.runtime.tracing`), which a window does not make wait. For the rest:

- windows, their norm and the scale of the transforms are multiplied beforehand;
- frames that overlap are written on a sheet, each on its own row at its place, and the rows are
  added up in one operation;
- magnitudes are read from numbers that lie side by side, because torch's `abs` of complex numbers
  takes as long as a transform. For a spectrum X, X i has the parts (-imag, real), so that the
  squares of both add up to (|X|^2, |X|^2), which scales X as it lies in memory.

Nothing is kept between calls, and nothing that goes in is written to: any thread may call it.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.runtime.tracing import Recorded, trace
from models.segue.codec import bands as B

PARTS: Final = ("held", "momentum", "log_last", "log_slow", "mono", "stereo")
"""What a unit hands to the next: parts of `vocoder.VocoderState`, in the order of `_Unit`."""

TAIL: Final = B.WINDOW - B.HOP
_GAMMA: Final = 0.25645 * B.WINDOW**2  # the Gaussian nearest to a Hann window (DAFx-16, table 1)
_RIPPLE: Final = 0.41  # variance of the log of a Rayleigh-distributed magnitude
_REACH: Final = 9  # bins on either side that tell whether a spectrum is smooth
_ONSET: Final = 1.2  # nepers in a hop from which energy leaps
_PROMINENCE: Final = 0.7  # nepers by which a peak stands out
_SHARED: Final = 6  # bins on either side of a peak that take over its phase advance
_FAR: Final = 10_000.0
_TINY: Final = 1e-24  # added to squares that are divided by


def _squares(first: int, last: int, length: int) -> Tensor:
    """Sum of the squared windows of the hops from first to last, at samples 0 to length."""
    total = np.zeros(length, np.float64)
    for start in range(first * B.HOP, (last + 1) * B.HOP, B.HOP):
        low, high = max(0, start), min(length, start + B.WINDOW)
        total[low:high] += B.WINDOW_SHAPE[low - start : high - start].astype(np.float64) ** 2
    return torch.from_numpy(total.astype(np.float32))


def _decorrelator() -> Tensor:
    """Spectrum of an all-pass with smooth random group delays of 1 to 11 ms, (1025,)."""
    rng = np.random.default_rng(20)
    knots = np.linspace(0, B.BINS - 1, 60)
    bins = np.arange(B.BINS)
    delay = np.interp(bins, knots, rng.uniform(0.001, 0.011, len(knots))) * B.SAMPLE_RATE
    phase = -np.cumsum(delay) * 2 * np.pi / B.WINDOW
    return torch.from_numpy(np.exp(1j * phase).astype(np.complex64))


def _box(values: Tensor) -> Tensor:
    """Mean over the bins around each bin, (frames, 1025)."""
    edged = functional.pad(values[None], (_REACH + 1, _REACH), mode="replicate")[0]
    sums = edged.cumsum(1)
    wide = 2 * _REACH + 1
    return (sums[:, wide:] - sums[:, :-wide]) / wide


def _phasor(angle: Tensor) -> Tensor:
    return torch.complex(angle.cos(), angle.sin())


class _Unit:
    """The constants of a unit, and its operations, each from tensors to tensors."""

    def __init__(self, rounds: int, lookahead: int, momentum: float) -> None:
        self.rounds, self.lookahead, self.momentum = rounds, lookahead, momentum
        self.window = torch.from_numpy(B.WINDOW_SHAPE)
        self.synthesis = self.window * float(B.WINDOW_SHAPE.sum() / 2.0)
        self.count = lookahead + B.PATCH
        self.length = (self.count - 1) * B.HOP + B.WINDOW
        # Before the first frame come those that are finished; after the last one comes nothing.
        norm = _squares(-(B.WINDOW // B.HOP), self.count - 1, self.length)
        self.inverse = 1.0 / norm.clamp_min(0.02)
        self.placed = self.synthesis * self.inverse.unfold(0, B.WINDOW, B.HOP)
        steady = _squares(-B.PATCH, B.PATCH - 1, B.FRAME)
        self.put_out = 1.0 / steady
        self.diffuse = _decorrelator()
        self.turn = torch.full((self.count, B.BINS), 1j, dtype=torch.complex64)
        bins = np.arange(B.BINS)
        self.bins = torch.arange(B.BINS, dtype=torch.float32)
        turns = (B.HOP * bins % B.WINDOW) / B.WINDOW
        self.advance = torch.from_numpy((2 * np.pi * turns).astype(np.float32))
        of_bin = torch.from_numpy(B.STEREO_BAND_OF_BIN)
        self.bands_to_bins = functional.one_hot(of_bin, B.STEREO_BANDS).float().t().contiguous()

    def __call__(
        self,
        magnitude: Tensor,
        gains: Tensor,
        noise: Tensor,
        noise_log: Tensor,
        held: Tensor,
        momentum: Tensor,
        log_last: Tensor,
        log_slow: Tensor,
        mono: Tensor,
        stereo: Tensor,
    ) -> tuple[Tensor, ...]:
        """magnitude (4, 1025); gains (4, 4, 20) of `mixing_gains`; noise, its phasors and the logs
        of its sizes, (4, 1025); and the parts of `VocoderState` that have these names.

        Returns audio (1920, 2), and those parts anew, in the same order.
        """
        log = (magnitude + B.FLOOR).log()
        logs = torch.cat([log_last[None], log])
        steps = [log_slow]
        for i in range(B.PATCH):
            steps.append(torch.lerp(steps[-1], log[i], 0.4))
        slow = torch.stack(steps[1:])
        advance, locked, rough = self._advances(log, slow)
        leap = logs[1:] - logs[:-1] > _ONSET
        share = (1 - rough / _RIPPLE).clamp(0, 1).sqrt() * (locked | leap).logical_not()
        size = magnitude * torch.exp(noise_log * share)
        started = self._start(logs, advance, locked, leap, noise, held) * size
        spectrum = torch.cat([held, started])
        target = torch.cat([held.abs(), size])
        spectrum, extrapolated = self._iterate(spectrum, target, momentum, mono)
        audio, mono, stereo = self._put_out(spectrum[: B.PATCH], gains, mono, stereo)
        kept = spectrum[B.PATCH :].clone(), extrapolated[B.PATCH :].clone()
        return audio, *kept, log[-1].clone(), steps[-1], mono, stereo

    def _advances(self, log: Tensor, slow: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each bin's phase advance in a hop, read at the nearest peak, as a phasor; whether there
        is a peak near; and the variance of the log magnitudes around it. All (4, 1025)."""
        slope = functional.pad(log[:, 2:] - log[:, :-2], (1, 1))
        gradient = self.advance + slope * (B.HOP * B.WINDOW / _GAMMA / 2)
        both = torch.cat([log, slow])
        over, over_slow = (both - _box(both)).split(B.PATCH)
        rough = _box(over.square())
        middle = log[:, 2:-2]
        peak = middle > torch.maximum(log[:, 1:-3], log[:, :-4])
        peak &= middle >= torch.maximum(log[:, 3:-1], log[:, 4:])
        peak = functional.pad(peak, (2, 2))
        peak &= torch.minimum(over, 2 * over_slow) > _PROMINENCE
        below = torch.where(peak, self.bins, -_FAR).cummax(1)[0]
        above = torch.where(peak, self.bins, _FAR).flip(1).cummin(1)[0].flip(1)
        nearest = torch.where(self.bins - below <= above - self.bins, below, above)
        locked = (nearest - self.bins).abs() <= _SHARED
        index = torch.where(locked, nearest, self.bins).long()
        return _phasor(gradient.gather(1, index)), locked, rough

    def _start(
        self,
        logs: Tensor,
        advance: Tensor,
        locked: Tensor,
        leap: Tensor,
        noise: Tensor,
        held: Tensor,
    ) -> Tensor:
        """Phasors of the first guess, (4, 1025)."""
        ahead = torch.cat([(logs[2:] - logs[:-2]) / 2, logs[-1:] - logs[-2:-1]])
        group = ahead * (-_GAMMA / (B.HOP * B.WINDOW)) - np.pi
        attack = _phasor(group.clamp(-2 * np.pi, 0).cumsum(1))
        previous = noise[0]
        if self.lookahead:
            previous = torch.where(held[-1] == 0, previous, held[-1].sgn())
        out = []
        for i in range(B.PATCH):
            now = torch.where(locked[i], previous * advance[i], noise[i])
            previous = torch.where(leap[i], attack[i], now)
            out.append(previous)
        return torch.stack(out)

    def _iterate(
        self, spectrum: Tensor, target: Tensor, momentum: Tensor, mono: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Rounds of fast Griffin-Lim on the free frames, the finished past held."""
        extrapolated = torch.cat([momentum, spectrum[self.lookahead :]])
        if not self.rounds:
            return spectrum, extrapolated
        past = functional.pad(mono, (0, self.length - TAIL)) * self.inverse
        sheet = functional.pad(past[None], (0, 0, 0, self.count))
        places = sheet.as_strided((self.count, B.WINDOW), (self.length + B.HOP, 1), self.length)
        pairs = torch.view_as_real(torch.complex(target, target))
        tiny = torch.full_like(pairs, _TINY)
        before = rebuilt = torch.view_as_real(extrapolated)
        for number in range(self.rounds):
            wave = torch.fft.irfft(extrapolated, B.WINDOW)
            torch.mul(wave, self.placed, out=places)
            frames = sheet.sum(0).as_strided((self.count, B.WINDOW), (B.HOP, 1))
            heard = torch.fft.rfft(frames * self.window)
            parts, turned = torch.view_as_real(heard), torch.view_as_real(heard * self.turn)
            power = torch.addcmul(tiny, parts, parts).addcmul_(turned, turned)
            rebuilt = power.rsqrt_().mul_(pairs).mul_(parts)
            ahead = torch.lerp(before, rebuilt, 1 + self.momentum) if number else rebuilt
            extrapolated = torch.view_as_complex(ahead)
            before = rebuilt
        return torch.view_as_complex(rebuilt), extrapolated

    def _put_out(
        self, done: Tensor, gains: Tensor, mono: Tensor, stereo: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Mix, overlap-add and hand out the 1920 samples that no later frame touches."""
        # A product with ones and zeros: picking 16 rows by index takes six times as long.
        wide = (gains.reshape(-1, B.STEREO_BANDS) @ self.bands_to_bins).view(-1, *done.shape)
        diffuse = done * self.diffuse
        left = done * wide[0] + diffuse * wide[1]
        right = done * wide[2] + diffuse * wide[3]
        wave = torch.fft.irfft(torch.cat([left, right, done]), B.WINDOW).mul_(self.synthesis)
        frames = wave.view(3, B.PATCH, B.WINDOW)
        line = functional.pad(torch.cat([stereo.t(), mono[None]]), (0, B.FRAME))
        for i in range(B.PATCH):  # no sheet: one of this size is memory asked for anew every time
            line[:, i * B.HOP : i * B.HOP + B.WINDOW].add_(frames[:, i])
        audio = (line[:2, : B.FRAME] * self.put_out).t().contiguous()
        return audio, line[2, B.FRAME :].clone(), line[:2, B.FRAME :].t().contiguous()


@cache
def recorded_unit(rounds: int, lookahead: int, momentum: float) -> Recorded:
    """A unit with its operations recorded. It takes and gives what `_Unit.__call__` does."""
    unit = _Unit(rounds, lookahead, momentum)
    frames = (B.PATCH, B.BINS)
    fresh = torch.zeros(frames), torch.zeros(4, B.PATCH, B.STEREO_BANDS)
    noise = torch.ones(frames, dtype=torch.complex64), torch.zeros(frames)
    held = torch.zeros(lookahead, B.BINS, dtype=torch.complex64)
    logs = torch.zeros(B.BINS)
    rest = torch.zeros(TAIL), torch.zeros(TAIL, 2)
    return trace(unit.__call__, (*fresh, *noise, held, held, logs, logs, *rest))
