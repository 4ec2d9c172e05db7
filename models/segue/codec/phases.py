"""Phase reconstruction of one latent frame (four band frames, 40 ms) in torch operations; CPU only.

The method and its sources are in `vocoder`; this is the fast form. The whole step is one traced
call (`models.runtime.tracing`), which releases the GIL. Beyond that:

- windows, their norm and the scale of the transforms are multiplied in advance;
- overlap-add writes each frame to its own row of one buffer at its offset and sums the rows in one
  operation;
- magnitudes are computed from interleaved real numbers, because torch's `abs` of complex numbers
  takes as long as a transform. For a spectrum X, i X has the parts (-imag, real), so that the
  squares of both add up to (|X|^2, |X|^2), in the layout of X.

Stateless, and no argument is written to: any thread may call it.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.runtime.tracing import TensorFunction, trace
from models.segue.codec import bands as B
from models.segue.codec.attacks import AttackShaping

STATE_FIELDS: Final = ("held", "momentum", "log_last", "log_slow", "mono", "stereo")
"""Fields of `vocoder.VocoderState` that a step takes and returns, in this order."""

TAIL: Final = B.WINDOW - B.HOP
_GAMMA: Final = 0.25645 * B.WINDOW**2  # the Gaussian nearest to a Hann window (DAFx-16, table 1)
_RIPPLE: Final = 0.41  # variance of the log of a Rayleigh-distributed magnitude
_SMOOTHNESS_BINS: Final = 9  # bins on either side over which smoothness is measured
_ONSET: Final = 1.2  # rise in nepers per hop that counts as an onset
_PROMINENCE: Final = 0.7  # nepers of a peak over its surroundings
_LOCKED_BINS: Final = 6  # bins on either side of a peak that share its phase advance
_CREST: Final = 2.0  # greatest sample of the wave in the iterations, over its local level
_STROKE: Final = 1.0  # added share of it per neper by which a window's level differs from the next
_FAR: Final = 10_000.0
_SILENT: Final = 1e-9  # energy of a window that is as good as silent
_TINY: Final = 1e-24  # keeps divisors above zero


def _window_power(first: int, last: int, length: int) -> Tensor:
    """Sum of the squared windows of hops `first` to `last`, at samples 0 to `length`."""
    total = np.zeros(length, np.float64)
    for start in range(first * B.HOP, (last + 1) * B.HOP, B.HOP):
        low, high = max(0, start), min(length, start + B.WINDOW)
        total[low:high] += B.WINDOW_SHAPE[low - start : high - start].astype(np.float64) ** 2
    return torch.from_numpy(total.astype(np.float32))


def _decorrelator() -> Tensor:
    """Spectrum of a filter with smooth random group delays of 1 to 11 ms, (1025,).

    A window that holds its frame delayed by d keeps the share r(d) of the amplitude, the window's
    autocorrelation, so that an all-pass would leave the sides too faint.
    """
    rng = np.random.default_rng(20)
    knots = np.linspace(0, B.BINS - 1, 60)
    bins = np.arange(B.BINS)
    delay = np.interp(bins, knots, rng.uniform(0.001, 0.011, len(knots))) * B.SAMPLE_RATE
    phase = -np.cumsum(delay) * 2 * np.pi / B.WINDOW
    window = B.WINDOW_SHAPE.astype(np.float64)
    overlap = np.correlate(window, window, "full")[B.WINDOW - 1 :] / np.square(window).sum()
    kept = np.interp(delay, np.arange(B.WINDOW), overlap)
    return torch.from_numpy((np.exp(1j * phase) / kept).astype(np.complex64))


def _level_weights(count: int, length: int) -> Tensor:
    """Weights of the energies of windows a hop apart in the mean square of the wave around each
    sample, (count, length).
    """
    weights = np.zeros((count, length))
    for i in range(count):
        weights[i, i * B.HOP : i * B.HOP + B.WINDOW] = B.WINDOW_SHAPE.astype(np.float64) ** 2
    # Parseval's theorem, for the scale of `bands.spectra`.
    energy = float(2.0 / B.WINDOW_SHAPE.sum()) ** 2 * B.WINDOW / 2 * float(weights[0].sum())
    weights /= (weights.sum(axis=0) + 1e-3) * energy
    return torch.from_numpy(weights.astype(np.float32))


def _peaks(target: Tensor) -> Tensor:
    """Energies of windows, (count,), times the square of the crest that each may have: a stroke is
    much higher than the level of its window, a dense mix, which was limited, hardly is.
    """
    energy = target.square().sum(1)
    level = (energy + _SILENT).log() / 2
    change = level.diff().abs()
    change = torch.maximum(functional.pad(change, (1, 0)), functional.pad(change, (0, 1)))
    return energy * (_CREST * (1 + _STROKE * change)).square()


def _moving_average(values: Tensor) -> Tensor:
    """Moving average over the bins, (frames, 1025)."""
    padded = functional.pad(
        values[None], (_SMOOTHNESS_BINS + 1, _SMOOTHNESS_BINS), mode="replicate"
    )[0]
    sums = padded.cumsum(1)
    width = 2 * _SMOOTHNESS_BINS + 1
    return (sums[:, width:] - sums[:, :-width]) / width


def _phasor(angle: Tensor) -> Tensor:
    return torch.complex(angle.cos(), angle.sin())


class _PhaseReconstruction:
    """Phase reconstruction of one latent frame: constants and operations."""

    def __init__(
        self, iterations: int, lookahead: int, momentum: float, shaped: bool = False
    ) -> None:
        self.iterations, self.lookahead, self.momentum = iterations, lookahead, momentum
        self.window = torch.from_numpy(B.WINDOW_SHAPE)
        self.synthesis = self.window * float(B.WINDOW_SHAPE.sum() / 2.0)
        self.count = lookahead + B.PATCH
        self.attacks = AttackShaping(self.count) if shaped else None
        self.length = (self.count - 1) * B.HOP + B.WINDOW
        self.level_weights = _level_weights(self.count, self.length) if shaped else None
        # The first frame overlaps finished frames; none follow the last.
        norm = _window_power(-(B.WINDOW // B.HOP), self.count - 1, self.length)
        self.inverse = 1.0 / norm.clamp_min(0.02)
        self.synthesis_rows = self.synthesis * self.inverse.unfold(0, B.WINDOW, B.HOP)
        overlap = _window_power(-B.PATCH, B.PATCH - 1, B.FRAME)
        self.output_scale = 1.0 / overlap
        self.diffuse = _decorrelator()
        self.imaginary_unit = torch.full((self.count, B.BINS), 1j, dtype=torch.complex64)
        bins = np.arange(B.BINS)
        self.bins = torch.arange(B.BINS, dtype=torch.float32)
        cycles = (B.HOP * bins % B.WINDOW) / B.WINDOW
        self.advance = torch.from_numpy((2 * np.pi * cycles).astype(np.float32))
        of_bin = torch.from_numpy(B.STEREO_BAND_OF_BIN)
        self.bands_to_bins = functional.one_hot(of_bin, B.STEREO_BANDS).float().t().contiguous()

    def __call__(
        self,
        magnitude: Tensor,
        gains: Tensor,
        noise: Tensor,
        noise_log: Tensor,
        anchor: Tensor,
        held: Tensor,
        momentum: Tensor,
        log_last: Tensor,
        log_slow: Tensor,
        mono: Tensor,
        stereo: Tensor,
    ) -> tuple[Tensor, ...]:
        """One step.

        Args:
            magnitude: (4, 1025).
            gains: (4, 4, 20), of `vocoder.mixing_gains`.
            noise: phasors of the noise, (4, 1025).
            noise_log: log magnitudes of the noise, (4, 1025).
            anchor: phasors of a guide that are taken over, (4, 1025); 0 where none is, and there
                the noise may ripple smooth magnitudes only.
            held: this and the following are the fields of `vocoder.VocoderState`.
            momentum: as there.
            log_last: as there.
            log_slow: as there.
            mono: as there.
            stereo: as there.

        Returns:
            Audio (1920, 2), and the state fields after the step, in the same order.

        """
        log = (magnitude + B.FLOOR).log()
        logs = torch.cat([log_last[None], log])
        steps = [log_slow]
        for i in range(B.PATCH):
            steps.append(torch.lerp(steps[-1], log[i], 0.4))
        slow = torch.stack(steps[1:])
        advance, locked, roughness = self._phase_advance(log, slow)
        onset = logs[1:] - logs[:-1] > _ONSET
        share = (1 - roughness / _RIPPLE).clamp(0, 1).sqrt() * (locked | onset).logical_not()
        # Of a guide that is taken over all ripple is true: its partials stand out of their bands.
        share = share.maximum(anchor.abs())
        size = magnitude * torch.exp(noise_log * share)
        initial = self._initial_phase(logs, advance, locked, onset, noise, anchor, held) * size
        spectrum = torch.cat([held, initial])
        target = torch.cat([held.abs(), size])
        spectrum, extrapolated = self._iterate(spectrum, target, momentum, mono)
        shape = None
        if self.attacks is not None:
            shape = self.attacks.gains(self._wave(spectrum, mono), target)
        audio, mono, stereo = self._output(spectrum[: B.PATCH], gains, mono, stereo, shape)
        held_state = spectrum[B.PATCH :].clone(), extrapolated[B.PATCH :].clone()
        return audio, *held_state, log[-1].clone(), steps[-1], mono, stereo

    def _phase_advance(self, log: Tensor, slow: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Phase advance of every bin per hop, at the nearest peak, as a phasor; whether a peak is
        near (phase locking); local variance of the log magnitudes. All (4, 1025).
        """
        slope = functional.pad(log[:, 2:] - log[:, :-2], (1, 1))
        gradient = self.advance + slope * (B.HOP * B.WINDOW / _GAMMA / 2)
        stacked = torch.cat([log, slow])
        excess, excess_slow = (stacked - _moving_average(stacked)).split(B.PATCH)
        roughness = _moving_average(excess.square())
        middle = log[:, 2:-2]
        peak = middle > torch.maximum(log[:, 1:-3], log[:, :-4])
        peak &= middle >= torch.maximum(log[:, 3:-1], log[:, 4:])
        peak = functional.pad(peak, (2, 2))
        peak &= torch.minimum(excess, 2 * excess_slow) > _PROMINENCE
        below = torch.where(peak, self.bins, -_FAR).cummax(1)[0]
        above = torch.where(peak, self.bins, _FAR).flip(1).cummin(1)[0].flip(1)
        nearest = torch.where(self.bins - below <= above - self.bins, below, above)
        locked = (nearest - self.bins).abs() <= _LOCKED_BINS
        index = torch.where(locked, nearest, self.bins).long()
        return _phasor(gradient.gather(1, index)), locked, roughness

    def _initial_phase(
        self,
        logs: Tensor,
        advance: Tensor,
        locked: Tensor,
        onset: Tensor,
        noise: Tensor,
        anchor: Tensor,
        held: Tensor,
    ) -> Tensor:
        """Initial phases as phasors, (4, 1025)."""
        anchored = anchor != 0
        ahead = torch.cat([(logs[2:] - logs[:-2]) / 2, logs[-1:] - logs[-2:-1]])
        group = ahead * (-_GAMMA / (B.HOP * B.WINDOW)) - np.pi
        attack = _phasor(group.clamp(-2 * np.pi, 0).cumsum(1))
        previous = noise[0]
        if self.lookahead:
            previous = torch.where(held[-1] == 0, previous, held[-1].sgn())
        out = []
        for i in range(B.PATCH):
            now = torch.where(locked[i], previous * advance[i], noise[i])
            now = torch.where(onset[i], attack[i], now)
            previous = torch.where(anchored[i], anchor[i], now)
            out.append(previous)
        return torch.stack(out)

    def _iterate(
        self, spectrum: Tensor, target: Tensor, momentum: Tensor, mono: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Fast Griffin-Lim on the frames in progress, with the finished ones fixed -> their spectra
        and the extrapolated spectra.

        Of the waves with these magnitudes one without high peaks is looked for: samples are bounded
        before each transform (the swapping algorithm of Van der Ouderaa, Schoukens and Renneboog,
        "Peak factor minimization using a time-frequency domain swapping algorithm", IEEE Trans.
        Instrumentation and Measurement 1988).
        """
        extrapolated = torch.cat([momentum, spectrum[self.lookahead :]])
        if not self.iterations:
            return spectrum, extrapolated
        past = functional.pad(mono, (0, self.length - TAIL)) * self.inverse
        rows = functional.pad(past[None], (0, 0, 0, self.count))
        row_views = rows.as_strided((self.count, B.WINDOW), (self.length + B.HOP, 1), self.length)
        pairs = torch.view_as_real(torch.complex(target, target))
        epsilon = torch.full_like(pairs, _TINY)
        before = rebuilt = torch.view_as_real(extrapolated)
        bound = None
        if self.level_weights is not None:
            bound = (_peaks(target) @ self.level_weights).sqrt().add_(_TINY)
        for number in range(self.iterations):
            wave = torch.fft.irfft(extrapolated, B.WINDOW)
            torch.mul(wave, self.synthesis_rows, out=row_views)
            total = rows.sum(0)
            if bound is not None:
                total = torch.minimum(torch.maximum(total, -bound), bound)
            frames = total.as_strided((self.count, B.WINDOW), (B.HOP, 1))
            rebuilt_spectrum = torch.fft.rfft(frames * self.window)
            parts, rotated = (
                torch.view_as_real(rebuilt_spectrum),
                torch.view_as_real(rebuilt_spectrum * self.imaginary_unit),
            )
            power = torch.addcmul(epsilon, parts, parts).addcmul_(rotated, rotated)
            rebuilt = power.rsqrt_().mul_(pairs).mul_(parts)
            ahead = torch.lerp(before, rebuilt, 1 + self.momentum) if number else rebuilt
            extrapolated = torch.view_as_complex(ahead)
            before = rebuilt
        return torch.view_as_complex(rebuilt), extrapolated

    def _wave(self, spectrum: Tensor, mono: Tensor) -> Tensor:
        """Mono wave of the windows in progress and what the finished ones left, (length,)."""
        frames = torch.fft.irfft(spectrum, B.WINDOW).mul_(self.synthesis)
        wave = functional.pad(mono, (0, self.length - TAIL))
        for i in range(self.count):
            wave[i * B.HOP : i * B.HOP + B.WINDOW].add_(frames[i])
        return wave * self.inverse

    def _output(
        self, finished: Tensor, gains: Tensor, mono: Tensor, stereo: Tensor, shape: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Stereo mix and overlap-add -> the 1920 samples that no later frame overlaps, and the
        remainders of `mono` and `stereo`.
        """
        # A product with ones and zeros is much faster than gathering rows by index.
        bin_gains = (gains.reshape(-1, B.STEREO_BANDS) @ self.bands_to_bins).view(
            -1, *finished.shape
        )
        diffuse = finished * self.diffuse
        left = finished * bin_gains[0] + diffuse * bin_gains[1]
        right = finished * bin_gains[2] + diffuse * bin_gains[3]
        wave = torch.fft.irfft(torch.cat([left, right, finished]), B.WINDOW).mul_(self.synthesis)
        frames = wave.view(3, B.PATCH, B.WINDOW)
        past = torch.cat([stereo.t(), mono[None]])
        buffer = functional.pad(past if shape is None else past * 0, (0, B.FRAME))
        for i in range(B.PATCH):  # in place: no large temporary buffer
            buffer[:, i * B.HOP : i * B.HOP + B.WINDOW].add_(frames[:, i])
        if shape is not None and self.attacks is not None:
            buffer[:2] = self.attacks.shaped(buffer[:2], shape)
            buffer[:, :TAIL].add_(past)
        audio = (buffer[:2, : B.FRAME] * self.output_scale).t().contiguous()
        return audio, buffer[2, B.FRAME :].clone(), buffer[:2, B.FRAME :].t().contiguous()


@cache
def traced_reconstruction(
    iterations: int, lookahead: int, momentum: float, shaped: bool
) -> TensorFunction:
    """`_PhaseReconstruction` as a traced function."""
    reconstruction = _PhaseReconstruction(iterations, lookahead, momentum, shaped)
    frames = (B.PATCH, B.BINS)
    inputs = torch.zeros(frames), torch.zeros(4, B.PATCH, B.STEREO_BANDS)
    noise = torch.ones(frames, dtype=torch.complex64), torch.zeros(frames)
    held = torch.zeros(lookahead, B.BINS, dtype=torch.complex64)
    logs = torch.zeros(B.BINS)
    rest = torch.zeros(TAIL), torch.zeros(TAIL, 2)
    anchor = torch.zeros(frames, dtype=torch.complex64)
    return trace(reconstruction.__call__, (*inputs, *noise, anchor, held, held, logs, logs, *rest))
