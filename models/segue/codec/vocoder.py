"""From bands to a wave: streaming phase reconstruction. Inference lane; CPU only.

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

Audio leaves ``Vocoder.delay`` samples after the frames that describe it. What all this is in
torch's operations is told in ``phases``; here are the state and what is made ready for it.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import SegueError
from models.segue.codec import bands as B
from models.segue.codec.phases import PARTS, TAIL, recorded_unit

Array = NDArray[np.float32]
Complex = NDArray[np.complex64]

_NOISE_FRAMES = 1000
_PORTION = 64  # frames that are made ready at once: bounds the memory that a long sound takes


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


@cache
def _noise_table() -> tuple[Complex, Array]:
    """Spectra of ten seconds of white noise, in a circle: phasors and the log of their size.

    Sizes are relative to the median where a band is a bin (the network's loss is an absolute error,
    which finds medians), and to the root mean square where a band pools the powers of many.
    """
    rng = np.random.default_rng(21)
    wave = rng.standard_normal(_NOISE_FRAMES * B.HOP).astype(np.float32)
    wave = np.concatenate([wave, wave[: B.WINDOW]])
    views = np.lib.stride_tricks.sliding_window_view(wave, B.WINDOW)[:: B.HOP][:_NOISE_FRAMES]
    spectrum = np.fft.rfft(views * B.WINDOW_SHAPE, axis=-1)
    size = np.maximum(np.abs(spectrum), 1e-6).astype(np.float32)
    pooled = np.interp(
        np.arange(B.BINS) * B.SAMPLE_RATE / B.WINDOW, B.CENTRES_HZ[1:], np.diff(B.CENTRES_HZ)
    )
    many = np.clip((pooled / (B.SAMPLE_RATE / B.WINDOW) - 1) / 2, 0, 1)
    usual = (1 - many) * np.log(np.median(size)) + many * np.log(np.sqrt((size**2).mean()))
    return np.asarray(spectrum / size, dtype=np.complex64), np.clip(
        np.log(size) - usual, -2.5, 1.0
    ).astype(np.float32)


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
        self._unit = recorded_unit(rounds, lookahead, momentum)
        self._noise, self._noise_log = _noise_table()

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
            mono=np.zeros(TAIL, np.float32),
            stereo=np.zeros((TAIL, 2), np.float32),
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
        for at in range(0, len(bands), _PORTION):
            portion = slice(at, at + _PORTION)
            piece, state = self._play(B.spread(bands[portion]), stereo[portion], state)
            pieces.append(piece)
        audio = np.concatenate(pieces) if pieces else np.zeros((0, 2), np.float32)
        return audio, state

    @torch.inference_mode()
    def _play(self, fresh: Array, image: Array, state: VocoderState) -> tuple[Array, VocoderState]:
        """Audio (480 T, 2) of magnitudes (T, 1025) and stereo images (T, 40)."""
        count = len(fresh)
        images = np.concatenate([state.images, image])
        smoothed, last = _smooth(images[:count], state.image)
        gains = torch.from_numpy(mixing_gains(smoothed))
        first = state.seed * 7919 + state.unit * B.PATCH
        places = (first + np.arange(count)) % _NOISE_FRAMES
        magnitude = torch.from_numpy(fresh)
        noise = torch.from_numpy(self._noise[places])
        noise_log = torch.from_numpy(self._noise_log[places])
        parts = [_tensor(getattr(state, name)) for name in PARTS]
        pieces = []
        for at in range(0, count, B.PATCH):
            unit = slice(at, at + B.PATCH)
            piece, *parts = self._unit(
                magnitude[unit], gains[:, unit], noise[unit], noise_log[unit], *parts
            )
            pieces.append(piece)
        kept = dict(zip(PARTS, (part.numpy() for part in parts), strict=True))
        return torch.cat(pieces).numpy(), VocoderState(
            seed=state.seed,
            unit=state.unit + count // B.PATCH,
            # A copy: a view would keep the whole of what it is the end of, as long as a moment.
            images=images[count:].copy(),
            image=last,
            **kept,
        )


def _tensor(values: NDArray[Any]) -> Tensor:
    """The same memory where it may be written to: torch warns of arrays that may not."""
    return torch.from_numpy(values if values.flags.writeable else values.copy())


def _smooth(images: Array, last: Array) -> tuple[Array, Array]:
    """One-pole smoothing (about 20 ms) of the stereo image over frames (T, 40)."""
    out = np.empty_like(images)
    for i, image in enumerate(images):
        last = last + np.float32(0.4) * (image - last)
        out[i] = last
    return out, last


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
