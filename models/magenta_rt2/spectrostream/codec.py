"""SpectroStream: neural codec of 48 kHz stereo audio, 25 frames of codes a second.

Li et al., SpectroStream, 2025 (arXiv 2508.05207). Shapes and the order of the layers are those of
`stft_spectrostream_40ms_generic_48khz_stereo_config` in `magenta_rt.jax.spectrostream` of
magenta-rt 2.0.3 (Apache-2.0); the code is our own.

The two audio channels pass the outer layers with shared weights, folded into the batch, and are
concatenated before the innermost block. The decoder has a look-ahead of one latent frame (40 ms):
streamed, its audio comes one frame late, and the first frame is silence. The encoder is one latent
frame late as well, since its STFT looks 10 ms ahead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.magenta_rt2.spectrostream.layers import (
    STFT,
    CausalConv2d,
    CausalConvTranspose2d,
    InverseSTFT,
    LayerStates,
    ResidualUnit,
    State,
)
from models.magenta_rt2.spectrostream.packing import Pair, can_pack_convolutions
from models.magenta_rt2.spectrostream.quantizer import ResidualVectorQuantizer

RATIOS: Final[tuple[Pair, ...]] = ((1, 2), (1, 2), (1, 3), (1, 2), (1, 2), (2, 2), (2, 1))
CHANNELS: Final = 2  # stereo; mono input is copied to both


@dataclass(frozen=True)
class SpectroStreamConfig:
    """Sizes of the codec; the defaults are the released model's, tests use narrower ones.

    levels: codebooks to load of the released 64, coarsest first; the depthformer uses 12.
    channel_recombo_block: block before which the audio channels are concatenated.
    """

    frame_length: int = 960
    frame_step: int = 480
    ratios: tuple[Pair, ...] = RATIOS
    mults: tuple[int, ...] = (2, 1, 2, 1, 1, 2, 1)
    encoder_base_depth: int = 32
    decoder_base_depth: int = 64
    features: int = 256
    base_conv_size: int = 7
    levels: int = 64
    codes: int = 1024
    channel_recombo_block: int = 6
    lookahead: int = 1  # latent frames

    @property
    def bins(self) -> int:
        return self.frame_length // 2

    @property
    def time_stride(self) -> int:
        """STFT frames per latent frame: 4."""
        return math.prod(time for time, _ in self.ratios)

    @property
    def latent_bins(self) -> int:
        """Frequency bins left at the bottleneck: 5."""
        return self.bins // math.prod(frequency for _, frequency in self.ratios)

    @property
    def frame_samples(self) -> int:
        """Samples per latent frame: 1920, which is 40 ms."""
        return self.time_stride * self.frame_step


class SpectroStreamEncoder(nn.Module):
    """Encoder: spectra by channel (2 * batch, 2, 4 * frames, bins) to (batch, frames, features)."""

    def __init__(self, config: SpectroStreamConfig) -> None:
        super().__init__()
        kernel = (config.base_conv_size, config.base_conv_size)
        self.channel_recombo_block = config.channel_recombo_block
        self.base_conv_first = CausalConv2d(2, config.encoder_base_depth, kernel)
        width = config.encoder_base_depth
        self.units = nn.ModuleList()
        for level, (stride, mult) in enumerate(zip(config.ratios, config.mults, strict=True)):
            inputs = width * CHANNELS if level == config.channel_recombo_block else width
            width *= mult
            self.units.append(ResidualUnit(inputs, width, stride, transposed=False))
        self.bottleneck = ResidualUnit(width, width, (1, 1), transposed=False)
        flat = width * config.latent_bins
        self.conv1x1_last = nn.Linear(flat, config.features)
        self.conv1x1_b1 = nn.Linear(flat, flat)
        self.conv1x1_b2 = nn.Linear(flat, config.features)

    def forward(self, spectrum: Tensor, states: LayerStates) -> Tensor:
        x = self.base_conv_first(spectrum, states)
        for level, unit in enumerate(self.units):
            if level == self.channel_recombo_block:
                x = x.unflatten(0, (-1, CHANNELS)).flatten(1, 2)
            x = unit(x, states)
        x = self.bottleneck(x, states)
        x = x.permute(0, 2, 3, 1).flatten(2)  # (batch, frames, bins * channels)
        hidden = functional.elu(self.conv1x1_b1(functional.elu(x)))
        return self.conv1x1_last(x) + self.conv1x1_b2(hidden)


class SpectroStreamDecoder(nn.Module):
    """Decoder: (batch, frames, features) to spectra by channel (2 * batch, 2, 4 * frames, bins)."""

    def __init__(self, config: SpectroStreamConfig) -> None:
        super().__init__()
        self.bins = config.latent_bins
        self.channel_recombo_block = config.channel_recombo_block
        width = config.decoder_base_depth * math.prod(config.mults)
        flat = self.bins * width
        self.conv1x1_first = nn.Linear(config.features, flat)
        self.conv1x1_b1 = nn.Linear(config.features, flat)
        self.conv1x1_b2 = nn.Linear(flat, flat)
        self.bottleneck = ResidualUnit(width, width, (1, 1), transposed=True)
        self.units = nn.ModuleList()
        levels = list(zip(config.ratios, config.mults, strict=True))
        for level, (stride, mult) in reversed(list(enumerate(levels))):
            outputs = width // mult
            if level == config.channel_recombo_block:
                outputs *= CHANNELS
            self.units.append(ResidualUnit(width, outputs, stride, transposed=True))
            width = outputs // CHANNELS if level == config.channel_recombo_block else outputs
        kernel = (config.base_conv_size, config.base_conv_size)
        self.base_conv_last = CausalConv2d(width, 2, kernel)

    def forward(self, features: Tensor, states: LayerStates) -> Tensor:
        x = self.conv1x1_first(features)
        x = x + self.conv1x1_b2(functional.elu(self.conv1x1_b1(features)))
        x = x.unflatten(2, (self.bins, -1)).permute(0, 3, 1, 2)
        x = self.bottleneck(x, states)
        for level, unit in zip(reversed(range(len(self.units))), self.units, strict=True):
            x = unit(x, states)
            if level == self.channel_recombo_block:
                x = x.unflatten(1, (CHANNELS, -1)).flatten(0, 1)
        return self.base_conv_last(x, states, activate=True)


class SpectroStream(nn.Module):
    """The codec; its parameters are uninitialised until `load_spectrostream` fills them."""

    def __init__(self, config: SpectroStreamConfig | None = None) -> None:
        super().__init__()
        self.config = SpectroStreamConfig() if config is None else config
        self.stft = STFT(self.config.frame_length, self.config.frame_step)
        self.inverse_stft = InverseSTFT(self.config.frame_length, self.config.frame_step)
        self.encoder = SpectroStreamEncoder(self.config)
        self.decoder = SpectroStreamDecoder(self.config)
        self.quantizer = ResidualVectorQuantizer(
            self.config.levels, self.config.codes, self.config.features
        )

    def use_channels_last(self) -> None:
        """Store the convolutions' weights channels-last, the faster memory format on a CPU.

        Called after loading. Without it torch uses slow convolutions for a batch of one.
        """
        for parameter in self.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def pack_weights(self, frames: int) -> None:
        """Pack the decoder's weights for `decode_step` of this many frames, see `packing.py`.

        To be called after loading and any change of dtype; does nothing except on a CPU.
        """
        if not can_pack_convolutions(str(self.quantizer.codebooks.device)):
            return
        start = self.initial_decoder_state()
        layers = [
            module
            for module in self.decoder.modules()
            if isinstance(module, CausalConv2d | CausalConvTranspose2d)
        ]
        for layer in layers:
            layer.pack_next = True
        try:
            self.decode_step(torch.zeros(1, frames, 1, dtype=torch.long), start)
        except RuntimeError:  # not supported by this processor's kernels
            for layer in layers:
                layer.pack_next, layer.packed = False, None

    # Encoding

    @torch.no_grad()
    def embed(self, samples: Tensor) -> Tensor:
        """Embeddings (batch, frames, features) of samples (batch, n) or (batch, n, 1 or 2), n >= 1.

        Silence is appended to complete the last latent frame.
        """
        samples = self._stereo(samples)
        missing = -samples.shape[1] % self.config.frame_samples
        overlap = self.config.frame_length - self.config.frame_step
        samples = functional.pad(samples, (0, 0, 0, missing + overlap))
        return self._embed(samples, LayerStates())

    @torch.no_grad()
    def encode(self, samples: Tensor, levels: int | None = None) -> Tensor:
        """Codes int64 (batch, frames, levels) of samples as `embed` takes them."""
        return self.quantizer.encode(self.embed(samples), levels)

    @torch.no_grad()
    def encode_step(
        self, samples: Tensor, state: State | None, levels: int | None = None
    ) -> tuple[Tensor, State]:
        """Streaming encoder: samples (batch, frames * 1920, 1 or 2) to codes, one frame late.

        With state None, at the beginning, one frame less comes out than went in; a step of silence
        gives the last one. Returns codes (batch, frames, levels) and the next state.
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
        states = LayerStates(state[1:] if state is not None and len(state) > 1 else None)
        overlap = self.config.frame_length - self.config.frame_step
        features = self._embed(samples[:, : samples.shape[1] - size + overlap], states)
        return self.quantizer.encode(features, levels), (held, *states.state())

    def _embed(self, samples: Tensor, states: LayerStates) -> Tensor:
        folded = samples.transpose(1, 2).flatten(0, 1)  # (batch * channels, samples)
        spectrum = self.stft(folded).to(self.encoder.base_conv_first.weight.dtype)
        return self.encoder(spectrum, states)

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
        """Samples (batch, (frames - 1) * 1920, 2) of codes (batch, frames, up to `levels`).

        The look-ahead takes one frame: append a frame to get the audio of the last one.
        """
        spectrum = self.decoder(self._features(codes), LayerStates())
        skipped = self.config.lookahead * self.config.time_stride
        return self._synthesize(spectrum[:, :, skipped:], LayerStates())

    def initial_decoder_state(self, batch: int = 1) -> State:
        """Streaming decoder's state before the first frame."""
        device, dtype = self.quantizer.codebooks.device, self.decoder.base_conv_last.weight.dtype
        # One frame is decoded for the shapes of the states only.
        codes = torch.zeros(batch, 1, 1, dtype=torch.long, device=device)
        with torch.no_grad():
            states = LayerStates()
            self._synthesize(self.decoder(self._features(codes), states), states)
        started = torch.zeros(1, dtype=dtype, device=device)
        return (started, *(torch.zeros_like(old) for old in states.state()))

    @torch.no_grad()
    def decode_step(self, codes: Tensor, state: State) -> tuple[Tensor, State]:
        """Streaming decoder: codes (batch, frames, up to `levels`) to samples, 40 ms late.

        Returns samples (batch, frames * 1920, 2), silent for the first frame, and the next state.
        No branch depends on a value on the device, the number of frames fixes every shape, and
        states are never modified in place: fit for CUDA graphs, and a state is a snapshot.
        """
        if self.config.lookahead != 1:
            raise ValueError("streaming is written for a look-ahead of one frame")
        started, *layers = state
        states = LayerStates(layers)
        spectrum = self.decoder(self._features(codes), states)
        skipped = self.config.time_stride
        first = spectrum[:, :, :skipped] * started
        spectrum = torch.cat([first, spectrum[:, :, skipped:]], dim=2)
        samples = self._synthesize(spectrum, states)
        return samples, (torch.ones_like(started), *states.state())

    def _features(self, codes: Tensor) -> Tensor:
        """Quantized embeddings of codes, in the decoder's dtype."""
        return self.quantizer.decode(codes).to(self.decoder.base_conv_last.weight.dtype)

    def _synthesize(self, spectrum: Tensor, states: LayerStates) -> Tensor:
        """Inverse STFT, (batch * channels, 2, spectrum frames, bins) to (batch, samples, 2)."""
        samples = self.inverse_stft(spectrum, states)
        return samples.unflatten(0, (-1, CHANNELS)).transpose(1, 2)
