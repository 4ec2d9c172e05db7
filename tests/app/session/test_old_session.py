"""Sessions that Segue 0.1 saved, before modules and classes were renamed, open and play on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.parameters.catalogue import build_registry
from app.session import moments_file, storage
from app.session.document import Document
from models.engine.controls import Controls
from models.registry import open_engine
from models.segue.engine import StreamState
from models.storage.serialisation import PackedState, classes_of, pack, unpack

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


def test_the_state_is_the_same_under_the_new_names(packed: PackedState) -> None:
    """Packed again, arrays are equal to the bit, and the tree differs in class names only."""
    state = unpack(packed.tree, packed.arrays, classes_of(StreamState))
    assert isinstance(state, StreamState)
    tree, arrays = pack(state)
    assert len(arrays) == len(packed.arrays)
    for ours, theirs in zip(arrays, packed.arrays, strict=True):
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f")
    old = packed.tree
    for before, now in (("Cache", "KeyValueCache"), ("PlayerState", "DecodingState")):
        assert f'"class":"{before}"' in old
        old = old.replace(f'"class":"{before}"', f'"class":"{now}"')
    assert tree == old.replace('"class":"Note"', '"class":"SoundingNote"')


def test_the_music_goes_on_from_it(packed: PackedState) -> None:
    """Twice from the same moment gives the same samples, and they are music."""
    engine = open_engine("segue", "cpu")
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
