"""Weights files in every layout, and with every damage: they load, or one short sentence says why.

Damage that leaves the file usable (another float type, metadata) loads.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from models.errors import SegueError
from models.magenta_rt2.checkpoint.random_weights import random_codec, random_tensors
from models.magenta_rt2.checkpoint.weights import (
    CODEC_PREFIX,
    FUSED,
    codec_tensors,
    load_depthformer,
)
from models.magenta_rt2.depthformer import network
from models.magenta_rt2.depthformer.config import DepthformerConfig, ModelSpec
from models.magenta_rt2.depthformer.network import Depthformer
from models.magenta_rt2.spectrostream.codec import SpectroStream, SpectroStreamConfig
from models.magenta_rt2.spectrostream.weights import load_spectrostream

TINY = DepthformerConfig(
    "magenta-rt2-small",
    16,
    ModelSpec(2, 32, 64, 2, 16),
    ModelSpec(1, 24, 48, 3, 8),
    max_past_horizon=5,
)
CODEC = SpectroStreamConfig(encoder_base_depth=4, decoder_base_depth=4, features=16, levels=12)
SENTENCE = 300
Tensors = dict[str, Tensor]


def fused(tensors: Tensors) -> Tensors:
    """The reference's other layout: self-attention as one layer, cross-attention's source too."""
    result = dict(tensors)
    for key in tensors:
        stem, _, rest = key.partition("/attention/query_projection/")
        if not rest:
            continue
        layer = "key_value_projection" if "cross" in stem else "query_key_value_projection"
        parts = [result.pop(f"{stem}/attention/{part}/kernel") for part in FUSED[layer]]
        result[f"{stem}/attention/{layer}/kernel"] = torch.stack(parts, dim=1).contiguous()
    return result


@pytest.fixture(scope="module", autouse=True)
def narrow_styles() -> Iterator[None]:
    """Style vectors of 8 numbers, as those of 768 make files of 42 MB."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "STYLE_DIM", 8)
        yield


@pytest.fixture(scope="module")
def separate() -> Tensors:
    tensors = random_tensors(TINY, seed=3)
    codec = random_codec(CODEC, seed=4)
    parts = {key: value for key, value in codec.items() if not key.startswith("encoder/")}
    return tensors | {CODEC_PREFIX + key: value for key, value in parts.items()}


@pytest.fixture(params=["separate", "fused"])
def tensors(request: pytest.FixtureRequest, separate: Tensors) -> Tensors:
    return fused(separate) if request.param == "fused" else dict(separate)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mrt2_small.safetensors"


def load(path: Path) -> tuple[Depthformer, SpectroStream]:
    """As the engine does."""
    model = load_depthformer(path, TINY)
    codec = SpectroStream(CODEC)
    tensors = codec_tensors(path, TINY.name)
    load_spectrostream(codec, tensors, ("quantizer", "decoder"), path.name)
    return model, codec


def chosen(tensors: Tensors, words: str) -> str:
    return next(key for key in sorted(tensors) if words in key)


KERNEL = "x_layers_0/cross_attention/attention/"
CODEC_KERNEL = "decoder_1/conv2dtranspose"


def without(tensors: Tensors, words: str) -> Tensors:
    return {key: value for key, value in tensors.items() if words not in key}


def converted(tensors: Tensors, words: str, kind: torch.dtype) -> Tensors:
    return {key: value.to(kind) if words in key else value for key, value in tensors.items()}


def filled(tensors: Tensors, words: str, value: float) -> Tensors:
    key = chosen(tensors, words)
    spoilt = tensors[key].clone()
    spoilt.view(-1)[1] = value
    return tensors | {key: spoilt}


def turned(tensors: Tensors, words: str) -> Tensors:
    key = next(key for key in tensors if words in key and tensors[key].ndim > 1)
    return tensors | {key: tensors[key].transpose(-1, -2).contiguous()}


def both_layouts(tensors: Tensors) -> Tensors:
    """One layer is there twice, in either layout."""
    key = chosen(tensors, "x_layers_1/self_attention/attention/query")
    stem = key.rpartition("/attention/")[0]
    kernel = torch.zeros(32, 2, 16)
    extra = {f"{stem}/attention/{part}/kernel": kernel.clone() for part in FUSED[SELF]}
    return tensors | extra | {f"{stem}/attention/{SELF}/kernel": torch.zeros(32, 3, 2, 16)}


SELF = "query_key_value_projection"

REFUSED: dict[str, tuple[Callable[[Tensors], Tensors], str]] = {
    "one missing": (lambda t: without(t, "final_ln/scale"), "missing: .*final_ln/scale"),
    "a layer missing": (lambda t: without(t, "temporal_body/transformer/x_layers_1"), r"and \d+ m"),
    "all missing": (lambda t: without(t, "depthformer"), r"missing: .*, .*, .* and \d+ more"),
    "the codec missing": (lambda t: without(t, "soundstream"), r"lacks .*, .*, .* and \d+ more"),
    "a query alone": (lambda t: without(t, KERNEL + "key"), "missing: .*key.*_projection"),
    "unknown": (lambda t: t | {"params/depthformer/x": torch.zeros(2)}, "unknown: .*former/x"),
    "many unknown": (
        lambda t: t | {f"params/x/{n:03}/{'x' * 400}": torch.zeros(1) for n in range(900)},
        "unknown: .*x, .*x, .*x and 897 more",
    ),
    "missing and unknown": (
        lambda t: without(t, "sink_key") | {f"model.{n}.weight": torch.zeros(1) for n in range(90)},
        r"missing: .* and \d more; unknown: model.0.weight and 89 more",
    ),
    "both layouts at once": (both_layouts, "unknown: .*x_layers_1.*key_projection"),
    "turned": (lambda t: turned(t, "ffn_layer1/kernel"), r"kernel is \[64, 32\] and must be \["),
    "turned codec": (lambda t: turned(t, CODEC_KERNEL), "has shape"),
    "every shape": (
        lambda t: {key: torch.zeros(1, 1) for key in t},
        r"is \[1, 1\] and must be .* and \d+ more are of another shape",
    ),
    "empty tensor": (
        lambda t: t | {chosen(t, "final_ln/scale"): torch.zeros(0)},
        r"final_ln/scale is \[0\]",
    ),
    "one in int8": (lambda t: converted(t, "to_logits/kernel", torch.int8), "I8 .*to_logits/kern"),
    "all in int8": (
        lambda t: converted(t, "", torch.int8),
        r"type I8 and no floats: .*, .*, .* and \d+ more",
    ),
    "codec in int8": (lambda t: converted(t, "soundstream", torch.int8), "I8 .*decoder"),
    "eight-bit floats": (lambda t: converted(t, "ffn", torch.float8_e4m3fn), "type F8_E4M3"),
    "truth values": (lambda t: converted(t, "norm/scale", torch.bool), "type BOOL"),
    "one not a number": (
        lambda t: filled(t, KERNEL, float("nan")),
        "not finite: .*cross_attention/.*key",
    ),
    "one infinite": (lambda t: filled(t, "mulan_dequantizer", float("inf")), "not finite"),
    "all not numbers": (
        lambda t: {key: value * float("nan") for key, value in t.items()},
        r"not finite: .*, .*, .* and \d+ more",
    ),
    "codec not a number": (lambda t: filled(t, CODEC_KERNEL, np.nan), "not finite.*decoder_1"),
}  # fmt: skip

ACCEPTED: dict[str, Callable[[Tensors], Tensors]] = {
    "as released": lambda t: t,
    "half precision": lambda t: converted(t, "", torch.float16),
    "bfloat16 and double mixed": lambda t: converted(
        converted(t, "kernel", torch.bfloat16), "scale", torch.float64
    ),
    "another part": lambda t: t | {CODEC_PREFIX + "later": torch.zeros(1)},
}


def sentence(path: Path) -> str:
    with pytest.raises(SegueError) as caught:
        load(path)
    words = str(caught.value)
    assert len(words) < SENTENCE and "\n" not in words and "fetch" in words, words
    assert path.name in words
    return words


@pytest.mark.parametrize("damage", REFUSED)
def test_damage_to_tensors(tensors: Tensors, path: Path, damage: str) -> None:
    spoil, words = REFUSED[damage]
    save_file({key: value.contiguous() for key, value in spoil(tensors).items()}, path)
    told = sentence(path)
    assert re.search(words, told), told


def header(data: bytes) -> tuple[dict[str, object], bytes]:
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def with_header(table: dict[str, object], body: bytes) -> bytes:
    head = json.dumps(table).encode()
    return struct.pack("<Q", len(head)) + head + body


def overlapping(data: bytes) -> bytes:
    table, body = header(data)
    first, second, *_ = (key for key in table if key != "__metadata__")
    table[first]["data_offsets"] = table[second]["data_offsets"]  # type: ignore[index]
    return with_header(table, body)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:5dd1cbc7\nsize 1128840272\n"
BYTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut in the first word": lambda data: data[:5],
    "cut in the header": lambda data: data[:200],
    "cut in the last tensor": lambda data: data[:-3],
    "something behind it": lambda data: data + b"0" * 64,
    "zeros": lambda data: bytes(len(data)),
    "a pointer in its place": lambda data: POINTER,
    "a web page in its place": lambda data: b"<!DOCTYPE html><html>not found</html>" * 40,
    "a pickle in its place": lambda data: b"PK\x03\x04" + data[4:],
    "a header without end": lambda data: struct.pack("<Q", 1 << 62) + data[8:],
    "a header that is no JSON": lambda data: data[:8] + b"[" + data[9:],
    "a header of another kind": lambda data: with_header({"x" * 5000: {"dtype": "Q9"}}, b""),
    "tensors on top of each other": overlapping,
}


@pytest.mark.parametrize("damage", BYTES)
def test_damage_to_bytes(separate: Tensors, path: Path, damage: str) -> None:
    save_file(separate, path)
    path.write_bytes(BYTES[damage](path.read_bytes()))
    assert "damaged or was cut short" in sentence(path)


@pytest.mark.parametrize("kind", ["folder", "link to nowhere", "nothing"])
def test_no_file(path: Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "link to nowhere":
        path.symlink_to(path.with_name("elsewhere"))
    assert "is missing" in sentence(path)


@pytest.mark.parametrize("change", ACCEPTED)
def test_what_loads(tensors: Tensors, path: Path, change: str) -> None:
    changed = ACCEPTED[change](tensors)
    changed.pop(CODEC_PREFIX + "later", None)
    save_file({key: value.contiguous() for key, value in changed.items()}, path)
    model, _ = load(path)
    assert model.decoder_embedding.dtype == torch.float32


def test_either_layout_is_the_same_network(separate: Tensors, tmp_path: Path) -> None:
    models = []
    for name, tensors in (("separate", separate), ("fused", fused(separate))):
        save_file(tensors, tmp_path / f"{name}.safetensors")
        models.append(load_depthformer(tmp_path / f"{name}.safetensors", TINY))
    assert len(fused(separate)) == len(separate) - 2 * (2 + 1) - 2
    tokens = torch.from_numpy(6 + 1024 * np.arange(12) + np.arange(36).reshape(3, 12))
    conditions = torch.full((3, 144), 7)
    one, other = (model(tokens, conditions) for model in models)
    assert torch.equal(one, other)
