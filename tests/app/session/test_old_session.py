"""Sessions that Segue 0.1 saved, before modules and classes were renamed, open and play on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from app.parameters.catalogue import build_registry
from app.session import moments_file, storage
from app.session.document import Document
from models.engine.controls import Controls
from models.registry import open_engine
from models.segue.diffusion_engine import StreamState
from models.storage.serialisation import RENAMED, Array, PackedState, classes_of, pack, unpack

Arrays: TypeAlias = tuple[Array, ...]

SESSION = Path(__file__).resolve().parents[2] / "fixtures" / "before_the_house.segue.json"
KEY = "moment-0f1c0ffee123"


@pytest.fixture(scope="module")
def packed() -> PackedState:
    """The moment that the session keeps."""
    moment = moments_file.read(moments_file.path_for(SESSION), [KEY])[KEY]
    assert moment.packed is not None
    return moment.packed


def test_the_session_opens_with_its_scene() -> None:
    document = storage.load(SESSION, build_registry())
    assert isinstance(document, Document)
    assert document.moments == {KEY}


def assert_kept(old: Any, new: Any, arrays: tuple[Arrays, Arrays]) -> None:
    """Every value of the old tree stands in the new one, under the class's present name."""
    if isinstance(old, dict) and "class" in old:
        assert new["class"] in (old["class"], RENAMED.get(old["class"]))
        assert set(old["fields"]) <= set(new["fields"])  # fields that came later have defaults
        for name, value in old["fields"].items():
            assert_kept(value, new["fields"][name], arrays)
    elif isinstance(old, dict) and (kind := next(iter(old))) in ("array", "tensor", "scalar"):
        before, after = arrays[0][old[kind]], arrays[1][new[kind]]
        assert old["dtype"] == new["dtype"] and before.dtype == after.dtype
        assert np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
    elif isinstance(old, dict):
        assert set(old) == set(new)
        for name, value in old.items():
            assert_kept(value, new[name], arrays)
    elif isinstance(old, list):
        assert len(old) == len(new)
        for one, other in zip(old, new, strict=True):
            assert_kept(one, other, arrays)
    else:
        assert old == new


def test_the_state_is_the_same_under_the_new_names(packed: PackedState) -> None:
    """Unpacked and packed again, nothing of it is lost, to the bit."""
    state = unpack(packed.tree, packed.arrays, classes_of(StreamState))
    assert isinstance(state, StreamState)
    tree, arrays = pack(state)
    assert_kept(json.loads(packed.tree), json.loads(tree), (packed.arrays, arrays))
    assert '"class":"PlayerState"' in packed.tree and '"class":"DecodingState"' in tree


def test_the_music_goes_on_from_it(packed: PackedState) -> None:
    """Twice from the same moment gives the same samples, and they are music."""
    engine = open_engine("segue-diffusion", "cpu")
    state = unpack(packed.tree, packed.arrays, classes_of(StreamState))
    controls = Controls(bpm=124.0)
    takes = []
    for seed in (1, 2):  # the moment brings its own seed
        stream = engine.start(seed)
        stream.restore(state)
        takes.append(np.concatenate([stream.render(controls) for _ in range(4)]))
    engine.close()
    assert np.array_equal(takes[0], takes[1])
    assert np.sqrt(np.mean(takes[0] ** 2)) > 0.01
