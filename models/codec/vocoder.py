"""From bands to a wave: streaming phase reconstruction. Inference lane; numpy only.

The bands tell magnitudes, the phases are rebuilt in units of four frames (40 ms):

1. *Start.* Each new frame's phase is the previous frame's, advanced by the instantaneous frequency
   that the magnitudes themselves tell: phase-gradient integration along time as in Prusa and
   Sondergaard, "Real-time spectrogram inversion using phase gradient heap integration" (DAFx-16,
   sections 2 and 3), with the gradient read at spectral peaks and shared by the bins around them
   (phase locking; Laroche and Dolson 1999, section 3). Where the energy leaps up, the phase is
   integrated along frequency instead, which places an attack at its instant.
2. *Noise.* Where there is no peak the phase is that of a real noise's spectrum, and where the
   magnitudes are also smooth (an autoencoder blurs noise into its envelope) they take on that
   noise's Rayleigh-distributed ripple. Smooth magnitudes taken at their word have no wave that fits
   them: iterated, they buzz at the rate of the frames (measured on white noise: ripple of 1.7 dB
   instead of 5.6, and 8 times the median in the 100 Hz line of the envelope's spectrum instead of
   1.7).
3. *Rounds.* Fast Griffin-Lim (Perraudin, Balazs and Sondergaard, "A fast Griffin-Lim algorithm",
   WASPAA 2013) on the new frames and the ``lookahead`` held ones, while the finished past stays as
   it was (real-time iterative inversion with look-ahead; Zhu, Beauregard and Wyse, IEEE TASLP
   2007, section III).
4. *Image.* Left and right are mixed from the rebuilt frame and a decorrelated copy of it, by
   panning and coherence (Breebaart et al. 2005, section 4; see ``bands``). The copy is an
   all-pass with a smooth random group delay of under 12 ms, applied as one product.

Audio leaves ``Vocoder.delay`` samples after the frames that describe it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft as sp_fft

from models.codec import bands as B
from models.errors import SegueError

Array = NDArray[np.float32]
Complex = NDArray[np.complex64]

_GAMMA = 0.25645 * B.WINDOW**2  # the Gaussian nearest to a Hann window (DAFx-16, table 1)
_UNNORM = np.float32(B.WINDOW_SHAPE.sum() / 2.0)
_BIN = np.arange(B.BINS)
_TAIL = B.WINDOW - B.HOP


class VocoderState(NamedTuple):
    """Everything the vocoder remembers. Its arrays are never written to, so keeping it is free."""

    seed: int
    unit: int
    held: Complex
    """Rebuilt spectra of the look-ahead frames, (lookahead, 1025)."""
    momentum: Complex
    """Fast Griffin-Lim's extrapolated spectra of the same frames."""
    log_last: Array
    """Log magnitudes of the newest frame, (1025,)."""
    log_slow: Array
    """The same, smoothed over about three frames."""
    mono: Array
    """Overlap-add of the finished frames before division by the window's sum, (1568,)."""
    stereo: Array
    """The same of left and right, (1568, 2)."""
    images: Array
    """Stereo images of the held frames, (lookahead, 40)."""
    image: Array
    """The smoothed stereo image of the last frame put out, (40,)."""


def _steady_norm() -> Array:
    """Sum of squared windows at each of the 480 places of a hop, float32 (480,)."""
    padded = np.zeros(-(-B.WINDOW // B.HOP) * B.HOP)
    padded[: B.WINDOW] = B.WINDOW_SHAPE.astype(np.float64) ** 2
    return padded.reshape(-1, B.HOP).sum(0).astype(np.float32)


def _decorrelator() -> Complex:
    """Spectrum of an all-pass with smooth random group delays of 1 to 11 ms, (1025,)."""
    rng = np.random.default_rng(20)
    knots = np.linspace(0, B.BINS - 1, 60)
    delay = np.interp(_BIN, knots, rng.uniform(0.001, 0.011, len(knots))) * B.SAMPLE_RATE
    phase = -np.cumsum(delay) * 2 * np.pi / B.WINDOW
    return np.exp(1j * phase).astype(np.complex64)


_NORM = _steady_norm()
_DIFFUSE = _decorrelator()
_NOISE_FRAMES = 1000
_RIPPLE = np.float32(0.41)  # variance of the log of a Rayleigh-distributed magnitude
_REACH = 9  # bins on either side that tell whether a spectrum is smooth


def _phasor(angle: NDArray[np.floating]) -> Complex:
    out = np.empty(angle.shape, np.complex64)
    np.cos(angle, out=out.real)
    np.sin(angle, out=out.imag)
    return out


def _noise_table() -> tuple[Complex, Array]:
    """Spectra of ten seconds of white noise, in a circle: phasors and the log of their size.

    Sizes are relative to the median where a band is a bin (the network's loss is an absolute error,
    which finds medians), and to the root mean square where a band pools the powers of many.
    """
    rng = np.random.default_rng(21)
    wave = rng.standard_normal(_NOISE_FRAMES * B.HOP).astype(np.float32)
    wave = np.concatenate([wave, wave[: B.WINDOW]])
    views = np.lib.stride_tricks.sliding_window_view(wave, B.WINDOW)[:: B.HOP][:_NOISE_FRAMES]
    spectrum = sp_fft.rfft(views * B.WINDOW_SHAPE, axis=-1)
    size = np.maximum(np.abs(spectrum), 1e-6).astype(np.float32)
    pooled = np.interp(_BIN * B.SAMPLE_RATE / B.WINDOW, B.CENTRES_HZ[1:], np.diff(B.CENTRES_HZ))
    many = np.clip((pooled / (B.SAMPLE_RATE / B.WINDOW) - 1) / 2, 0, 1)
    usual = (1 - many) * np.log(np.median(size)) + many * np.log(np.sqrt((size**2).mean()))
    return spectrum / size, np.clip(np.log(size) - usual, -2.5, 1.0).astype(np.float32)


def _box(values: Array) -> Array:
    """Mean over the bins around each bin, (frames, 1025)."""
    sums = np.cumsum(np.pad(values, ((0, 0), (_REACH + 1, _REACH)), mode="edge"), axis=1)
    wide = 2 * _REACH + 1
    return np.asarray((sums[:, wide:] - sums[:, :-wide]) / np.float32(wide), dtype=np.float32)


class Vocoder:
    """Rebuilds stereo audio from bands, unit by unit; holds no music, only its settings.

    rounds: Griffin-Lim rounds for each unit. lookahead: band frames held back, 0 to 8; more is
    better and later. momentum: fast Griffin-Lim's alpha.
    """

    def __init__(self, rounds: int = 16, lookahead: int = 3, momentum: float = 0.99) -> None:
        if rounds < 0 or not 0 <= lookahead <= 8:
            raise SegueError("The vocoder takes rounds >= 0 and a lookahead from 0 to 8 frames.")
        self.rounds = rounds
        self.lookahead = lookahead
        self.momentum = np.float32(momentum)
        self.onset = 1.2
        self.prominence = 0.7
        self.ripple = 1.0
        self._noise, self._noise_log = _noise_table()
        count = lookahead + B.PATCH
        length = (count - 1) * B.HOP + B.WINDOW
        norm = np.zeros(length + B.WINDOW, np.float32)
        for start in range(-(B.WINDOW // B.HOP) * B.HOP, count * B.HOP, B.HOP):
            first = max(0, start)
            norm[first : start + B.WINDOW] += B.WINDOW_SHAPE[first - start :] ** 2
        self._inverse_norm = (1.0 / np.maximum(norm[:length], 0.02)).astype(np.float32)

    @property
    def delay(self) -> int:
        """Samples between a frame's own samples and the wave that comes out."""
        return B.LOOKAHEAD + self.lookahead * B.HOP

    def start(self, seed: int = 0) -> VocoderState:
        """The state before the first frame: silence behind, silence held."""
        centred = np.concatenate([np.zeros(B.STEREO_BANDS), np.ones(B.STEREO_BANDS)])
        image = centred.astype(np.float32)
        return VocoderState(
            seed=seed,
            unit=0,
            held=np.zeros((self.lookahead, B.BINS), np.complex64),
            momentum=np.zeros((self.lookahead, B.BINS), np.complex64),
            log_last=np.full(B.BINS, np.log(B.FLOOR), np.float32),
            log_slow=np.full(B.BINS, np.log(B.FLOOR), np.float32),
            mono=np.zeros(_TAIL, np.float32),
            stereo=np.zeros((_TAIL, 2), np.float32),
            images=np.repeat(image[None], self.lookahead, 0),
            image=image,
        )

    def step(self, bands: Array, stereo: Array, state: VocoderState) -> tuple[Array, VocoderState]:
        """Audio float32 (480 T, 2) of bands (T, 320) and stereo (T, 40) or (T/4, 40); T % 4 == 0.

        The same frames give the same samples whatever the sizes of the blocks they come in.
        """
        if bands.ndim != 2 or bands.shape[1] != B.BANDS or len(bands) % B.PATCH:
            raise SegueError(f"The vocoder needs bands of shape (4 k, 320), not {bands.shape}.")
        if stereo.shape[1:] != (B.STEREO,) or len(bands) not in (len(stereo), 4 * len(stereo)):
            raise SegueError(f"The vocoder needs a stereo image per frame, not {stereo.shape}.")
        if len(stereo) != len(bands):
            stereo = np.repeat(stereo, B.PATCH, axis=0)
        bands = np.asarray(bands, np.float32)
        pieces = []
        for at in range(0, len(bands), B.PATCH):
            piece, state = self._unit(
                B.spread(bands[at : at + B.PATCH]), stereo[at : at + B.PATCH], state
            )
            pieces.append(piece)
        audio = np.concatenate(pieces) if pieces else np.zeros((0, 2), np.float32)
        return audio, state

    def _unit(self, fresh: Array, image: Array, state: VocoderState) -> tuple[Array, VocoderState]:
        """Four frames in, 1920 samples out."""
        started, log_last, log_slow = self._start_frames(fresh, state)
        spectrum = np.concatenate([state.held, started])
        target = np.abs(spectrum)
        spectrum, momentum = self._iterate(spectrum, target, state)
        images = np.concatenate([state.images, image])
        done = spectrum[: B.PATCH]
        smoothed, last = self._smooth(images[: B.PATCH], state.image)
        audio, tail = self._put_out(done, smoothed, state.stereo)
        mono = np.concatenate([state.mono, np.zeros(B.FRAME, np.float32)])
        wave = sp_fft.irfft(done * _UNNORM, n=B.WINDOW, axis=-1) * B.WINDOW_SHAPE
        for i in range(B.PATCH):
            mono[i * B.HOP : i * B.HOP + B.WINDOW] += wave[i]
        # Copies: a view would keep the whole of what it is the end of, for as long as a moment.
        new = VocoderState(
            seed=state.seed,
            unit=state.unit + 1,
            held=spectrum[B.PATCH :].copy(),
            momentum=momentum[B.PATCH :].copy(),
            log_last=log_last.copy(),
            log_slow=log_slow,
            mono=mono[B.FRAME :].copy(),
            stereo=tail.copy(),
            images=images[B.PATCH :].copy(),
            image=last,
        )
        return audio, new

    def _start_frames(self, fresh: Array, state: VocoderState) -> tuple[Complex, Array, Array]:
        """First guess of four new frames' spectra, and the newest log magnitudes, also smoothed."""
        places = (state.seed * 7919 + state.unit * B.PATCH + np.arange(B.PATCH)) % _NOISE_FRAMES
        noise = self._noise[places]
        log = np.log(fresh + np.float32(B.FLOOR))
        logs = np.concatenate([state.log_last[None], log])
        slow = np.empty_like(log)
        steady = state.log_slow
        for i in range(B.PATCH):
            steady = steady + np.float32(0.4) * (log[i] - steady)
            slow[i] = steady
        advance, locked, rough = self._advances(log, slow)
        leap = logs[1:] - logs[:-1] > self.onset
        share = np.sqrt(np.clip(1 - rough / _RIPPLE, 0, 1)) * ~(locked | leap)
        size = fresh * np.exp(self._noise_log[places] * (share * np.float32(self.ripple)))
        out = np.empty_like(noise)
        previous = state.held[-1] if len(state.held) else np.zeros(B.BINS, np.complex64)
        previous = np.where(previous == 0, noise[0], previous)
        previous = previous / np.maximum(np.abs(previous), np.float32(1e-20))
        for i in range(B.PATCH):
            now = np.where(locked[i], previous * advance[i], noise[i])
            if leap[i].any():
                after = min(i + 2, B.PATCH)
                slope = (logs[after] - logs[i]) / np.float32(after - i)
                group = -np.float32(_GAMMA / (B.HOP * B.WINDOW)) * slope - np.float32(np.pi)
                now = np.where(leap[i], _phasor(np.cumsum(np.clip(group, -2 * np.pi, 0))), now)
            out[i] = now
            previous = now
        return out * size, logs[-1], steady

    def _advances(self, log: Array, slow: Array) -> tuple[Complex, NDArray[np.bool_], Array]:
        """Each bin's phase advance in a hop, read at the nearest peak; whether there is a peak
        near; and the variance of the log magnitudes around it. All (4, 1025)."""
        slope = np.zeros_like(log)
        slope[:, 1:-1] = (log[:, 2:] - log[:, :-2]) / 2
        gradient = 2 * np.pi * B.HOP * _BIN / B.WINDOW + (B.HOP * B.WINDOW / _GAMMA) * slope
        around = _box(log)
        rough = _box((log - around) ** 2)
        peak = np.zeros(log.shape, bool)
        middle = log[:, 2:-2]
        peak[:, 2:-2] = (
            (middle > log[:, 1:-3])
            & (middle >= log[:, 3:-1])
            & (middle > log[:, :-4])
            & (middle >= log[:, 4:])
        )
        peak &= (log - around > self.prominence) & (slow - _box(slow) > self.prominence / 2)
        below = np.maximum.accumulate(np.where(peak, _BIN, -10_000), axis=1)
        above = np.minimum.accumulate(np.where(peak, _BIN, 10_000)[:, ::-1], axis=1)[:, ::-1]
        nearest = np.where(_BIN - below <= above - _BIN, below, above)
        locked = np.abs(nearest - _BIN) <= 6
        rows = np.arange(len(log))[:, None]
        shared = gradient[rows, np.where(locked, nearest, _BIN)]
        return _phasor(shared % (2 * np.pi)), locked, rough

    def _iterate(
        self, spectrum: Complex, target: Array, state: VocoderState
    ) -> tuple[Complex, Complex]:
        """Rounds of fast Griffin-Lim on the free frames, the finished past held."""
        count = len(spectrum)
        extrapolated = spectrum.copy()
        extrapolated[: self.lookahead] = state.momentum
        before: Complex | None = None
        length = (count - 1) * B.HOP + B.WINDOW
        past = np.zeros(length, np.float32)
        past[:_TAIL] = state.mono
        for _ in range(self.rounds):
            wave = sp_fft.irfft(extrapolated * _UNNORM, n=B.WINDOW, axis=-1) * B.WINDOW_SHAPE
            line = past.copy()
            for i in range(count):
                line[i * B.HOP : i * B.HOP + B.WINDOW] += wave[i]
            line *= self._inverse_norm
            views = np.lib.stride_tricks.sliding_window_view(line, B.WINDOW)[:: B.HOP]
            rebuilt = sp_fft.rfft(views * B.WINDOW_SHAPE, axis=-1)
            size = np.sqrt(rebuilt.real**2 + rebuilt.imag**2)
            rebuilt *= target / np.maximum(size, np.float32(1e-12))
            if before is None:
                extrapolated = rebuilt
            else:
                extrapolated = rebuilt + self.momentum * (rebuilt - before)
            before = rebuilt
        return (spectrum if before is None else before), extrapolated

    @staticmethod
    def _smooth(images: Array, last: Array) -> tuple[Array, Array]:
        """One-pole smoothing (about 20 ms) of the stereo image over four frames."""
        out = np.empty_like(images)
        for i, image in enumerate(images):
            last = last + np.float32(0.4) * (image - last)
            out[i] = last
        return out, last

    @staticmethod
    def _put_out(done: Complex, images: Array, tail: Array) -> tuple[Array, Array]:
        """Mix, overlap-add and hand out the 1920 samples that no later frame touches."""
        gains = mixing_gains(images)[:, :, B.STEREO_BAND_OF_BIN]
        diffuse = done * _DIFFUSE
        both = np.stack(
            [done * gains[0] + diffuse * gains[1], done * gains[2] + diffuse * gains[3]], axis=1
        )
        wave = sp_fft.irfft(both * _UNNORM, n=B.WINDOW, axis=-1) * B.WINDOW_SHAPE
        line = np.concatenate([tail, np.zeros((B.FRAME, 2), np.float32)])
        for i in range(B.PATCH):
            line[i * B.HOP : i * B.HOP + B.WINDOW] += wave[i].T
        audio = line[: B.FRAME] / np.tile(_NORM, B.PATCH)[:, None]
        return audio.astype(np.float32), line[B.FRAME :]


def mixing_gains(images: Array) -> Array:
    """Gains of the rebuilt and the diffuse signal in left and right, (4, T, 20), from (T, 40).

    Rows: left direct, left diffuse, right direct, right diffuse. Their squares sum to the panning's
    powers, and the channels' coherence is the one asked for (Breebaart et al. 2005, section 4.3).
    """
    pan = np.clip(images[:, : B.STEREO_BANDS], -1, 1)
    coherence = np.clip(images[:, B.STEREO_BANDS :], -1, 1)
    left, right = np.sqrt(1 + pan), np.sqrt(1 - pan)
    alpha = np.arccos(coherence) / 2
    beta = np.arctan(np.tan(np.minimum(alpha, 1.5)) * (right - left) / (left + right))
    return np.stack(
        [
            left * np.cos(beta + alpha),
            left * np.sin(beta + alpha),
            right * np.cos(beta - alpha),
            right * np.sin(beta - alpha),
        ]
    ).astype(np.float32)
