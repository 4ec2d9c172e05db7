"""The collector while music plays (app/processor.py)."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from app.processor import tidy


class Cycle:
    """Garbage that only the collector can find."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def passed_over() -> Iterator[weakref.ref[Cycle]]:
    """Garbage that was in use when the collector was told to pass over what there is."""
    cycle = Cycle()
    seen = weakref.ref(cycle)
    tidy(playing=True)
    del cycle
    yield seen
    gc.unfreeze()
    gc.collect()


def test_a_full_collection_passes_over_what_there_was(passed_over: weakref.ref[Cycle]) -> None:
    gc.collect()
    assert passed_over() is not None


@pytest.mark.parametrize(("playing", "left"), [(True, True), (False, False)])
def test_all_is_looked_through_while_nothing_plays(
    passed_over: weakref.ref[Cycle], playing: bool, left: bool
) -> None:
    tidy(playing, thorough=True)
    assert (passed_over() is not None) is left
