"""SpectroStream: 48 kHz stereo to 25 frames of codes a second and back. Inference lane.

Li et al., SpectroStream, 2025 (arXiv 2508.05207). Shapes and the order of the layers are those of
`stft_spectrostream_40ms_generic_48khz_stereo_config` in `magenta_rt.jax.spectrostream` of
magenta-rt 2.0.3 (Apache-2.0); the code is our own.

The two audio channels run through the outer layers side by side with shared weights, folded into
the batch, and meet at the bottleneck. The decoder looks one latent frame (40 ms) ahead: streamed,
its sound comes one frame late, and the very first frame is silence. The encoder is one latent frame
late as well, since its transform looks 10 ms ahead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.magenta_rt2.spectrostream.layers import (
    CausalConv2d,
    CausalTransposedConv2d,
    InverseSpectrum,
    Pair,
    ResidualUnit,
    Spectrum,
    State,
    Tape,
)
from models.magenta_rt2.spectrostream.packing import can_pack
from models.magenta_rt2.spectrostream.quantizer import ResidualQuantizer
from models.music.score import SAMPLE_RATE

RATIOS: Final[tuple[Pair, ...]] = ((1, 2), (1, 2), (1, 3), (1, 2), (1, 2), (2, 2), (2, 1))
CHANNELS: Final = 2  # stereo; mono is given to both


@dataclass(frozen=True)
class SpectroStreamConfig:
    """Sizes; the defaults are the released model's. Tests use narrower ones.

    levels: codebooks to keep of the released 64, coarsest first. 12 are all that the language model
    speaks; the others would only take memory.
    """

    sample_rate: int = SAMPLE_RATE
    frame_length: int = 960
    frame_step: int = 480
    ratios: tuple[Pair, ...] = RATIOS
    mults: tuple[int, ...] = (2, 1, 2, 1, 1, 2, 1)
    encoder_width: int = 32
    decoder_width: int = 64
    features: int = 256
    base_kernel: int = 7
    levels: int = 64
    codes: int = 1024
    joined_at: int = 6  # the level before which the two channels meet
    lookahead: int = 1  # latent frames

    @property
    def bins(self) -> int:
        return self.frame_length // 2

    @property
    def time_stride(self) -> int:
        """Spectrum frames to a latent frame: 4."""
        return math.prod(time for time, _ in self.ratios)

    @property
    def latent_bins(self) -> int:
        """Frequency bins left at the bottleneck: 5."""
        return self.bins // math.prod(frequency for _, frequency in self.ratios)

    @property
    def frame_samples(self) -> int:
        """Samples to a latent frame: 1920, which is 40 ms."""
        return self.time_stride * self.frame_step


class SpectroStreamEncoder(nn.Module):
    """Spectra by channel (2 * batch, 2, 4 * frames, bins) to (batch, frames, features)."""

    def __init__(self, config: SpectroStreamConfig) -> None:
        super().__init__()
        kernel = (config.base_kernel, config.base_kernel)
        self.joined_at = config.joined_at
        self.base = CausalConv2d(2, config.encoder_width, kernel)
        width = config.encoder_width
        self.units = nn.ModuleList()
        for level, (stride, mult) in enumerate(zip(config.ratios, config.mults, strict=True)):
            inputs = width * CHANNELS if level == config.joined_at else width
            width *= mult
            self.units.append(ResidualUnit(inputs, width, stride, transposed=False))
        self.bottleneck = ResidualUnit(width, width, (1, 1), transposed=False)
        flat = width * config.latent_bins
        self.out = nn.Linear(flat, config.features)
        self.out_hidden = nn.Linear(flat, flat)
        self.out_features = nn.Linear(flat, config.features)

    def forward(self, spectrum: Tensor, tape: Tape) -> Tensor:
        x = self.base(spectrum, tape)
        for level, unit in enumerate(self.units):
            if level == self.joined_at:
                x = x.unflatten(0, (-1, CHANNELS)).flatten(1, 2)
            x = unit(x, tape)
        x = self.bottleneck(x, tape)
        x = x.permute(0, 2, 3, 1).flatten(2)  # (batch, frames, bins * channels)
        hidden = functional.elu(self.out_hidden(functional.elu(x)))
        return self.out(x) + self.out_features(hidden)


class SpectroStreamDecoder(nn.Module):
    """(batch, frames, features) to spectra by channel (2 * batch, 2, 4 * frames, bins)."""

    def __init__(self, config: SpectroStreamConfig) -> None:
        super().__init__()
        self.bins = config.latent_bins
        self.joined_at = config.joined_at
        width = config.decoder_width * math.prod(config.mults)
        flat = self.bins * width
        self.first = nn.Linear(config.features, flat)
        self.first_hidden = nn.Linear(config.features, flat)
        self.first_flat = nn.Linear(flat, flat)
        self.bottleneck = ResidualUnit(width, width, (1, 1), transposed=True)
        self.units = nn.ModuleList()
        levels = list(zip(config.ratios, config.mults, strict=True))
        for level, (stride, mult) in reversed(list(enumerate(levels))):
            outputs = width // mult
            if level == config.joined_at:
                outputs *= CHANNELS
            self.units.append(ResidualUnit(width, outputs, stride, transposed=True))
            width = outputs // CHANNELS if level == config.joined_at else outputs
        kernel = (config.base_kernel, config.base_kernel)
        self.last = CausalConv2d(width, 2, kernel)

    def forward(self, features: Tensor, tape: Tape) -> Tensor:
        x = self.first(features)
        x = x + self.first_flat(functional.elu(self.first_hidden(features)))
        x = x.unflatten(2, (self.bins, -1)).permute(0, 3, 1, 2)
        x = self.bottleneck(x, tape)
        for level, unit in zip(reversed(range(len(self.units))), self.units, strict=True):
            x = unit(x, tape)
            if level == self.joined_at:
                x = x.unflatten(1, (CHANNELS, -1)).flatten(0, 1)
        return self.last(functional.elu(x), tape)


class SpectroStream(nn.Module):
    """The codec. Its parameters are uninitialised until `spectrostream_weights` loads them."""

    def __init__(self, config: SpectroStreamConfig | None = None) -> None:
        super().__init__()
        self.config = SpectroStreamConfig() if config is None else config
        self.spectrum = Spectrum(self.config.frame_length, self.config.frame_step)
        self.inverse_spectrum = InverseSpectrum(self.config.frame_length, self.config.frame_step)
        self.encoder = SpectroStreamEncoder(self.config)
        self.decoder = SpectroStreamDecoder(self.config)
        self.quantizer = ResidualQuantizer(
            self.config.levels, self.config.codes, self.config.features
        )

    def lay_out(self) -> None:
        """Lay the convolutions' weights out channels last, which takes a third less time on a CPU.

        Called when weights are loaded. Without it a batch of one goes through torch's slow
        convolutions.
        """
        for parameter in self.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def pack(self, frames: int) -> None:
        """Make `decode_step` of so many frames faster on a CPU, see `spectrostream_packing.py`.

        Once the weights are loaded and their number format is settled.
        """
        if not can_pack(str(self.quantizer.codebooks.device)):
            return
        start = self.decoder_start()
        layers = [
            module
            for module in self.decoder.modules()
            if isinstance(module, CausalConv2d | CausalTransposedConv2d)
        ]
        for layer in layers:
            layer.packs = True
        try:
            self.decode_step(torch.zeros(1, frames, 1, dtype=torch.long), start)
        except RuntimeError:  # kernels of another processor: the plain ones are right as well
            for layer in layers:
                layer.packs, layer.packed = False, None

    # Encoding

    @torch.no_grad()
    def embed(self, samples: Tensor) -> Tensor:
        """Samples (batch, n) or (batch, n, 1 or 2) to (batch, frames, features), n >= 1.

        Silence is appended up to a whole latent frame.
        """
        samples = self._stereo(samples)
        missing = -samples.shape[1] % self.config.frame_samples
        beyond = self.config.frame_length - self.config.frame_step
        samples = functional.pad(samples, (0, 0, 0, missing + beyond))
        return self._embed(samples, Tape())

    @torch.no_grad()
    def encode(self, samples: Tensor, levels: int | None = None) -> Tensor:
        """Samples as `embed` takes them to codes (batch, frames, levels) int64."""
        return self.quantizer.encode(self.embed(samples), levels)

    @torch.no_grad()
    def encode_step(
        self, samples: Tensor, state: State | None, levels: int | None = None
    ) -> tuple[Tensor, State]:
        """Whole latent frames of samples (batch, frames * 1920, 1 or 2) to codes, one frame late.

        With state None, at the beginning, one frame less comes out than went in. To get the last
        one, step once more with silence. Codes (batch, frames, levels), and the next state.
        """
        samples = self._stereo(samples)
        size = self.config.frame_samples
        if samples.shape[1] % size or not samples.shape[1]:
            raise ValueError(f"{samples.shape[1]} samples: give a multiple of {size}")
        if state is not None:
            samples = torch.cat([state[0], samples], dim=1)
        held = samples[:, samples.shape[1] - size :].clone()
        if samples.shape[1] == size:
            empty = torch.zeros(
                samples.shape[0],
                0,
                self.config.levels if levels is None else levels,
                dtype=torch.long,
                device=samples.device,
            )
            return empty, (held,)
        tape = Tape(state[1:] if state is not None and len(state) > 1 else None)
        beyond = self.config.frame_length - self.config.frame_step
        features = self._embed(samples[:, : samples.shape[1] - size + beyond], tape)
        return self.quantizer.encode(features, levels), (held, *tape.state())

    def _embed(self, samples: Tensor, tape: Tape) -> Tensor:
        folded = samples.transpose(1, 2).flatten(0, 1)  # (batch * channels, samples)
        spectrum = self.spectrum(folded).to(self.encoder.base.weight.dtype)
        return self.encoder(spectrum, tape)

    @staticmethod
    def _stereo(samples: Tensor) -> Tensor:
        if samples.ndim == 2:
            samples = samples[:, :, None]
        if samples.ndim != 3 or samples.shape[2] not in (1, CHANNELS) or not samples.shape[1]:
            raise ValueError(f"samples of shape {tuple(samples.shape)}: give (batch, n, 1 or 2)")
        return samples.expand(-1, -1, CHANNELS)

    # Decoding

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Codes (batch, frames, up to `levels`) to samples (batch, (frames - 1) * 1920, 2).

        The look-ahead takes one frame: append a frame to hear the last one.
        """
        spectrum = self.decoder(self._features(codes), Tape())
        skipped = self.config.lookahead * self.config.time_stride
        return self._sound(spectrum[:, :, skipped:], Tape())

    def decoder_start(self, batch: int = 1) -> State:
        """The state in front of the first frame."""
        device, dtype = self.quantizer.codebooks.device, self.decoder.last.weight.dtype
        # Run a frame to learn the shapes, then forget what it said.
        codes = torch.zeros(batch, 1, 1, dtype=torch.long, device=device)
        with torch.no_grad():
            tape = Tape()
            spectrum = self.decoder(self._features(codes), tape)
            tail = Tape()
            self._sound(spectrum, tail)
        quiet = torch.zeros(1, dtype=dtype, device=device)
        return (quiet, *(torch.zeros_like(old) for old in (*tape.state(), *tail.state())))

    @torch.no_grad()
    def decode_step(self, codes: Tensor, state: State) -> tuple[Tensor, State]:
        """Codes (batch, frames, up to `levels`) to samples (batch, frames * 1920, 2), 40 ms late.

        The first frame after `decoder_start` gives silence. No branch depends on a value on the
        device, every shape is fixed by the number of frames, and states are never changed in
        place: fit for a CUDA graph, and a kept state is a snapshot.
        """
        if self.config.lookahead != 1:
            raise ValueError("streaming is written for a look-ahead of one frame")
        sounding, *layers = state
        tape = Tape(layers)
        spectrum = self.decoder(self._features(codes), tape)
        skipped = self.config.time_stride
        first = spectrum[:, :, :skipped] * sounding
        spectrum = torch.cat([first, spectrum[:, :, skipped:]], dim=2)
        samples = self._sound(spectrum, tape)
        return samples, (torch.ones_like(sounding), *tape.state())

    def _features(self, codes: Tensor) -> Tensor:
        """Codes to what the decoder takes, in its number format (bfloat16 halves its time)."""
        return self.quantizer.decode(codes).to(self.decoder.last.weight.dtype)

    def _sound(self, spectrum: Tensor, tape: Tape) -> Tensor:
        """(batch * channels, 2, spectrum frames, bins) to (batch, samples, channels)."""
        sound = self.inverse_spectrum(spectrum, tape)
        return sound.unflatten(0, (-1, CHANNELS)).transpose(1, 2)
