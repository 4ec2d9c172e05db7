"""The layers of the depthformer: kernels, norms and attention, one frame or many. Inference lane.

The shapes are those of the reference's `jax/transformer.py` (`SLSelfAttention`,
`SLStreamingCrossAttention`, `SLTransformerFFN`) and of sequence-layers' local dot-product attention
(magenta-rt 2.0.3, Apache-2.0): no positions, RMS norms before and after, a softplus scale for each
dimension of the query, one learned sink that every query may look at.

A cache holds keys and values (heads, slots, head_dim); as nothing in it is positional, a ring's
order does not matter. The sink takes the last slot for good: the reference scores it with the
query before its scale, so its key is stored divided by that scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.magenta_rt2.depthformer.config import StackConfig
from models.magenta_rt2.depthformer.scripts import scripts

EPSILON = 1e-6
_INVERSE_SOFTPLUS_OF_0 = 1.442695041  # the reference's constant, to its last digit


def empty_parameter(*shape: int) -> nn.Parameter:
    """A parameter that only has a shape until weights are put in."""
    return nn.Parameter(torch.empty(*shape, device="meta"), requires_grad=False)


class Dense(nn.Module):
    """x (..., inputs) -> (..., outputs). The weight lies as it does in the released file.

    out_first: the file has (outputs, inputs) instead of (inputs, outputs).
    """

    def __init__(
        self, inputs: int, outputs: int, bias: bool = False, out_first: bool = False
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.out_first = inputs, outputs, out_first
        self.weight = (
            empty_parameter(outputs, inputs) if out_first else empty_parameter(inputs, outputs)
        )
        self.bias = empty_parameter(outputs) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        if self.out_first:
            return functional.linear(x, self.weight, self.bias)
        if self.bias is None:
            return x @ self.weight
        # The same as `addmm`, which torch's recorder would take apart, and round differently.
        return functional.linear(x, self.weight.t(), self.bias)

    def matrix(self) -> Tensor:
        """The weight as (outputs, inputs), whichever way it lies."""
        return self.weight if self.out_first else self.weight.t()

    def rows(self, begin: int, end: int) -> Dense:
        """The kernel of the outputs from begin to end; shares this one's memory."""
        part = Dense(self.inputs, end - begin, out_first=self.out_first)
        weight = self.weight[begin:end] if self.out_first else self.weight[:, begin:end]
        part.weight = nn.Parameter(weight, requires_grad=False)
        if self.bias is not None:
            part.bias = nn.Parameter(self.bias[begin:end], requires_grad=False)
        return part


def joined(kernels: Sequence[Dense]) -> Dense:
    """One kernel (inputs, sum of outputs) that does the work of several on the same input."""
    one = Dense(kernels[0].inputs, sum(kernel.outputs for kernel in kernels), out_first=True)
    one.weight = nn.Parameter(
        torch.cat([kernel.matrix() for kernel in kernels]).contiguous(), requires_grad=False
    )
    return one


class Projections(nn.Module):
    """Several kernels on one input, x (n, inputs) -> a tuple of (n, outputs)."""

    def __init__(self, inputs: int, outputs: Sequence[int]) -> None:
        super().__init__()
        self.sizes = list(outputs)
        self.parts = nn.ModuleList(Dense(inputs, size) for size in outputs)
        self.whole: nn.Module | None = None

    def join(self) -> None:
        """Do all of them at once from now on: fewer launches, at the cost of a copy."""
        if self.whole is None:
            self.whole = joined([part for part in self.parts if isinstance(part, Dense)])
            self.parts = nn.ModuleList()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        if self.whole is None:
            return tuple(part(x) for part in self.parts)
        return self.whole(x).split(self.sizes, dim=-1)


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + 1e-6) * scale over the last axis, reduced in float32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = empty_parameter(width)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" and x.numel() == self.scale.numel():
            # One row on a CPU, two hundred times a frame: torch's own is six calls, this is three.
            if torch.jit.is_tracing():  # `item` would be recorded as a constant
                normed: Tensor = scripts().one_row_norm(x, self.scale, EPSILON)
                return normed
            length = torch.linalg.vector_norm(x).item()
            return x * (1.0 / math.sqrt(length * length / x.numel() + EPSILON)) * self.scale
        if x.dtype == torch.float32:
            return functional.rms_norm(x, self.scale.shape, self.scale, EPSILON)
        wide = functional.rms_norm(x.float(), self.scale.shape, self.scale.float(), EPSILON)
        return wide.to(x.dtype)


class LayerNorm(nn.Module):
    """The usual one, epsilon 1e-6, reduced in float32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = empty_parameter(width)
        self.bias = empty_parameter(width)

    def forward(self, x: Tensor) -> Tensor:
        shape = self.scale.shape
        if x.dtype == torch.float32:
            return functional.layer_norm(x, shape, self.scale, self.bias, EPSILON)
        wide = functional.layer_norm(
            x.float(), shape, self.scale.float(), self.bias.float(), EPSILON
        )
        return wide.to(x.dtype)


class Attention(nn.Module):
    """Attention with its norms and residual, over keys and values that the caller keeps.

    source_width: width of what is looked at in cross-attention; None for self-attention.
    """

    def __init__(self, stack: StackConfig, source_width: int | None, sink: bool) -> None:
        super().__init__()
        self.heads, self.head_dim = stack.heads, stack.head_dim
        inner = stack.heads * stack.head_dim
        self.pre_norm = RMSNorm(stack.width)
        self.post_norm = RMSNorm(stack.width)
        own = [inner, inner, inner] if source_width is None else [inner]
        self.project = Projections(stack.width, own)
        self.project_source = (
            None if source_width is None else Projections(source_width, [inner, inner])
        )
        self.per_dim_scale = empty_parameter(stack.head_dim)
        self.sink_key = empty_parameter(stack.heads, stack.head_dim) if sink else None
        self.sink_value = empty_parameter(stack.heads, stack.head_dim) if sink else None
        self.output = Dense(inner, stack.width, out_first=True)
        self.query_scale: Tensor | None = None

    def finish(self) -> None:
        """What is worked out once, after the weights are in."""
        softplus = functional.softplus(self.per_dim_scale.float())
        scale = softplus * (_INVERSE_SOFTPLUS_OF_0 / math.sqrt(self.head_dim))
        self.query_scale = scale.to(self.per_dim_scale.dtype)

    def sink(self) -> tuple[Tensor, Tensor]:
        """The sink's key, divided by the query's scale, and its value: (heads, head_dim) each."""
        assert self.sink_key is not None and self.sink_value is not None
        assert self.query_scale is not None
        return self.sink_key / self.query_scale, self.sink_value

    def split(self, x: Tensor) -> Tensor:
        """(n, heads * head_dim) -> (heads, n, head_dim)."""
        return x.view(-1, self.heads, self.head_dim).transpose(0, 1)

    def queries(self, x: Tensor) -> Tensor:
        return self.split(x) * self.query_scale

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        """Scaled q (heads, n, d) over k and v (heads, m, d), bias (n or 1, m) -> (n, width).

        Written out: for a handful of queries it is faster on a CPU than the fused kernel.
        """
        scores = q @ k.transpose(1, 2)
        if bias is not None:
            scores = scores + bias
        context = scores.softmax(dim=-1, dtype=torch.float32).to(v.dtype) @ v
        mixed: Tensor = self.output(context.transpose(0, 1).reshape(q.shape[1], -1))
        return mixed


class FeedForward(nn.Module):
    """Norm, kernel, GELU (tanh form), kernel, norm, residual."""

    def __init__(self, stack: StackConfig) -> None:
        super().__init__()
        self.pre_norm = RMSNorm(stack.width)
        self.post_norm = RMSNorm(stack.width)
        self.first = Dense(stack.width, stack.hidden, bias=True)
        self.second = Dense(stack.hidden, stack.width, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.gelu(self.first(self.pre_norm(x)), approximate="tanh")
        mixed: Tensor = self.post_norm(self.second(hidden))
        return x + mixed


class DepthformerLayer(nn.Module):
    """Self-attention, cross-attention where there is a source, feed-forward."""

    def __init__(self, stack: StackConfig, source_width: int | None) -> None:
        super().__init__()
        temporal = source_width is not None
        self.own = Attention(stack, None, sink=temporal)
        self.cross = Attention(stack, source_width, sink=True) if temporal else None
        self.feed = FeedForward(stack)
