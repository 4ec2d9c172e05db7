"""Causal streaming layers of SpectroStream.

Shapes follow `sequence_layers.jax` (Conv2D with semicausal time padding, Conv2DTranspose with
causal time padding, STFT and InverseSTFT) as used by `magenta_rt.jax.spectrostream` of magenta-rt
2.0.3 (Apache-2.0); the code is our own. Tensors are (batch, channels, time, frequency).

A layer reads its state of the last step from a `LayerStates` and writes its next one to it. Offline
processing is one long step of the same code. States are never modified in place, so a state is a
snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.magenta_rt2.spectrostream.packing import (
    PackedConvolution,
    PackedNarrow,
    PackedTransposed,
    PackedUpsampling,
    Pair,
)

State: TypeAlias = tuple[Tensor, ...]


class LayerStates:
    """Streaming states of the layers, in the order in which they run.

    Without a state every layer reads zeros, the causal padding before the first frame.
    """

    def __init__(self, state: Sequence[Tensor] | None = None) -> None:
        self._old: Iterator[Tensor] | None = None if state is None else iter(state)
        self._new: list[Tensor] = []

    def read(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """The next layer's state after the last step; zeros of `shape` before the first step."""
        if self._old is None:
            return like.new_zeros(shape)
        return next(self._old)

    def write(self, tensor: Tensor) -> None:
        self._new.append(tensor)

    def state(self) -> State:
        return tuple(self._new)


class CausalConv2d(nn.Module):
    """Convolution that is causal in time: output t depends on inputs up to stride * (t + 1) - 1.

    A step's length must be a multiple of the time stride. Frequency is padded by kernel - stride
    in all, the smaller half below, so that it shrinks by exactly the stride.
    """

    def __init__(self, inputs: int, outputs: int, kernel: Pair, stride: Pair = (1, 1)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, *kernel))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.kernel, self.stride = kernel, stride
        self.past_frames = kernel[0] - stride[0]
        missing = kernel[1] - stride[1]
        self.low_padding, self.high_padding = missing // 2, missing - missing // 2
        self.packed: PackedConvolution | PackedNarrow | None = None
        self.pack_next = False  # the next input's shape is the one to pack for

    def _convolve(self, x: Tensor, padding: int) -> Tensor:
        if self.pack_next:
            self.packed = (
                PackedNarrow(self.weight, self.bias, padding, x.shape)
                if PackedNarrow.fits(self.weight, self.stride)
                else PackedConvolution(self.weight, self.bias, self.stride, (0, padding), x.shape)
            )
            self.pack_next = False
        if self.packed is not None and self.packed.shape == x.shape:
            return self.packed(x)
        return functional.conv2d(x, self.weight, self.bias, self.stride, (0, padding))

    def forward(self, x: Tensor, states: LayerStates, activate: bool = False) -> Tensor:
        """Outputs of inputs (batch, inputs, time, bins); activate: of the inputs after an ELU."""
        if self.past_frames > 0:
            x = self._with_past(x, states, activate)
        elif activate:
            x = functional.elu(x)
        padding = self.low_padding
        if self.low_padding != self.high_padding:
            x = functional.pad(x, (self.low_padding, self.high_padding))
            padding = 0
        return self._convolve(x, padding)

    def _with_past(self, x: Tensor, states: LayerStates, activate: bool) -> Tensor:
        """The inputs behind those of the last step, written once and in the order of `x`.

        torch would join tensors of unlike order into the one that its convolutions do not take.
        """
        batch, channels, time, bins = x.shape
        past = states.read((batch, channels, self.past_frames, bins), x)
        frames = self.past_frames + time
        if x.stride(1) == 1:  # channels last
            joined = x.new_empty(batch, frames, bins, channels).permute(0, 3, 1, 2)
        else:
            joined = x.new_empty(batch, channels, frames, bins)
        joined[:, :, : self.past_frames] = past
        if activate:
            torch.ops.aten.elu.out(x, out=joined[:, :, self.past_frames :])
        else:
            joined[:, :, self.past_frames :] = x
        states.write(joined[:, :, time:].clone())  # a view would keep all of it
        return joined


class CausalConvTranspose2d(nn.Module):
    """Causal transposed convolution: outputs beyond stride * time are added to the next step's.

    The weight is torch's, flipped against the reference's kernel.
    """

    def __init__(self, inputs: int, outputs: int, kernel: Pair, stride: Pair) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs, *kernel))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.kernel, self.stride = kernel, stride
        self.overlap = kernel[0] - stride[0]
        before = -(-(kernel[1] + stride[1] - 2) // 2)  # 'same' padding of the dilated input
        self.low_bins_cut = kernel[1] - 1 - before
        self.packed: PackedTransposed | PackedUpsampling | None = None
        self.pack_next = False  # the next input's shape is the one to pack for

    def _convolve(self, x: Tensor) -> Tensor:
        if self.pack_next:
            fits = PackedUpsampling.fits(self.weight, self.stride)
            kind: type[PackedTransposed | PackedUpsampling] = (
                PackedUpsampling if fits else PackedTransposed
            )
            self.packed = kind(self.weight, self.bias, self.stride, self.low_bins_cut, x.shape)
            self.pack_next = False
        if self.packed is not None and self.packed.shape == x.shape:
            return self.packed(x)
        return functional.conv_transpose2d(
            x, self.weight, self.bias, self.stride, (0, self.low_bins_cut)
        )

    def forward(self, x: Tensor, states: LayerStates) -> Tensor:
        batch, _, time, bins = x.shape
        y = self._convolve(x)
        y = y[..., : bins * self.stride[1]]
        ready = time * self.stride[0]
        if self.overlap > 0:
            last = states.read((batch, y.shape[1], self.overlap, y.shape[3]), y)
            # The overlap of the last step has no bias, as `y` contains it already.
            y[:, :, : self.overlap] += last
            states.write(y[:, :, ready:] - self.bias[:, None, None])
            y = y[:, :, :ready]
        return y


class ResidualUnit(nn.Module):
    """Residual unit of two activated convolutions and a shortcut that resamples likewise.

    The encoder has a 3x3 convolution, then the strided one; the decoder the transposed one, or a
    3x3 where there is no stride, then a 3x3. `conv2d_residual_unit` of the reference.
    """

    def __init__(self, inputs: int, outputs: int, stride: Pair, transposed: bool) -> None:
        super().__init__()
        kernel = (max(3, 2 * stride[0]), max(3, 2 * stride[1]))
        self.stride, self.transposed = stride, transposed
        self.resampled = stride != (1, 1)
        self.first: CausalConv2d | CausalConvTranspose2d
        self.second: CausalConv2d
        if not transposed:
            self.first = CausalConv2d(inputs, inputs, (3, 3))
            self.second = CausalConv2d(inputs, outputs, kernel, stride)
        else:
            self.first = (
                CausalConvTranspose2d(inputs, outputs, kernel, stride)
                if self.resampled
                else CausalConv2d(inputs, outputs, (3, 3))
            )
            self.second = CausalConv2d(outputs, outputs, (3, 3))
        self.shortcut = CausalConv2d(inputs, outputs, (1, 1)) if inputs != outputs else None

    def forward(self, x: Tensor, states: LayerStates) -> Tensor:
        y = (
            self.first(x, states, activate=True)
            if isinstance(self.first, CausalConv2d)
            else self.first(functional.elu(x), states)
        )
        y = self.second(y, states, activate=True)
        if self.resampled and not self.transposed:
            x = functional.avg_pool2d(x, self.stride)
        if self.shortcut is not None:
            x = self.shortcut(x, states)
        if self.resampled and self.transposed:
            # Nearest-neighbour upsampling of x by broadcasting, without a copy.
            _, _, time, bins = x.shape
            blocks = y.unflatten(3, (bins, self.stride[1])).unflatten(2, (time, self.stride[0]))
            blocks += x[:, :, :, None, :, None]
            return y
        y += x
        return y


class STFT(nn.Module):
    """Short-time Fourier transform with a periodic Hann window, without the Nyquist bin.

    Frame t covers samples step * t to step * t + length - 1, so the caller passes length - step
    samples beyond the last frame's step.
    """

    window: Tensor

    def __init__(self, length: int, step: int) -> None:
        super().__init__()
        self.length, self.step = length, step
        self.register_buffer("window", torch.hann_window(length, periodic=True), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """(batch, frames * step + length - step) to (batch, real and imaginary, frames, bins)."""
        frames = samples.to(self.window.dtype).unfold(-1, self.length, self.step)
        spectrum = torch.fft.rfft(frames * self.window)[..., : self.length // 2]
        return torch.view_as_real(spectrum).permute(0, 3, 1, 2)


class InverseSTFT(nn.Module):
    """Inverse STFT by overlap-add with the least-squares window (Griffin and Lim 1984, eq. 7).

    Each frame gives `step` samples; the rest is state, added to the frames that follow.
    """

    window: Tensor

    def __init__(self, length: int, step: int) -> None:
        super().__init__()
        if length % step:
            raise ValueError("the frame length must be a multiple of the step")
        self.length, self.step = length, step
        window = torch.hann_window(length, periodic=True, dtype=torch.float64)
        energy = window.square().reshape(-1, step).sum(0).repeat(length // step)
        window = torch.where(energy > 0, window / energy, 0.0)
        self.register_buffer("window", window.float(), persistent=False)

    def forward(self, spectrum: Tensor, states: LayerStates) -> Tensor:
        """(batch, 2 of real and imaginary, frames, bins) to (batch, frames * step) samples."""
        x = spectrum.to(self.window.dtype).permute(0, 2, 3, 1)
        x = functional.pad(x, (0, 0, 0, 1)).contiguous()  # the Nyquist bin
        frames = torch.fft.irfft(torch.view_as_complex(x), n=self.length) * self.window
        batch, count, _ = frames.shape
        overlap = self.length - self.step
        samples = frames.new_zeros(batch, (count - 1) * self.step + self.length)
        for part in range(self.length // self.step):
            start = part * self.step
            piece = frames[..., start : start + self.step].reshape(batch, count * self.step)
            samples[:, start : start + count * self.step] += piece
        if overlap > 0:
            samples[:, :overlap] += states.read((batch, overlap), samples)
            states.write(samples[:, count * self.step :].clone())
        return samples[:, : count * self.step]
