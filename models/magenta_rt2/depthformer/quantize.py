"""Eight-bit weights for a CPU, where reading the weights from memory limits a frame's speed.

Each output channel's weights are integers from -127 to 127 times a scale (symmetric quantization).
Two kinds, after the products that torch computes fast for one row:

* `int8`: the input row is quantized too, by its range at every step (dynamic quantization, Jacob et
  al. 2018, section 2), and the product is exact in integers. The faster one.
* `int8-weights`: only the weights are eight-bit; input and products are bfloat16.

`bench/cpu.py` measures both, and their effect on the distribution of the codes. Plain bfloat16 does
not help a CPU at one row: torch is slower at it than at float32.
"""

from __future__ import annotations

import warnings
from typing import Final

import torch
from torch import Tensor, nn

from models.errors import SegueError
from models.magenta_rt2.depthformer.layers import Dense, Projections, fuse
from models.magenta_rt2.depthformer.network import Depthformer

PRECISIONS: Final = ("float32", "bfloat16", "int8", "int8-weights")


def channel_scales(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Quantized matrix: int8 (outputs, inputs) and float32 scales (outputs,)."""
    matrix = matrix.float()
    scales = matrix.abs().amax(dim=1).clamp_min(1e-12) / 127.0
    quantized = (matrix / scales[:, None]).round_().to(torch.int8)
    return quantized.contiguous(), scales


class DynamicInt8(nn.Module):
    """Linear layer with weights and input in eight bits, float32 (n, inputs) -> (n, outputs)."""

    def __init__(self, dense: Dense) -> None:
        super().__init__()
        quantized, scales = channel_scales(dense.matrix())
        with warnings.catch_warnings():
            # The successor that torch's deprecation warning names is a separate package.
            warnings.simplefilter("ignore")
            weight = torch._make_per_channel_quantized_tensor(
                quantized, scales.double(), torch.zeros(len(scales), dtype=torch.int64), 0
            )
            self.packed = torch.ops.quantized.linear_prepack(weight, dense.bias)
        # Without VNNI the sum of two products may overflow sixteen bits: use a seven-bit input.
        self.reduce_range = not has_vnni()

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = torch.ops.quantized.linear_dynamic(x, self.packed, self.reduce_range)
        return product


class WeightInt8(nn.Module):
    """Linear layer with eight-bit weights and bfloat16 input, (n, inputs) -> (n, outputs)."""

    def __init__(self, dense: Dense) -> None:
        super().__init__()
        if dense.inputs % 64:
            # torch's kernel reads past a row's end then and may give NaN; no released size has it.
            raise ValueError(f"{dense.inputs} inputs: give a multiple of 64")
        self.weight, scales = channel_scales(dense.matrix())
        self.scales = scales.to(torch.bfloat16)
        self.bias = dense.bias

    def forward(self, x: Tensor) -> Tensor:
        product = torch._weight_int8pack_mm(x.to(torch.bfloat16), self.weight, self.scales).float()
        return product if self.bias is None else product + self.bias


def has_vnni() -> bool:
    """Whether this CPU has VNNI, which multiplies eight-bit numbers without overflow."""
    supported = getattr(torch.cpu, "_is_vnni_supported", None)
    return bool(supported()) if supported is not None else False


def has_fast_bfloat16() -> bool:
    """Whether this CPU has bfloat16 matrix products (they speed up convolutions)."""
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported()) if supported is not None else False


def int8_engine() -> str | None:
    """Name of torch's engine for eight-bit products on this machine; None where there is none."""
    for engine in ("x86", "fbgemm", "qnnpack"):
        if engine in torch.backends.quantized.supported_engines:
            return engine
    return None


def quantize(model: Depthformer, precision: str) -> None:
    """Quantize the dense layers of a float32 model on the CPU in place; embeddings stay float32.

    Raises SegueError where torch lacks such products on this machine.
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
    for stack in (model.temporal_layers, model.depth_layers):
        for module in list(stack.modules()):
            if isinstance(module, Projections):
                parts = [part for part in module.parts if isinstance(part, Dense)]
                if parts:
                    module.fused = kind(fuse(parts) if len(parts) > 1 else parts[0])
                    module.parts = nn.ModuleList()
            else:
                for name, child in list(module.named_children()):
                    if isinstance(child, Dense) and not isinstance(module, nn.ModuleList):
                        setattr(module, name, kind(child))
    if model.depth_input_adapter is not None:
        model.depth_input_adapter = kind(model.depth_input_adapter)  # type: ignore[assignment]
    heads = [kind(head) for head in model.to_level_logits if isinstance(head, Dense)]
    model.to_level_logits = nn.ModuleList(heads)


def read_bytes(model: Depthformer, precision: str) -> tuple[int, int]:
    """Bytes of weights that a frame reads in the temporal body, and in all steps of the depth body.

    A large CPU cache may hold the depth body's weights from step to step.
    """
    one = {"float32": 4, "bfloat16": 2, "int8": 1, "int8-weights": 1}[precision]
    config = model.config
    t, d = config.temporal, config.depth
    inner = t.num_heads * t.dim_per_head
    layer = 4 * t.model_dims * inner + 2 * inner * (t.model_dims + config.encoder_dims)
    temporal = t.num_layers * (layer + 2 * t.model_dims * t.hidden_dims)
    per_layer = 4 * d.model_dims * d.num_heads * d.dim_per_head + 2 * d.model_dims * d.hidden_dims
    adapter = t.model_dims * d.model_dims if t.model_dims != d.model_dims else 0
    level = d.num_layers * per_layer + adapter + d.model_dims * 1024
    return one * temporal, one * level * 12
