"""Serialisation of snapshots: by tables, and bit for bit with the embedded engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from models import Controls, Engine, open_engine
from models.errors import SegueError
from models.storage.serialisation import PackedState, classes_of, pack, unpack
from models.storage.weights import identity, playing_files, write_manifest


@dataclass(frozen=True)
class Leaf:
    value: Any


class Pair(NamedTuple):
    left: Leaf | None
    right: tuple[Leaf, ...]


@dataclass(frozen=True)
class Root:
    pair: Pair
    more: dict[str, Leaf]


VALUES: dict[str, Any] = {
    "nothing": None,
    "true": True,
    "a large whole number": 2**70,
    "a float that has no short decimal": 0.1 + 0.2,
    "minus nothing": -0.0,
    "infinite": float("inf"),
    "words": "lööp \n \x00",
    "bytes": bytes(range(256)),
    "no bytes": b"",
    "a set of words": frozenset({"drums", "bass"}),
    "a list of tuples": [(1, 2.5), (), ("x", None)],
    "a dictionary": {"a": (1,), "class": "not one"},
}


@pytest.mark.parametrize("name", VALUES)
def test_plain_values_come_back(name: str) -> None:
    found = unpack(*pack(VALUES[name]), {})
    # As text too: 1 is no True, and -0.0 no 0.0. A set's order is that of the process' hashes.
    same = (
        found == VALUES[name] if isinstance(found, frozenset) else repr(found) == repr(VALUES[name])
    )
    assert same and type(found) is type(VALUES[name])


ARRAYS = {
    "floats": np.linspace(-1, 1, 7, dtype=np.float32).reshape(7, 1),
    "not a number": np.array([np.nan, -np.inf, -0.0]),
    "complex": (np.arange(6) * (1 + 2j)).astype(np.complex64).reshape(2, 3),
    "turned": np.arange(6, dtype=np.uint8).reshape(2, 3).T,
    "none": np.zeros((0, 4), np.int16),
    "of no dimension": np.array(3.5),
    "bool": np.array([True, False]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back_bit_for_bit(name: str) -> None:
    array = ARRAYS[name]
    tree, arrays = pack((array, array))
    assert len(arrays) == 1, "what is there twice is copies once"
    found = unpack(tree, arrays, {})[0]
    assert found.dtype == array.dtype and found.shape == array.shape
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16", "int64", "bool", "uint8"])
def test_tensors_come_back_bit_for_bit(kind: str) -> None:
    tensor = torch.tensor([[0.0, 1.0, 3.1415927, 1e-3]]).to(getattr(torch, kind))
    found = unpack(*pack(Leaf(tensor)), {"Leaf": Leaf}).value
    assert found.dtype == tensor.dtype and found.shape == tensor.shape
    assert torch.equal(found, tensor)


def test_tensors_go_where_they_are_wanted() -> None:
    """The arranger stays on the CPU, whatever plays the rest. "meta" is a device without memory."""
    found = unpack(
        *pack(Pair(Leaf(torch.ones(3)), (Leaf(torch.ones(2)),))),
        {"Pair": Pair, "Leaf": Leaf},
        {"right": "meta"},
    )
    assert found.left.value.device.type == "cpu" and found.right[0].value.device.type == "meta"


def test_numbers_of_numpy_stay_so() -> None:
    """0.1 in single precision is another number in the next sum."""
    found = unpack(*pack((np.float32(0.1), np.float64(0.1), np.int16(3))), {})
    assert [type(value) for value in found] == [np.float32, np.float64, np.int16]


def test_classes_are_found_by_what_is_declared_and_no_others_are_made() -> None:
    classes = classes_of(Root)
    assert classes == {"Root": Root, "Pair": Pair, "Leaf": Leaf}
    root = Root(Pair(None, (Leaf(1), Leaf("x"))), {"a": Leaf(2.5)})
    tree, arrays = pack(root)
    assert unpack(tree, arrays, classes) == root
    with pytest.raises(SegueError, match="another version of Segue"):
        unpack(tree, arrays, {"Root": Root, "Pair": Pair})
    with pytest.raises(TypeError, match="cannot be packed"):
        pack(Leaf(object()))


@pytest.mark.parametrize(
    "tree",
    [
        "{",
        '{"array": 0}',
        '{"array": 0, "dtype": "float32"}',
        '{"tensor": 0, "dtype": "nn"}',
        '{"bytes": "!"}',
        '{"class": "Leaf", "fields": {"other": 1}}',
        '{"class": "Leaf", "fields": 3}',
        '{"what": 1}',
    ],
)
def test_a_tree_that_makes_no_sense_is_refused(tree: str) -> None:
    with pytest.raises(SegueError, match="another version of Segue"):
        unpack(tree, (), {"Leaf": Leaf})


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    opened = open_engine("segue", "cpu")
    yield opened
    opened.close()


def test_a_packed_snapshot_of_the_embedded_engine_gives_bit_identical_blocks(
    engine: Engine,
) -> None:
    stream = engine.start(11)
    first = Controls(style=engine.embed_text("jazz trio"), notes=(60, 64, 67), bpm=132.0)
    for _ in range(40):  # until the context is full
        stream.render(first)
    packed = engine.pack(stream.snapshot())
    assert packed is not None and packed.nbytes < 1_200_000
    then = replace(first, notes=(), density=0.8, brightness=0.3, style=engine.embed_text("techno"))
    expected = [stream.render(first), stream.render(then), stream.render(then)]
    copies = PackedState(
        packed.engine, packed.weights, packed.tree, tuple(array.copy() for array in packed.arrays)
    )
    again = engine.start(0)
    again.render(then)
    again.restore(engine.unpack(copies))
    found = [again.render(first), again.render(then), again.render(then)]
    for index, (one, other) in enumerate(zip(expected, found, strict=True)):
        assert np.array_equal(one, other), f"block {index} differs"


def test_a_fresh_and_a_cleared_stream_can_be_packed(engine: Engine) -> None:
    stream = engine.start(5)
    for _ in range(2):
        packed = engine.pack(stream.snapshot())
        assert packed is not None
        expected = stream.render(Controls())
        other = engine.start(1)
        other.restore(engine.unpack(packed))
        assert np.array_equal(other.render(Controls()), expected)
        stream.clear()


def test_snapshots_of_other_weights_and_of_other_engines_are_refused(engine: Engine) -> None:
    packed = engine.pack(engine.start(1).snapshot())
    assert packed is not None
    for other in (replace(packed, weights="0" * 64), replace(packed, engine="other")):
        with pytest.raises(SegueError, match="other weights"):
            engine.unpack(other)
    for damaged in (replace(packed, tree="3"), replace(packed, arrays=packed.arrays[:-1])):
        with pytest.raises(SegueError, match="another version"):
            engine.unpack(damaged)
    with pytest.raises(SegueError, match="another engine"):
        engine.pack(3)


def test_what_hears_and_teaches_does_not_change_how_a_performance_sounds(tmp_path: Path) -> None:
    """Or old performances would say that they were played with other weights."""
    names = ("arranger.safetensors", "codec.safetensors", "minilm-tokenizer.json")
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    before = identity(playing_files(tmp_path), tmp_path)
    for name in ("ears.safetensors", "beatnet.safetensors", "notes.safetensors"):
        (tmp_path / name).write_bytes(b"new")
        assert identity(playing_files(tmp_path), tmp_path) == before, name
    (tmp_path / "codec.safetensors").write_bytes(b"trained again")
    assert identity(playing_files(tmp_path), tmp_path) != before
    assert set(playing_files()) >= set(names), "all that plays is among them"


def test_the_checksum_of_weights(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    both = identity(("b", "a"), tmp_path)
    assert both == identity(("a", "b"), tmp_path) != identity(("a",), tmp_path)
    write_manifest("x", ("a", "b"), tmp_path)
    assert identity(("a", "b"), tmp_path) == both, "the manifest tells the same without reading"
    (tmp_path / "b").write_bytes(b"trained again")
    write_manifest("x", ("a", "b"), tmp_path)
    assert identity(("a", "b"), tmp_path) != both
    with pytest.raises(SegueError, match="cannot be read"):
        identity(("c",), tmp_path)
