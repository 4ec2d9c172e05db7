"""Codec: audio to latents and latents to audio, whole or streaming.

All states are immutable tuples: a state is a snapshot, and the same state and input give the same
samples again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from models.errors import SegueError
from models.segue.codec import bands as B
from models.segue.codec import frame_smoothing
from models.segue.codec.autoencoder import (
    PATCH_SIZE,
    Autoencoder,
    CodecConfig,
    State,
    split_patches,
)
from models.segue.codec.decoder import StreamingDecoder
from models.segue.codec.highs import restored
from models.segue.codec.quiet import quietened
from models.segue.codec.vocoder import Vocoder, VocoderState

Array = NDArray[np.float32]
Tone = Callable[[Array], Array]
"""Change of bands (T, 320)."""


class EncoderState(NamedTuple):
    """Encoder state: audio that the next window needs, float32 (1568, 2), and the network's."""

    audio: Array
    network: State


class DecoderState(NamedTuple):
    """Decoder state: the network's, and the last band frame (320,), None before the first."""

    network: State
    last: Array | None


class DecodingState(NamedTuple):
    """States of decoder and vocoder of a stream."""

    network: DecoderState
    vocoder: VocoderState


class Codec:
    """Encoder, decoder and vocoder with one set of weights.

    Latents are float32 (T, latent_dim) at 25 frames a second with zero mean and unit variance over
    the corpus. Audio is float32 (n, 2) at 48 kHz.

    Args:
        network: its weights are packed here and must not change afterwards.
        device: torch device of the network; the vocoder runs on the CPU.
        iterations: Griffin-Lim iterations of the vocoder per latent frame.

    """

    def __init__(
        self, network: Autoencoder, device: str | torch.device = "cpu", iterations: int = 16
    ) -> None:
        self.device = torch.device(device)
        self.network = network.to(self.device).eval().requires_grad_(False)
        self.vocoder = Vocoder(iterations=iterations, lookahead=2)
        self._decoder = StreamingDecoder(self.network)

    @property
    def latent_dim(self) -> int:
        """Size of a latent frame."""
        return int(self.network.config.latent)

    @property
    def delay(self) -> int:
        """Samples by which `decode_audio_step` is late."""
        return self.vocoder.delay

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Codec:
        """A codec from a safetensors file.

        Raises:
            SegueError: the file is missing, damaged or of another version.

        """
        path = Path(path)
        if not path.is_file():
            raise SegueError(f"The codec's weights are missing: {path}. Restore or retrain them.")
        try:
            with safe_open(str(path), framework="pt") as file:
                config = CodecConfig(**json.loads((file.metadata() or {})["config"]))
                tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
            network = Autoencoder(config)
            network.load_state_dict(tensors)
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
            raise SegueError(
                f"The codec's weights in {path} are damaged or of another version; restore them."
            ) from error
        if not all(bool(torch.isfinite(t).all()) for t in tensors.values()):
            raise SegueError(f"The codec's weights in {path} are damaged; restore the file.")
        return cls(network, device)

    def save(self, path: str | Path, note: str = "") -> None:
        """Write the weights as float16 safetensors, atomically."""
        path = Path(path)
        tensors = {
            name: tensor.detach().to("cpu", torch.float16).contiguous()
            for name, tensor in self.network.state_dict().items()
        }
        metadata = {"config": json.dumps(self.network.config.as_dict()), "note": note}
        unfinished = path.with_suffix(".part")
        save_file(tensors, str(unfinished), metadata=metadata)
        unfinished.chmod(0o644)  # safetensors creates it readable by its owner only
        unfinished.replace(path)

    def encode(self, audio: NDArray[np.floating], tone: Tone | None = None) -> Array:
        """Latents (ceil(n / 1920), D) of audio (n, 2); frame j is centred on its 1920 samples.
        `tone` changes the bands beforehand.
        """
        bands, stereo = B.analyse(audio)
        return self.encode_bands(bands if tone is None else tone(bands), stereo)

    def encode_bands(self, bands: Array, stereo: Array) -> Array:
        """Latents (T, D) of bands (4 T, 320) and stereo images (T, 40)."""
        patches = join_patches(bands, stereo)
        return np.asarray(self._encode(patches, self.network.encoder.start(1))[0])

    @torch.inference_mode()
    def _encode(self, patches: Array, state: State) -> tuple[Array, State]:
        x = torch.from_numpy(patches).to(self.device)[None]
        latents, state = self.network.encode(x, state)
        return latents[0].cpu().numpy(), state

    def start_encoder(self) -> EncoderState:
        """The state before any sound: silence."""
        audio = np.zeros((2 * B.LOOKAHEAD, 2), np.float32)
        return EncoderState(audio, self.network.encoder.start(1))

    def encode_step(
        self, audio: NDArray[np.floating], state: EncoderState, tone: Tone | None = None
    ) -> tuple[Array, EncoderState]:
        """Streaming `encode`, `bands.LOOKAHEAD` samples late.

        Args:
            audio: the next (1920 k, 2) samples.
            state: of the call before, or `start_encoder`.
            tone: changes the bands (4 k, 320) before they are encoded.

        Returns:
            Latents (k, D), and the state for the next call.

        Raises:
            SegueError: the number of samples is not a multiple of 1920.

        """
        samples = B.as_stereo(audio)
        if len(samples) % B.FRAME:
            raise SegueError(f"The encoder takes whole frames of {B.FRAME} samples.")
        buffer = np.concatenate([state.audio, samples])
        frames = len(samples) // B.HOP
        if not frames:
            return np.zeros((0, self.latent_dim), np.float32), state
        bands, stereo = B.analyse_frames(buffer, frames)
        bands = bands if tone is None else tone(bands)
        latents, network = self._encode(join_patches(bands, stereo), state.network)
        return latents, EncoderState(buffer[len(samples) :], network)

    def start_decoder(self) -> DecoderState:
        """The decoder's state before the first latent."""
        return DecoderState(self.network.decoder.start(1), None)

    @torch.inference_mode()
    def decode_step(
        self, latents: NDArray[np.floating] | torch.Tensor, state: DecoderState
    ) -> tuple[Array, Array, DecoderState]:
        """Bands (4 k, 320) and stereo images (k, 40) of latents (k, D), and the next state.

        Raises:
            SegueError: latents of another shape.

        """
        z = torch.as_tensor(latents, dtype=torch.float32, device=self.device)
        if z.ndim != 2 or not len(z) or z.shape[1] != self.latent_dim:
            raise SegueError(f"Latents are (k, {self.latent_dim}), not {tuple(z.shape)}.")
        patches, network = self._decoder(z, state.network)
        steps, stereo = split_patches(patches.cpu())
        bands, last = frame_smoothing.smooth_frames(steps.numpy(), state.last)
        return restored(quietened(bands)), stereo.numpy(), DecoderState(network, last)

    def start_decoding(self, seed: int = 0) -> DecodingState:
        """The state before the first latent; `seed` of the vocoder's noise."""
        return DecodingState(self.start_decoder(), self.vocoder.start(seed))

    def decode_audio_step(
        self, latents: NDArray[np.floating] | torch.Tensor, state: DecodingState
    ) -> tuple[Array, DecodingState]:
        """Audio (1920 k, 2) of latents (k, D), `delay` samples late, and the next state."""
        bands, stereo, network = self.decode_step(latents, state.network)
        audio, vocoder = self.vocoder.step(bands, stereo, state.vocoder)
        return audio, DecodingState(network, vocoder)

    def decode(self, latents: NDArray[np.floating] | torch.Tensor, seed: int = 0) -> Array:
        """Audio (1920 T, 2) of latents (T, D), with the vocoder's delay compensated."""
        audio, state = self.decode_audio_step(latents, self.start_decoding(seed))
        silence = np.full((B.PATCH * (-(-self.delay // B.FRAME)), B.BANDS), B.SILENCE, np.float32)
        image = np.repeat(state.vocoder.image[None], len(silence), 0)
        tail, _ = self.vocoder.step(silence, image, state.vocoder)
        return np.concatenate([audio, tail])[self.delay : self.delay + len(audio)]


def join_patches(bands: Array, stereo: Array) -> Array:
    """Patches (T, 1320) of bands (4 T, 320) and stereo images (T, 40)."""
    patches = np.concatenate([bands.reshape(len(stereo), -1), stereo], axis=1)
    if patches.shape[1] != PATCH_SIZE:
        raise SegueError("Bands and stereo images do not belong together.")
    return patches
