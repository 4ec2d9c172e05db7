"""Vocoder: streaming reconstruction of phases, from bands to a stereo wave; CPU only.

Bands are magnitudes; the phases are reconstructed in steps of four frames (40 ms):

1. *Initial phase.* Each new frame's phase is the previous frame's, advanced by the instantaneous
   frequency estimated from the magnitudes: phase-gradient integration along time as in Prusa and
   Sondergaard, "Real-time spectrogram inversion using phase gradient heap integration" (DAFx-16,
   sections 2 and 3), with the gradient taken at spectral peaks and shared by the bins around them
   (phase locking; Laroche and Dolson 1999, section 3). At onsets the phase is integrated along
   frequency instead, which places an attack at its instant.
2. *Noise.* Where there is no peak the phase is that of a fixed noise spectrum, and where the
   magnitudes are also smooth (an autoencoder blurs noise into its envelope) they are multiplied by
   that noise's Rayleigh-distributed ripple. No wave has such smooth magnitudes: iterated without
   the ripple, they buzz at the frame rate.
3. *Iterations.* Fast Griffin-Lim (Perraudin, Balazs and Sondergaard, "A fast Griffin-Lim
   algorithm", WASPAA 2013) on the new frames and the `lookahead` held ones, while finished frames
   stay fixed (real-time iterative inversion with look-ahead; Zhu, Beauregard and Wyse, IEEE TASLP
   2007, section III).
4. *Stereo.* Left and right are mixed from the reconstructed frame and a decorrelated copy of it,
   by panning and coherence (Breebaart et al. 2005, section 4; see `bands`). The copy is filtered
   by an all-pass with a smooth random group delay of under 12 ms.
5. *Peaks.* Phases that are chosen anew add up to higher peaks than those of music, which was mixed
   and limited. So the iterations look for a wave that stays within a multiple of its local level,
   which is larger where the level changes: strokes are high.
6. *Attacks.* What is left of a stroke before its instant is taken away, as finely as the magnitudes
   of overlapping windows tell it (`attacks`).

With a *guide*, the spectra of a sound of the same music, phases need not be guessed: where it is
about as loud as the bands say, its phases are where the iterations start, and in noise its phases
and its ripple take the place of the fixed noise spectrum's. So attacks stay as sharp as the
guide's, and partials within one band apart from each other.

Audio is `Vocoder.delay` samples late. The operations are in `phases`; here are the state and the
preparation of their inputs.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import SegueError
from models.segue.codec import bands as B
from models.segue.codec.phases import STATE_FIELDS, TAIL, traced_reconstruction

Array = NDArray[np.float32]
Complex = NDArray[np.complex64]

_NOISE_FRAMES = 1000
_INAUDIBLE = 3e-5  # magnitude of a guide below which it has no phase
_AGREEMENT = 1.2  # nepers within which a guide's phase is taken over
_DARKEST = -2.5  # nepers of a guide's ripple: between two partials of a band
_CHUNK_FRAMES = 64  # frames prepared at once: bounds the memory for a long sound


class VocoderState(NamedTuple):
    """State of a vocoder stream. Its arrays are never written to, so it is its own snapshot."""

    seed: int
    unit: int
    held: Complex
    """Reconstructed spectra of the look-ahead frames, (lookahead, 1025)."""
    momentum: Complex
    """Extrapolated spectra of fast Griffin-Lim of the same frames."""
    log_last: Array
    """Log magnitudes of the newest frame, (1025,)."""
    log_slow: Array
    """The same, smoothed over about three frames."""
    mono: Array
    """Overlap-add of the finished frames, before normalisation by the windows, (1568,)."""
    stereo: Array
    """The same of left and right, (1568, 2)."""
    images: Array
    """Stereo images of the held frames, (lookahead, 40)."""
    image: Array
    """The smoothed stereo image of the last finished frame, (40,)."""


@cache
def _noise_table() -> tuple[Complex, Array]:
    """Spectra of ten seconds of periodic white noise: phasors and log magnitudes.

    Magnitudes are relative to the median where a band is one bin (the codec's loss is an absolute
    error, whose minimum is the median), to the root mean square where a band pools many bins.
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
    pooled_share = np.clip((pooled / (B.SAMPLE_RATE / B.WINDOW) - 1) / 2, 0, 1)
    reference = (1 - pooled_share) * np.log(np.median(size)) + pooled_share * np.log(
        np.sqrt((size**2).mean())
    )
    return np.asarray(spectrum / size, dtype=np.complex64), np.clip(
        np.log(size) - reference, -2.5, 1.0
    ).astype(np.float32)


class Vocoder:
    """Vocoder of bands and stereo images; stateless.

    Args:
        iterations: of Griffin-Lim, per latent frame.
        lookahead: band frames held back, 0 to 8; each adds 10 ms of delay.
        momentum: alpha of fast Griffin-Lim.
        shaped: whether attacks are made as sharp as the magnitudes tell, and peaks as low as
            music's, beyond the phases.

    Raises:
        SegueError: a value out of range.

    """

    def __init__(
        self,
        iterations: int = 16,
        lookahead: int = 3,
        momentum: float = 0.99,
        shaped: bool = True,
    ) -> None:
        if iterations < 0 or not 0 <= lookahead <= 8:
            raise SegueError("The vocoder takes rounds >= 0 and a lookahead from 0 to 8 frames.")
        self.iterations = iterations
        self.lookahead = lookahead
        self._reconstruct = traced_reconstruction(iterations, lookahead, momentum, shaped)
        self._noise, self._noise_log = _noise_table()

    @property
    def delay(self) -> int:
        """Samples by which the audio is late."""
        return B.LOOKAHEAD + self.lookahead * B.HOP

    def start(self, seed: int = 0) -> VocoderState:
        """The state before the first frame: silence."""
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

    def step(
        self, bands: Array, stereo: Array, state: VocoderState, guide: Complex | None = None
    ) -> tuple[Array, VocoderState]:
        """Audio of the next band frames; the same however the frames are divided into calls.

        Args:
            bands: (T, 320), T a multiple of 4.
            stereo: images (T, 40) or (T / 4, 40).
            state: of the call before, or `start`.
            guide: spectra (T, 1025) of `bands.spectra` of another sound, mono, at the same time.

        Returns:
            float32 (480 T, 2), and the state for the next call.

        Raises:
            SegueError: other shapes.

        """
        if bands.ndim != 2 or bands.shape[1] != B.BANDS or len(bands) % B.PATCH:
            raise SegueError(f"The vocoder needs bands of shape (4 k, 320), not {bands.shape}.")
        if stereo.shape[1:] != (B.STEREO,) or len(bands) not in (len(stereo), 4 * len(stereo)):
            raise SegueError(f"The vocoder needs a stereo image per frame, not {stereo.shape}.")
        if len(stereo) != len(bands):
            stereo = np.repeat(stereo, B.PATCH, axis=0)
        bands = np.asarray(bands, np.float32)
        outputs = []
        for at in range(0, len(bands), _CHUNK_FRAMES):
            chunk = slice(at, at + _CHUNK_FRAMES)
            part = None if guide is None else guide[chunk]
            audio, state = self._play(B.to_magnitudes(bands[chunk]), stereo[chunk], state, part)
            outputs.append(audio)
        audio = np.concatenate(outputs) if outputs else np.zeros((0, 2), np.float32)
        return audio, state

    @torch.inference_mode()
    def _play(
        self, magnitudes: Array, image: Array, state: VocoderState, guide: Complex | None
    ) -> tuple[Array, VocoderState]:
        """Audio (480 T, 2) of magnitudes (T, 1025) and stereo images (T, 40)."""
        count = len(magnitudes)
        images = np.concatenate([state.images, image])
        smoothed, last = _smooth(images[:count], state.image)
        gains = torch.from_numpy(mixing_gains(smoothed))
        first = state.seed * 7919 + state.unit * B.PATCH
        positions = (first + np.arange(count)) % _NOISE_FRAMES
        magnitude = torch.from_numpy(magnitudes)
        phasors, ripple = self._noise[positions], self._noise_log[positions]
        anchors = np.zeros_like(phasors)
        if guide is not None:
            phasors, ripple, anchors = guided(magnitudes, guide, phasors, ripple)
        noise, noise_log = torch.from_numpy(phasors), torch.from_numpy(ripple)
        anchor = torch.from_numpy(anchors)
        state_parts = [_tensor(getattr(state, name)) for name in STATE_FIELDS]
        outputs = []
        for at in range(0, count, B.PATCH):
            frame = slice(at, at + B.PATCH)
            audio, *state_parts = self._reconstruct(
                magnitude[frame],
                gains[:, frame],
                noise[frame],
                noise_log[frame],
                anchor[frame],
                *state_parts,
            )
            outputs.append(audio)
        fields = dict(zip(STATE_FIELDS, (part.numpy() for part in state_parts), strict=True))
        return torch.cat(outputs).numpy(), VocoderState(
            seed=state.seed,
            unit=state.unit + count // B.PATCH,
            # A copy: a view would keep the whole array alive as long as a snapshot.
            images=images[count:].copy(),
            image=last,
            **fields,
        )


def guided(
    magnitudes: Array, guide: Complex, noise: Complex, noise_log: Array
) -> tuple[Complex, Array, Complex]:
    """Noise phasors, noise log magnitudes and anchors with a guide; all (T, 1025)."""
    size = np.abs(guide)
    heard = size > _INAUDIBLE
    phasor = guide / np.maximum(size, 1e-12)
    log = np.log(size + B.FLOOR)
    smooth = np.log(B.to_magnitudes(B.compress(size @ B.POOL.T)) + B.FLOOR)
    ripple = np.clip(log - smooth, _DARKEST, 1.0)
    # By what the bands know of both: between two partials of a band a guide is far darker.
    near = heard & (np.abs(np.log(magnitudes + B.FLOOR) - smooth) < _AGREEMENT)
    return (
        np.where(heard, phasor, noise).astype(np.complex64),
        np.where(heard, ripple, noise_log).astype(np.float32),
        np.where(near, phasor, 0).astype(np.complex64),
    )


def _tensor(values: NDArray[np.generic]) -> Tensor:
    """An array as a tensor, without a copy where it is writeable (torch warns otherwise)."""
    return torch.from_numpy(values if values.flags.writeable else values.copy())


def _smooth(images: Array, last: Array) -> tuple[Array, Array]:
    """One-pole smoothing (about 20 ms) of stereo images (T, 40), and the last of them."""
    out = np.empty_like(images)
    for i, image in enumerate(images):
        last = last + np.float32(0.4) * (image - last)
        out[i] = last
    return out, last


def mixing_gains(images: Array) -> Array:
    """Gains of the direct and the diffuse signal in left and right (Breebaart et al. 2005, section
    4.3): images (T, 40) -> (4, T, 20), left direct, left diffuse, right direct, right diffuse.
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
