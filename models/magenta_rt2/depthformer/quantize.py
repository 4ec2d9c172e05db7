"""Eight-bit weights for a CPU, where a frame takes as long as reading the weights. Inference lane.

Each output channel's weights are whole numbers from -127 to 127 times a scale (symmetric, largest
weight to 127). Two ways to multiply with them, by what torch has that is fast at one row:

* `int8`: the input row is made eight-bit too, by its own range at every step (dynamic quantization,
  Jacob et al. 2018, section 2), and the product is exact in whole numbers. Fastest: one call.
* `int8-weights`: only the weights are eight-bit; input and products are bfloat16.

`measure.py` measures both, and what each does to the distribution of the codes. Plain bfloat16 is
no help on a CPU at one row: torch is slower at it than at float32.
"""

from __future__ import annotations

import warnings
from typing import Final

import torch
from torch import Tensor, nn

from models.errors import SegueError
from models.magenta_rt2.depthformer.layers import Dense, Projections, joined
from models.magenta_rt2.depthformer.network import Depthformer

PRECISIONS: Final = ("float32", "bfloat16", "int8", "int8-weights")


def channel_scales(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """(outputs, inputs) -> int8 of the same shape and float32 scales (outputs,)."""
    matrix = matrix.float()
    scales = matrix.abs().amax(dim=1).clamp_min(1e-12) / 127.0
    whole = (matrix / scales[:, None]).round_().to(torch.int8)
    return whole.contiguous(), scales


class DynamicInt8(nn.Module):
    """x (n, inputs) float32 -> (n, outputs), weights and input in eight bits."""

    def __init__(self, kernel: Dense) -> None:
        super().__init__()
        whole, scales = channel_scales(kernel.matrix())
        with warnings.catch_warnings():
            # torch names a successor for its quantized tensors that is no part of torch itself.
            warnings.simplefilter("ignore")
            weight = torch._make_per_channel_quantized_tensor(
                whole, scales.double(), torch.zeros(len(scales), dtype=torch.int64), 0
            )
            self.packed = torch.ops.quantized.linear_prepack(weight, kernel.bias)
        # Without VNNI two products may overflow sixteen bits: one bit less for the input then.
        self.reduce_range = not has_vnni()

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = torch.ops.quantized.linear_dynamic(x, self.packed, self.reduce_range)
        return product


class WeightInt8(nn.Module):
    """x (n, inputs) float32 -> (n, outputs), weights in eight bits, input in bfloat16."""

    def __init__(self, kernel: Dense) -> None:
        super().__init__()
        if kernel.inputs % 64:
            # torch's product reads past a row's end then, and may give NaN; no released size does.
            raise ValueError(f"{kernel.inputs} inputs: give a multiple of 64")
        self.weight, scales = channel_scales(kernel.matrix())
        self.scales = scales.to(torch.bfloat16)
        self.bias = kernel.bias

    def forward(self, x: Tensor) -> Tensor:
        product = torch._weight_int8pack_mm(x.to(torch.bfloat16), self.weight, self.scales).float()
        return product if self.bias is None else product + self.bias


def has_vnni() -> bool:
    """Whether this CPU multiplies eight-bit numbers without overflow on the way."""
    ask = getattr(torch.cpu, "_is_vnni_supported", None)
    return bool(ask()) if ask is not None else False


def has_fast_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices itself (for convolutions, not one row)."""
    ask = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(ask()) if ask is not None else False


def int8_engine() -> str | None:
    """torch's engine for eight-bit products on this machine; None where it has none."""
    for engine in ("x86", "fbgemm", "qnnpack"):
        if engine in torch.backends.quantized.supported_engines:
            return engine
    return None


def quantize(model: Depthformer, precision: str) -> None:
    """Replace the kernels of a float32 model on the CPU, in place. The embeddings stay.

    Raises SegueError where this machine's torch has no such products.
    """
    if precision not in ("int8", "int8-weights"):
        raise ValueError(f"{precision} is no eight-bit precision")
    engine = int8_engine()
    if model.device.type != "cpu" or (precision == "int8" and engine is None):
        raise SegueError(
            f"{precision} works on a CPU that torch knows: use --device cpu, or float32."
        )
    kind: type[DynamicInt8] | type[WeightInt8] = WeightInt8
    if precision == "int8":
        torch.backends.quantized.engine = engine
        kind = DynamicInt8
    for stack in (model.temporal, model.depth):
        for module in list(stack.modules()):
            if isinstance(module, Projections):
                parts = [part for part in module.parts if isinstance(part, Dense)]
                if parts:
                    module.whole = kind(joined(parts) if len(parts) > 1 else parts[0])
                    module.parts = nn.ModuleList()
            else:
                for name, child in list(module.named_children()):
                    if isinstance(child, Dense) and not isinstance(module, nn.ModuleList):
                        setattr(module, name, kind(child))
    if model.adapter is not None:
        model.adapter = kind(model.adapter)  # type: ignore[assignment]
    heads = [kind(head) for head in model.level_heads if isinstance(head, Dense)]
    model.level_heads = nn.ModuleList(heads)


def read_bytes(model: Depthformer, precision: str) -> tuple[int, int]:
    """Bytes of weights that one frame reads: of the temporal stack, and of all steps of the depth
    stack together, which a large cache may keep between them."""
    one = {"float32": 4, "bfloat16": 2, "int8": 1, "int8-weights": 1}[precision]
    config = model.config
    t, d = config.temporal, config.depth
    inner = t.heads * t.head_dim
    layer = 4 * t.width * inner + 2 * inner * (t.width + config.condition_width)
    temporal = t.layers * (layer + 2 * t.width * t.hidden)
    per_layer = 4 * d.width * d.heads * d.head_dim + 2 * d.width * d.hidden
    adapter = t.width * d.width if t.width != d.width else 0
    level = d.layers * per_layer + adapter + d.width * 1024
    return one * temporal, one * level * 12
