"""Comparison of SpectroStream with the results of the reference (see make_fixtures.py)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from models.errors import SegueError
from models.magenta_rt2.spectrostream.codec import SpectroStream, SpectroStreamConfig
from models.magenta_rt2.spectrostream.layers import (
    STFT,
    CausalConv2d,
    CausalConvTranspose2d,
    InverseSTFT,
    LayerStates,
)
from models.magenta_rt2.spectrostream.packing import (
    PackedConvolution,
    PackedNarrow,
    PackedTransposed,
    PackedUpsampling,
    Pair,
    can_pack_convolutions,
)
from models.magenta_rt2.spectrostream.weights import (
    codec_key,
    load_spectrostream,
    targets,
)

DATA = Path(__file__).parent / "data"
NARROW = SpectroStreamConfig(
    encoder_base_depth=4, decoder_base_depth=4, features=16, levels=8, codes=32
)
BAR = 1e-4  # relative error


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return load_file(DATA / "spectrostream_weights.safetensors")


@pytest.fixture(scope="module")
def reference() -> dict[str, Tensor]:
    return load_file(DATA / "spectrostream_results.safetensors")


@pytest.fixture(scope="module")
def codec(weights: dict[str, Tensor]) -> SpectroStream:
    codec = SpectroStream(NARROW)
    load_spectrostream(codec, weights)
    return codec


@torch.no_grad()
def randomize(codec: SpectroStream, seed: int) -> None:
    """Random weights that keep signals at about their level."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in codec.parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 3:
            scale = 1.0
        elif parameter.ndim == 1:
            scale = 0.05
        else:
            scale = parameter[0].numel() ** -0.5
        parameter.copy_(values * scale)
    codec.use_channels_last()


def error(ours: Tensor, theirs: Tensor) -> float:
    """Greatest difference against the greatest value."""
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max() / theirs.abs().max())


def test_embeddings_offline(codec: SpectroStream, reference: dict[str, Tensor]) -> None:
    assert error(codec.embed(reference["samples"]), reference["embeddings"]) < BAR


def test_codes_offline(codec: SpectroStream, reference: dict[str, Tensor]) -> None:
    assert torch.equal(codec.encode(reference["samples"]), reference["codes_of_samples"].long())


def test_sound_offline(codec: SpectroStream, reference: dict[str, Tensor]) -> None:
    assert error(codec.decode(reference["codes"]), reference["sound_of_codes"]) < BAR


@pytest.mark.parametrize("steps", [(1,) * 7, (2, 1, 4), (7,)])
def test_sound_streamed(
    codec: SpectroStream, reference: dict[str, Tensor], steps: tuple[int, ...]
) -> None:
    """However the frames are cut into steps: the reference's steps, its first frame silent."""
    state = codec.initial_decoder_state()
    pieces = []
    for codes in reference["codes"].split(steps, dim=1):
        sound, state = codec.decode_step(codes, state)
        assert sound.shape == (1, codes.shape[1] * 1920, 2)
        pieces.append(sound)
    ours = torch.cat(pieces, dim=1)
    assert error(ours, reference["streamed_sound"]) < BAR
    assert not ours[:, :1920].any() and not reference["streamed_sound_valid"][:, :1920].any()
    assert error(ours[:, 1920:], reference["sound_of_codes"]) < BAR


@pytest.mark.parametrize("steps", [(1,) * 8, (3, 1, 4), (8,)])
def test_codes_streamed(
    codec: SpectroStream, reference: dict[str, Tensor], steps: tuple[int, ...]
) -> None:
    """The reference gives an invalid frame first where we give none; then they agree."""
    samples = torch.nn.functional.pad(reference["samples"], (0, 0, 0, 1920))
    state = None
    pieces = []
    for piece in samples.split([count * 1920 for count in steps], dim=1):
        codes, state = codec.encode_step(piece, state)
        pieces.append(codes)
    assert not reference["streamed_codes_valid"][:, 0].any()
    assert torch.equal(torch.cat(pieces, dim=1), reference["streamed_codes"][:, 1:].long())


def test_a_snapshot_goes_on_alike(codec: SpectroStream, reference: dict[str, Tensor]) -> None:
    codes = reference["codes"]
    _, snapshot = codec.decode_step(codes[:, :3], codec.initial_decoder_state())
    copies = [tensor.clone() for tensor in snapshot]
    first, _ = codec.decode_step(codes[:, 3:5], snapshot)
    codec.decode_step(codes[:, 5:], snapshot)
    again, _ = codec.decode_step(codes[:, 3:5], snapshot)
    assert torch.equal(first, again)
    assert all(torch.equal(a, b) for a, b in zip(copies, snapshot, strict=True))


def test_batches_do_not_touch_each_other(
    codec: SpectroStream, reference: dict[str, Tensor]
) -> None:
    codes = reference["codes"]
    both = torch.cat([codes, codes.flip(1)])
    together = codec.decode(both)
    assert error(together[:1], codec.decode(codes)) < 1e-5
    assert error(together[1:], codec.decode(codes.flip(1))) < 1e-5


@pytest.mark.parametrize("levels", [1, 3, 8])
def test_fewer_levels_are_the_coarse_ones(
    codec: SpectroStream, reference: dict[str, Tensor], levels: int
) -> None:
    codes = codec.encode(reference["samples"], levels)
    assert torch.equal(codes, reference["codes_of_samples"][..., :levels].long())


def test_each_level_comes_nearer(codec: SpectroStream, reference: dict[str, Tensor]) -> None:
    vectors = codec.embed(reference["samples"])
    with torch.no_grad():
        left = [
            float((vectors - codec.quantizer.decode(codec.quantizer.encode(vectors, n))).norm())
            for n in range(1, 9)
        ]
    assert left[-1] < left[0]


def test_levels_out_of_range(codec: SpectroStream) -> None:
    with pytest.raises(ValueError, match="1 to 8"):
        codec.quantizer.encode(torch.zeros(1, 1, 16), 9)
    with pytest.raises(ValueError, match="1 to 8"):
        codec.quantizer.decode(torch.zeros(1, 1, 9, dtype=torch.long))


def test_half_precision(weights: dict[str, Tensor], reference: dict[str, Tensor]) -> None:
    """The decoder in bfloat16 is near the reference, and the sound comes in float32."""
    codec = SpectroStream(NARROW)
    load_spectrostream(codec, weights)
    codec.decoder.to(torch.bfloat16)
    state = codec.initial_decoder_state()
    sound, state = codec.decode_step(reference["codes"], state)
    assert sound.dtype == torch.float32 and state[1].dtype == torch.bfloat16
    theirs = reference["streamed_sound"]
    assert (sound - theirs).norm() < 0.02 * theirs.norm()


def test_mono_is_given_to_both_channels(codec: SpectroStream) -> None:
    mono = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    stereo = mono[:, :, None].expand(-1, -1, 2)
    assert torch.equal(codec.embed(mono), codec.embed(stereo))
    assert codec.embed(mono).shape == (1, 3, 16)  # 4000 samples are 2.1 latent frames


@pytest.mark.parametrize("shape", [(1920,), (1, 0, 2), (1, 1920, 3)])
def test_samples_of_another_shape(codec: SpectroStream, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="give \\(batch, n, 1 or 2\\)"):
        codec.embed(torch.zeros(shape))


def test_a_step_is_whole_frames(codec: SpectroStream) -> None:
    with pytest.raises(ValueError, match="multiple of 1920"):
        codec.encode_step(torch.zeros(1, 1000, 2), None)


def test_the_transform_undoes_itself() -> None:
    samples = torch.randn(2, 480 * 21, generator=torch.Generator().manual_seed(1))
    spectrum = STFT(960, 480)(samples)
    # The Nyquist bin is dropped on the way: leave it out of the comparison as well.
    back = InverseSTFT(960, 480)(spectrum, LayerStates())
    nyquist = torch.tensor([1.0, -1.0]).repeat(480)
    frames = samples.unfold(-1, 960, 480)
    window = torch.hann_window(960)
    amplitude = (frames * window * nyquist).sum(-1, keepdim=True) / 960
    lost = torch.zeros_like(samples)
    synthesis = InverseSTFT(960, 480).window
    for index in range(frames.shape[1]):
        lost[:, index * 480 : index * 480 + 960] += amplitude[:, index] * nyquist * synthesis
    whole = (samples - lost)[:, 480 : back.shape[1]]
    assert torch.allclose(back[:, 480:], whole, atol=1e-5)


def test_full_size_has_the_released_shapes() -> None:
    """Counted in the reference: 97 tensors, 61 713 666 numbers; three shapes read from its list."""
    codec = SpectroStream()
    places = targets(codec)
    assert len(places) == 97
    assert sum(parameter.numel() for parameter in codec.parameters()) == 61_713_666
    assert places["quantizer/embedding"].shape == (64, 1024, 256)
    assert places["decoder/decoder_0/conv2dtranspose_4x3/conv/kernel"].shape == (4, 3, 512, 1024)
    assert places["encoder/encoder_2/conv2d_3x6_a/conv/kernel"].shape == (3, 6, 64, 128)


# Loading


def test_the_coarse_levels_of_a_larger_file(
    weights: dict[str, Tensor], reference: dict[str, Tensor]
) -> None:
    small = SpectroStream(dataclasses.replace(NARROW, levels=3))
    load_spectrostream(small, weights)
    codes = small.encode(reference["samples"])
    assert torch.equal(codes, reference["codes_of_samples"][..., :3].long())


def test_the_encoder_from_its_own_file(weights: dict[str, Tensor]) -> None:
    codec = SpectroStream(NARROW)
    prefix = "params/soundstream/"
    mine = {k.replace(prefix, "params/"): v for k, v in weights.items() if "/encoder/" in k}
    load_spectrostream(codec, mine, parts=("encoder",))
    expected = weights[prefix + "encoder/base_conv_first/conv/bias"]
    assert torch.equal(codec.encoder.base_conv_first.bias.data, expected)


def _missing_key(weights: dict[str, Tensor]) -> None:
    del weights["params/soundstream/decoder/decoder_3/conv2d_3x3/conv/bias"]


def _unknown_key(weights: dict[str, Tensor]) -> None:
    weights["params/soundstream/decoder/decoder_9/conv2d_3x3/conv/bias"] = torch.zeros(4)


def _wrong_shape(weights: dict[str, Tensor]) -> None:
    key = "params/soundstream/decoder/decoder_3/conv2d_3x3/conv/kernel"
    weights[key] = weights[key][:2].contiguous()


def _few_levels(weights: dict[str, Tensor]) -> None:
    key = "params/soundstream/quantizer/embedding"
    weights[key] = weights[key][:5].contiguous()


@pytest.mark.parametrize(
    ("corrupt", "words"),
    [
        (_missing_key, "lacks decoder/decoder_3/conv2d_3x3/conv/bias"),
        (_unknown_key, "holds decoder/decoder_9/conv2d_3x3/conv/bias"),
        (_wrong_shape, r"decoder/decoder_3/conv2d_3x3/conv/kernel in f has shape \[2, 3"),
        (_few_levels, r"quantizer/embedding in f has shape \[5, 32, 16\] and not \[8, 32, 16\]"),
    ],
)
def test_what_does_not_fit_is_named(
    weights: dict[str, Tensor], corrupt: Callable[[dict[str, Tensor]], None], words: str
) -> None:
    corrupted = dict(weights)
    corrupt(corrupted)
    codec = SpectroStream(NARROW)
    randomize(codec, 1)
    before = [parameter.clone() for parameter in codec.parameters()]
    with pytest.raises(SegueError, match=words):
        load_spectrostream(codec, corrupted, source="f")
    after = list(codec.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True)), "half loaded"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("params/soundstream/decoder/x/bias", "decoder/x/bias"),
        ("params/encoder/x/bias", "encoder/x/bias"),
        ("params/depthformer/decoder/x/bias", None),
        ("decoder/x/bias", None),
    ],
)
def test_keys(name: str, key: str | None) -> None:
    assert codec_key(name) == key


@pytest.mark.skipif(
    not can_pack_convolutions("cpu"), reason="this torch cannot pack weights for its CPU"
)
@pytest.mark.parametrize(("kind", "bar"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_packed_weights_give_the_same(kind: torch.dtype, bar: float) -> None:
    """For the packed number of frames, and for others, which take the plain way."""
    codecs = []
    for _ in range(2):
        codec = SpectroStream(
            SpectroStreamConfig(encoder_base_depth=4, decoder_base_depth=8, levels=12)
        )
        randomize(codec, 3)
        codec.decoder.to(kind)
        codecs.append(codec)
    plain, packed = codecs
    packed.pack_weights(3)
    layers = [m for m in packed.decoder.modules() if isinstance(m, CausalConv2d)]
    assert layers and all(layer.packed is not None for layer in layers)
    codes = torch.randint(0, 1024, (1, 14, 12), generator=torch.Generator().manual_seed(0))
    sounds = []
    for codec in (plain, packed):
        state, parts = codec.initial_decoder_state(), []
        for part in codes.split([3, 3, 1, 3, 4], dim=1):
            sound, state = codec.decode_step(part, state)
            parts.append(sound)
        sounds.append(torch.cat(parts, dim=1))
    assert error(sounds[1], sounds[0]) < bar


@pytest.mark.skipif(
    not can_pack_convolutions("cpu"), reason="this torch cannot pack weights for its CPU"
)
@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize(
    ("kernel", "stride", "kind"),
    [
        ((3, 4), (1, 2), PackedUpsampling),
        ((3, 6), (1, 3), PackedUpsampling),
        ((4, 4), (2, 2), PackedTransposed),
        ((4, 3), (2, 1), PackedTransposed),
    ],
)
def test_packed_transposed_convolutions(kernel: Pair, stride: Pair, kind: type, last: bool) -> None:
    layer = CausalConvTranspose2d(5, 4, kernel, stride)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
        layer.bias.copy_(torch.randn(4, generator=generator))
        x = torch.randn(2, 5, 3, 7, generator=generator)
        if last:
            x = x.contiguous(memory_format=torch.channels_last)
        plain = layer(x, LayerStates())
        layer.pack_next = True
        states = LayerStates()
        packed = layer(x, states)
    assert type(layer.packed) is kind
    assert packed.shape == plain.shape
    assert error(packed, plain) < 1e-5


@pytest.mark.skipif(
    not can_pack_convolutions("cpu"), reason="this torch cannot pack weights for its CPU"
)
@pytest.mark.parametrize(("outputs", "kind"), [(2, PackedNarrow), (3, PackedConvolution)])
def test_packed_convolutions_with_few_outputs(outputs: int, kind: type) -> None:
    layer = CausalConv2d(5, outputs, (7, 7))
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
        layer.bias.copy_(torch.randn(outputs, generator=generator))
        x = torch.randn(2, 5, 3, 20, generator=generator)
        plain = layer(x, LayerStates(), activate=True)
        layer.pack_next = True
        packed = layer(x, LayerStates(), activate=True)
    assert type(layer.packed) is kind
    assert error(packed, plain) < 1e-5


@pytest.mark.skipif(
    not can_pack_convolutions("cpu"), reason="this torch cannot pack weights for its CPU"
)
def test_packed_convolutions_need_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once sound has passed, every input of the decoder's wide layers lies channels last."""
    orders: list[bool] = []
    convolve = PackedConvolution.__call__

    def watch(packed: PackedConvolution, x: Tensor) -> Tensor:
        orders.append(x.is_contiguous(memory_format=torch.channels_last) or x.stride(1) == 1)
        return convolve(packed, x)

    codec = SpectroStream(NARROW)
    randomize(codec, 3)
    codec.pack_weights(3)
    codes = torch.randint(0, 16, (1, 6, 4), generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(PackedConvolution, "__call__", watch)
    _, state = codec.decode_step(codes[:, :3], codec.initial_decoder_state())
    orders.clear()
    codec.decode_step(codes[:, 3:], state)
    assert orders and all(orders)


def test_a_state_is_not_written_to(codec: SpectroStream) -> None:
    """The layers add in place, but never into what a snapshot may hold."""
    codes = torch.randint(0, 16, (1, 6, 4), generator=torch.Generator().manual_seed(0))
    _, state = codec.decode_step(codes[:, :3], codec.initial_decoder_state())
    before = [tensor.clone() for tensor in state]
    codec.decode_step(codes[:, 3:], state)
    assert all(torch.equal(a, b) for a, b in zip(before, state, strict=True))


@pytest.mark.skipif(
    not can_pack_convolutions("cpu"), reason="this torch cannot pack weights for its CPU"
)
def test_packed_weights_give_the_references_sound(
    weights: dict[str, Tensor], reference: dict[str, Tensor]
) -> None:
    codec = SpectroStream(NARROW)
    load_spectrostream(codec, weights)
    codec.pack_weights(2)
    state, parts = codec.initial_decoder_state(), []
    for part in reference["codes"].split(2, dim=1):
        sound, state = codec.decode_step(part, state)
        parts.append(sound)
    assert error(torch.cat(parts, dim=1), reference["streamed_sound"]) < BAR
