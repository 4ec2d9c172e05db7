"""Layers of the depthformer: dense layers, norms, attention and feed-forward.

Shapes are those of the reference's `jax/transformer.py` (`SLSelfAttention`,
`SLStreamingCrossAttention`, `SLTransformerFFN`) and of sequence-layers' local dot-product attention
(magenta-rt 2.0.3, Apache-2.0): no positional encoding, RMS norms before and after, a softplus scale
for each dimension of the query, one learned attention sink that every query attends to.

A KV cache holds keys and values (heads, slots, dim_per_head); as nothing in it is positional, the
order of its slots does not matter. The sink occupies the last slot: the reference scores it with
the unscaled query, so its key is stored divided by the query's scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.magenta_rt2.depthformer.config import ModelSpec
from models.magenta_rt2.depthformer.torchscript import torchscript

EPSILON = 1e-6
_INVERSE_SOFTPLUS_OF_0 = 1.442695041  # the reference's constant, to its last digit


def empty_parameter(*shape: int) -> nn.Parameter:
    """A parameter without memory, replaced when the weights are loaded."""
    return nn.Parameter(torch.empty(*shape, device="meta"), requires_grad=False)


class Dense(nn.Module):
    """Linear layer, x (..., inputs) -> (..., outputs), with the released file's memory layout.

    outputs_first: the weight is (outputs, inputs) instead of (inputs, outputs).
    """

    def __init__(
        self, inputs: int, outputs: int, bias: bool = False, outputs_first: bool = False
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.outputs_first = inputs, outputs, outputs_first
        self.weight = (
            empty_parameter(outputs, inputs) if outputs_first else empty_parameter(inputs, outputs)
        )
        self.bias = empty_parameter(outputs) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        if self.outputs_first:
            return functional.linear(x, self.weight, self.bias)
        if self.bias is None:
            return x @ self.weight
        # `addmm` is the same, but the tracer splits it in two, which rounds differently.
        return functional.linear(x, self.weight.t(), self.bias)

    def matrix(self) -> Tensor:
        """The weight as (outputs, inputs)."""
        return self.weight if self.outputs_first else self.weight.t()

    def rows(self, begin: int, end: int) -> Dense:
        """A layer with the outputs from begin to end; shares this one's memory."""
        part = Dense(self.inputs, end - begin, outputs_first=self.outputs_first)
        weight = self.weight[begin:end] if self.outputs_first else self.weight[:, begin:end]
        part.weight = nn.Parameter(weight, requires_grad=False)
        if self.bias is not None:
            part.bias = nn.Parameter(self.bias[begin:end], requires_grad=False)
        return part


def fuse(layers: Sequence[Dense]) -> Dense:
    """One layer (inputs, sum of outputs) that replaces several on the same input."""
    one = Dense(layers[0].inputs, sum(dense.outputs for dense in layers), outputs_first=True)
    one.weight = nn.Parameter(
        torch.cat([dense.matrix() for dense in layers]).contiguous(), requires_grad=False
    )
    return one


class Projections(nn.Module):
    """Several dense layers on one input, x (n, inputs) -> a tuple of (n, outputs)."""

    def __init__(self, inputs: int, outputs: Sequence[int]) -> None:
        super().__init__()
        self.sizes = list(outputs)
        self.parts = nn.ModuleList(Dense(inputs, size) for size in outputs)
        self.fused: nn.Module | None = None

    def fuse(self) -> None:
        """Replace them by one fused layer: fewer launches, at the cost of a copy."""
        if self.fused is None:
            self.fused = fuse([part for part in self.parts if isinstance(part, Dense)])
            self.parts = nn.ModuleList()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        if self.fused is None:
            return tuple(part(x) for part in self.parts)
        outputs: tuple[Tensor, ...] = self.fused(x).split(self.sizes, dim=-1)
        return outputs

    def joined(self, x: Tensor) -> Tensor:
        """The outputs side by side, (n, their sum)."""
        if self.fused is None:
            return torch.cat([part(x) for part in self.parts], dim=-1)
        outputs: Tensor = self.fused(x)
        return outputs


class RMSNorm(nn.Module):
    """RMS normalization over the last axis, epsilon 1e-6; torch reduces bfloat16 in float32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = empty_parameter(width)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" and x.numel() == self.scale.numel():
            # One row, two hundred times a frame: torch's own takes six calls, this takes three.
            if torch.jit.is_tracing():  # `item` would be traced as a constant
                normed: Tensor = torchscript().one_row_norm(x, self.scale, EPSILON)
                return normed
            length = torch.linalg.vector_norm(x).item()
            return x * (1.0 / math.sqrt(length * length / x.numel() + EPSILON)) * self.scale
        return functional.rms_norm(x, self.scale.shape, self.scale, EPSILON)


class LayerNorm(nn.Module):
    """Layer normalization over the last axis, epsilon 1e-6; torch reduces as in `RMSNorm`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = empty_parameter(width)
        self.bias = empty_parameter(width)

    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.scale.shape, self.scale, self.bias, EPSILON)


def attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """Attention (h, n, d) of scaled q (h, n, d) to k and v (h, m, d) with bias (n or 1, m).

    Three kernels. torch's fused attention is slower for a few queries on a CPU, and rounds
    bfloat16 otherwise, so that other codes would be drawn.
    """
    keys = k.transpose(1, 2)
    # A bias of 0 or -inf: adding it within the product rounds as adding it afterwards.
    scores = q @ keys if bias is None else torch.baddbmm(bias, q, keys)
    return scores.softmax(dim=-1) @ v


class Attention(nn.Module):
    """Multi-head attention with its norms, over keys and values that the caller caches.

    source_width: width of the source of cross-attention; None for self-attention.
    """

    def __init__(self, stack: ModelSpec, source_width: int | None, sink: bool) -> None:
        super().__init__()
        self.num_heads, self.dim_per_head = stack.num_heads, stack.dim_per_head
        inner = stack.num_heads * stack.dim_per_head
        self.pre_norm = RMSNorm(stack.model_dims)
        self.post_norm = RMSNorm(stack.model_dims)
        own = [inner, inner, inner] if source_width is None else [inner]
        self.input_projection = Projections(stack.model_dims, own)
        self.source_projection = (
            None if source_width is None else Projections(source_width, [inner, inner])
        )
        self.per_dim_scale = empty_parameter(stack.dim_per_head)
        self.sink_key = empty_parameter(stack.num_heads, stack.dim_per_head) if sink else None
        self.sink_value = empty_parameter(stack.num_heads, stack.dim_per_head) if sink else None
        self.output_projection = Dense(inner, stack.model_dims, outputs_first=True)
        self.query_scale: Tensor | None = None

    def finalize(self) -> None:
        """Compute the query's scale, once the weights are loaded."""
        softplus = functional.softplus(self.per_dim_scale.float())
        scale = softplus * (_INVERSE_SOFTPLUS_OF_0 / math.sqrt(self.dim_per_head))
        self.query_scale = scale.to(self.per_dim_scale.dtype)

    def sink(self) -> tuple[Tensor, Tensor]:
        """Key (divided by the query's scale) and value of the sink, (heads, dim_per_head) each."""
        assert self.sink_key is not None and self.sink_value is not None
        assert self.query_scale is not None
        return self.sink_key / self.query_scale, self.sink_value

    def split_heads(self, x: Tensor) -> Tensor:
        """(n, heads * dim_per_head) -> (heads, n, dim_per_head)."""
        return x.view(-1, self.num_heads, self.dim_per_head).transpose(0, 1)

    def scaled_queries(self, x: Tensor) -> Tensor:
        return self.split_heads(x) * self.query_scale

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        """Attention of scaled q (heads, n, d) to k and v (heads, m, d) with bias (n or 1, m).

        Returns (n, width).
        """
        context = attention(q, k, v, bias)
        mixed: Tensor = self.output_projection(context.transpose(0, 1).reshape(q.shape[1], -1))
        return mixed


class FeedForward(nn.Module):
    """Feed-forward block: norm, dense layer, GELU (tanh form), dense layer, norm, residual."""

    def __init__(self, stack: ModelSpec) -> None:
        super().__init__()
        self.pre_norm = RMSNorm(stack.model_dims)
        self.post_norm = RMSNorm(stack.model_dims)
        self.ffn_layer1 = Dense(stack.model_dims, stack.hidden_dims, bias=True)
        self.ffn_layer2 = Dense(stack.hidden_dims, stack.model_dims, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.gelu(self.ffn_layer1(self.pre_norm(x)), approximate="tanh")
        mixed: Tensor = self.post_norm(self.ffn_layer2(hidden))
        return x + mixed


class DepthformerLayer(nn.Module):
    """Transformer layer: self-attention, cross-attention if there is a source, feed-forward."""

    def __init__(self, stack: ModelSpec, source_width: int | None) -> None:
        super().__init__()
        temporal = source_width is not None
        self.self_attention = Attention(stack, None, sink=temporal)
        self.cross_attention = Attention(stack, source_width, sink=True) if temporal else None
        self.ffn = FeedForward(stack)
