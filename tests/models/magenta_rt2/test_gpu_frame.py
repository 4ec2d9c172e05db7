"""What a frame on a GPU is made of, checked without one; and several streams in one step.

Tensors on the device `meta` have shapes but no numbers. Code takes the same branches there as on a
GPU, and reading a number back to the host, which would stall a GPU, is an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from models.magenta_rt2.checkpoint.files import CHECKPOINTS
from models.magenta_rt2.checkpoint.random_weights import write
from models.magenta_rt2.checkpoint.weights import load_depthformer
from models.magenta_rt2.depthformer.batch_stepper import BatchStepper
from models.magenta_rt2.depthformer.config import RVQ_LEVELS, SMALL
from models.magenta_rt2.depthformer.layers import EPSILON, LayerNorm, RMSNorm, attention
from models.magenta_rt2.depthformer.network import Depthformer
from models.magenta_rt2.depthformer.quantize import quantize
from models.magenta_rt2.depthformer.sampling import gumbel_noise
from models.magenta_rt2.depthformer.stepper import DepthformerContext, FrameStepper
from models.magenta_rt2.spectrostream.codec import SpectroStream, SpectroStreamConfig
from models.runtime.device import use_full_precision
from tests.models.magenta_rt2.test_magenta_engine import CODEC
from tests.models.magenta_rt2.test_traced_frame import CONFIG, SAMPLING, conditions

VIEWS: Final = frozenset(
    (
        *("view", "_unsafe_view", "reshape", "transpose", "select", "slice", "expand", "unsqueeze"),
        *("squeeze", "t", "as_strided", "split", "split_with_sizes", "detach", "permute", "alias"),
        *("unbind", "unfold", "flatten"),
    )
)


class KernelCount(TorchDispatchMode):
    """Counts operations that compute or copy."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function.__name__.partition(".")[0]
        self.counts[name] += name not in VIEWS
        return function(*args, **(kwargs or {}))


def test_a_frame_waits_for_nothing_and_is_a_thousand_kernels() -> None:
    """Two of `small`'s twelve temporal layers and one of its two depth layers, for speed."""
    temporal, depth = replace(SMALL.temporal, num_layers=2), replace(SMALL.depth, num_layers=1)
    model = Depthformer(replace(SMALL, temporal=temporal, depth=depth)).to(torch.bfloat16)
    model.finalize(fuse=True)
    assert model.device.type == "meta"
    stepper = FrameStepper(model)
    with torch.inference_mode(), KernelCount() as kernels:
        stepper.run()
    # At most 30 for a temporal layer, 17 for a depth layer, 20 for what else a level has: all of
    # `small` is a thousand then.
    assert kernels.counts.total() <= 2 * 30 + RVQ_LEVELS * (17 + 20)
    assert kernels.counts["to"] <= RVQ_LEVELS  # the logits'; norms cast nothing
    with torch.inference_mode():
        BatchStepper(model, 4).run()


def test_a_block_of_the_codec_waits_for_nothing() -> None:
    with torch.device("meta"):
        codec = SpectroStream(SpectroStreamConfig(levels=RVQ_LEVELS))
        codes = torch.zeros(1, 3, RVQ_LEVELS, dtype=torch.long)
        samples, _ = codec.decode_step(codes, codec.initial_decoder_state())
    assert samples.shape == (1, 3 * 1920, 2)


def test_a_number_that_is_read_back_would_be_noticed() -> None:
    with pytest.raises(RuntimeError, match="meta"):
        torch.ones(1, device="meta").item()


@pytest.mark.parametrize("rows", [1, 7])
def test_norms_reduce_bfloat16_in_float32(rows: int) -> None:
    torch.manual_seed(5)
    x = (3 * torch.randn(rows, 96)).bfloat16()
    scale, bias = torch.randn(96).bfloat16(), torch.randn(96).bfloat16()
    rms, layer = RMSNorm(96), LayerNorm(96)
    for norm in (rms, layer):
        norm.scale = torch.nn.Parameter(scale, requires_grad=False)
    layer.bias = torch.nn.Parameter(bias, requires_grad=False)
    wide = functional.rms_norm(x.float(), (96,), scale.float(), EPSILON)
    error = (rms(x).float() - wide).abs() / wide.abs().clamp_min(1e-3)
    assert error.max() < 2**-7  # rounding to eight bits of mantissa, and no more
    wide = functional.layer_norm(x.float(), (96,), scale.float(), bias.float(), EPSILON)
    error = (layer(x).float() - wide).abs() / wide.abs().clamp_min(0.1)
    assert error.max() < 2**-7


@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_torch_s_own(masked: bool) -> None:
    torch.manual_seed(6)
    q, k, v = torch.randn(3, 2, 8), torch.randn(3, 9, 8), torch.randn(3, 9, 8)
    bias = torch.where(torch.arange(9) < 4, float("-inf"), 0.0)[None] if masked else None
    expected = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)
    torch.testing.assert_close(attention(q, k, v, bias), expected, rtol=1e-5, atol=1e-6)


def test_float32_is_not_cut_to_tf32() -> None:
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    try:
        convolutions.allow_tf32 = products.allow_tf32 = True
        use_full_precision()
        assert not convolutions.allow_tf32 and not products.allow_tf32
    finally:
        convolutions.allow_tf32, products.allow_tf32 = before


# Several streams in one step.


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write(folder, "small", config=CONFIG, codec=CODEC)
    return folder / CHECKPOINTS["magenta-rt2-small"]


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> Depthformer:
    return load_depthformer(checkpoint, CONFIG, "cpu", torch.float32)


def alone(
    model: Depthformer, stream: int, frames: int, begin: DepthformerContext | None = None
) -> tuple[Tensor, DepthformerContext]:
    """Codes (frames, 12) that a stream draws by itself, and its context after them."""
    stepper = FrameStepper(model)
    if begin is not None:
        stepper.load(begin)
    codes = []
    for _ in range(frames):
        number = stepper.frame
        temperature, top_k = SAMPLING[(number + stream) % len(SAMPLING)]
        row, noise = conditions(number + stream), gumbel_noise(stream, 0, number)
        codes.append(stepper.step(row, noise, temperature, top_k))
    return torch.stack(codes), stepper.context()


def together(stepper: BatchStepper, streams: Sequence[int], frames: int) -> Tensor:
    """Codes (streams, frames, 12) that streams draw in one batch."""
    codes = []
    for _ in range(frames):
        numbers = list(zip(streams, stepper.frames, strict=True))
        sampling = [SAMPLING[(number + stream) % len(SAMPLING)] for stream, number in numbers]
        rows = torch.stack([conditions(number + stream) for stream, number in numbers])
        noise = torch.stack([gumbel_noise(stream, 0, number) for stream, number in numbers])
        temperatures, top_ks = zip(*sampling, strict=True)
        codes.append(stepper.step(rows, noise, temperatures, top_ks))
    return torch.stack(codes, dim=1)


@pytest.fixture(scope="module")
def singles(model: Depthformer) -> list[Tensor]:
    """Nine frames of each of eight streams by itself."""
    return [alone(model, stream, 9)[0] for stream in range(8)]


@pytest.mark.parametrize("batch", [1, 2, 4, 8])
def test_streams_draw_what_they_draw_alone(
    model: Depthformer, singles: list[Tensor], batch: int
) -> None:
    codes = together(BatchStepper(model, batch), range(batch), 9)
    for stream in range(batch):
        assert torch.equal(codes[stream], singles[stream]), f"stream {stream}"
    if batch > 1:
        assert not torch.equal(codes[0], codes[1])


def test_streams_come_and_go_at_their_own_times(model: Depthformer) -> None:
    """Contexts of other ages in one batch, from single streams and back to one."""
    _, old = alone(model, 5, 13)
    _, young = alone(model, 6, 2)
    stepper = BatchStepper(model, 3)
    together(stepper, (1, 2, 3), 4)
    stepper.load(0, old)
    stepper.load(2, young)
    codes = together(stepper, (5, 2, 6), 9)
    assert torch.equal(codes[0], alone(model, 5, 9, old)[0])
    assert torch.equal(codes[1], alone(model, 2, 13)[0][4:])
    assert torch.equal(codes[2], alone(model, 6, 9, young)[0])
    after = stepper.context(2)
    assert after.frame == 11
    assert torch.equal(alone(model, 6, 3, after)[0], alone(model, 6, 14)[0][11:])


def test_a_stream_that_goes_back_repeats_itself(model: Depthformer) -> None:
    stepper = BatchStepper(model, 2)
    together(stepper, (0, 1), 9)
    moments = [stepper.context(stream) for stream in (0, 1)]
    first = together(stepper, (0, 1), 5)
    for stream, moment in enumerate(moments):
        stepper.load(stream, moment)
    assert torch.equal(together(stepper, (0, 1), 5), first)


def test_eight_bit_weights_are_refused(checkpoint: Path) -> None:
    model = load_depthformer(checkpoint, CONFIG, "cpu", torch.float32)
    quantize(model, "int8")
    with pytest.raises(ValueError, match="eight-bit"):
        BatchStepper(model, 2)
