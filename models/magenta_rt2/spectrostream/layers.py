"""Causal layers of SpectroStream that run frame by frame. Inference lane.

Shapes follow `sequence_layers.jax` (Conv2D with semicausal time padding, Conv2DTranspose with
causal time padding, STFT and InverseSTFT) as used by `magenta_rt.jax.spectrostream` of magenta-rt
2.0.3 (Apache-2.0); the code is our own. Tensors are (batch, channels, time, frequency).

A layer keeps its state on a `Tape`: it reads the tensor it left there at the last step and writes
the one for the next. Offline and streamed processing are the same code with a longer step; states
are never changed in place, so a state that was kept is a snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.magenta_rt2.spectrostream.packing import PackedConvolution

Pair: TypeAlias = tuple[int, int]
State: TypeAlias = tuple[Tensor, ...]


class Tape:
    """What the layers remember from one step to the next, in the order in which they run.

    Started with None it gives every layer zeros, which is what a causal layer hears before the
    beginning.
    """

    def __init__(self, state: Sequence[Tensor] | None = None) -> None:
        self._old: Iterator[Tensor] | None = None if state is None else iter(state)
        self._new: list[Tensor] = []

    def read(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """The layer's tensor of the last step; zeros of `shape` at the beginning."""
        if self._old is None:
            return like.new_zeros(shape)
        return next(self._old)

    def write(self, tensor: Tensor) -> None:
        self._new.append(tensor)

    def state(self) -> State:
        return tuple(self._new)


class CausalConv2d(nn.Module):
    """Convolution that pads the past only: output t needs inputs up to stride * (t + 1) - 1.

    The step's time length must be a multiple of the time stride. Frequency is padded by
    kernel - stride in all, the smaller half below, so that it shrinks by exactly the stride.
    """

    def __init__(self, inputs: int, outputs: int, kernel: Pair, stride: Pair = (1, 1)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, *kernel))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.kernel, self.stride = kernel, stride
        self.past = kernel[0] - stride[0]
        missing = kernel[1] - stride[1]
        self.below, self.above = missing // 2, missing - missing // 2
        self.packed: PackedConvolution | None = None
        self.packs = False  # the next input's shape is the one to pack for

    def _convolve(self, x: Tensor, padding: int) -> Tensor:
        if self.packs:
            self.packed = PackedConvolution(
                self.weight, self.bias, self.stride, (0, padding), False, x.shape
            )
            self.packs = False
        if self.packed is not None and self.packed.shape == x.shape:
            return self.packed(x)
        return functional.conv2d(x, self.weight, self.bias, self.stride, (0, padding))

    def forward(self, x: Tensor, tape: Tape) -> Tensor:
        if self.past > 0:
            batch, channels, _, bins = x.shape
            x = torch.cat([tape.read((batch, channels, self.past, bins), x), x], dim=2)
            tape.write(x[:, :, x.shape[2] - self.past :].clone())  # a view would keep all of x
        padding = self.below
        if self.below != self.above:
            x = functional.pad(x, (self.below, self.above))
            padding = 0
        return self._convolve(x, padding)


class CausalTransposedConv2d(nn.Module):
    """Transposed convolution whose output is cut to stride * time: its tail is kept and overlaps
    the next step. The weight is the convolution's kernel, flipped against the reference's.
    """

    def __init__(self, inputs: int, outputs: int, kernel: Pair, stride: Pair) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs, *kernel))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.kernel, self.stride = kernel, stride
        self.tail = kernel[0] - stride[0]
        before = -(-(kernel[1] + stride[1] - 2) // 2)  # 'same' padding of the dilated input
        self.cut = kernel[1] - 1 - before  # bins of the full result that lie below the first
        self.packed: PackedConvolution | None = None
        self.packs = False  # the next input's shape is the one to pack for

    def _convolve(self, x: Tensor) -> Tensor:
        if self.packs:
            self.packed = PackedConvolution(
                self.weight, self.bias, self.stride, (0, self.cut), True, x.shape
            )
            self.packs = False
        if self.packed is not None and self.packed.shape == x.shape:
            return self.packed(x)
        return functional.conv_transpose2d(x, self.weight, self.bias, self.stride, (0, self.cut))

    def forward(self, x: Tensor, tape: Tape) -> Tensor:
        batch, _, time, bins = x.shape
        y = self._convolve(x)
        y = y[..., : bins * self.stride[1]]
        ready = time * self.stride[0]
        if self.tail > 0:
            kept = tape.read((batch, y.shape[1], self.tail, y.shape[3]), y)
            # The kept tail overlaps the first outputs of this step, however short it is. It comes
            # without the bias, which `y` has already, and `y` is nobody else's.
            y[:, :, : self.tail] += kept
            tape.write(y[:, :, ready:] - self.bias[:, None, None])
            y = y[:, :, :ready]
        return y


class ResidualUnit(nn.Module):
    """activation, convolution, activation, convolution, and a shortcut that resamples likewise.

    In the encoder a 3x3 convolution comes first and the strided one second, in the decoder the
    transposed one first and the 3x3 second; without a stride the decoder's first is a 3x3 as well.
    Shape: `conv2d_residual_unit` of the reference.
    """

    def __init__(self, inputs: int, outputs: int, stride: Pair, transposed: bool) -> None:
        super().__init__()
        kernel = (max(3, 2 * stride[0]), max(3, 2 * stride[1]))
        self.stride, self.transposed = stride, transposed
        self.resampled = stride != (1, 1)
        self.first: CausalConv2d | CausalTransposedConv2d
        self.second: CausalConv2d
        if not transposed:
            self.first = CausalConv2d(inputs, inputs, (3, 3))
            self.second = CausalConv2d(inputs, outputs, kernel, stride)
        else:
            self.first = (
                CausalTransposedConv2d(inputs, outputs, kernel, stride)
                if self.resampled
                else CausalConv2d(inputs, outputs, (3, 3))
            )
            self.second = CausalConv2d(outputs, outputs, (3, 3))
        self.shortcut = CausalConv2d(inputs, outputs, (1, 1)) if inputs != outputs else None

    def forward(self, x: Tensor, tape: Tape) -> Tensor:
        y = self.first(functional.elu(x), tape)
        y = self.second(functional.elu(y, inplace=True), tape)
        if self.resampled and not self.transposed:
            x = functional.avg_pool2d(x, self.stride)
        if self.shortcut is not None:
            x = self.shortcut(x, tape)
        if self.resampled and self.transposed:
            # Each of x is added to a block of y, without being written out that often.
            _, _, time, bins = x.shape
            blocks = y.unflatten(3, (bins, self.stride[1])).unflatten(2, (time, self.stride[0]))
            blocks += x[:, :, :, None, :, None]
            return y
        y += x
        return y


class Spectrum(nn.Module):
    """Short-time Fourier transform: a frame of `length` samples every `step`, bins 0 to length/2-1.

    Frame t covers samples step * t to step * t + length - 1: a step needs length - step samples
    beyond its own, which the caller gives. Periodic Hann window; the Nyquist bin is dropped.
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


class InverseSpectrum(nn.Module):
    """Inverse transform by overlap-add with the window that makes it exact (Griffin and Lim 1984,
    equation 7). Each frame gives `step` samples; the rest is kept for the frames to come.
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

    def forward(self, spectrum: Tensor, tape: Tape) -> Tensor:
        """(batch, 2 of real and imaginary, frames, bins) to (batch, frames * step) samples."""
        x = spectrum.to(self.window.dtype).permute(0, 2, 3, 1)
        x = functional.pad(x, (0, 0, 0, 1)).contiguous()  # the Nyquist bin, silent
        frames = torch.fft.irfft(torch.view_as_complex(x), n=self.length) * self.window
        batch, count, _ = frames.shape
        tail = self.length - self.step
        samples = frames.new_zeros(batch, (count - 1) * self.step + self.length)
        for part in range(self.length // self.step):
            start = part * self.step
            piece = frames[..., start : start + self.step].reshape(batch, count * self.step)
            samples[:, start : start + count * self.step] += piece
        if tail > 0:
            samples[:, :tail] += tape.read((batch, tail), samples)
            tape.write(samples[:, count * self.step :].clone())
        return samples[:, : count * self.step]
