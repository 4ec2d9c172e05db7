"""The collector while music plays (app/inference/runtime.py)."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from app.inference import runtime as processor
from app.inference.runtime import collect_garbage, gc_paused


class Cycle:
    """Garbage that only the collector can find."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def passed_over(monkeypatch: pytest.MonkeyPatch) -> Iterator[weakref.ref[Cycle]]:
    """Garbage that was in use when the collector was told to pass over what there is."""
    monkeypatch.setattr(processor, "_collection_due", False)
    cycle = Cycle()
    seen = weakref.ref(cycle)
    collect_garbage(playing=True)
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
    collect_garbage(playing, thorough=True)
    assert (passed_over() is not None) is left


def test_what_was_due_while_music_played_is_done_when_it_rests(
    passed_over: weakref.ref[Cycle],
) -> None:
    collect_garbage(playing=False)
    assert passed_over() is not None, "not due"
    collect_garbage(playing=True, thorough=True)
    collect_garbage(playing=True)
    assert passed_over() is not None
    collect_garbage(playing=False)
    assert passed_over() is None


def test_nothing_is_collected_while_an_engine_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "_collection_due", False)
    with gc_paused():
        assert not gc.isenabled()
        cycle = Cycle()
        seen = weakref.ref(cycle)
        del cycle
    assert gc.isenabled()
    gc.collect()
    assert seen() is not None, "put by with what was loaded"
    collect_garbage(playing=True)
    assert seen() is not None
    collect_garbage(playing=False)
    assert seen() is None, "the first look while nothing plays goes through it"
    gc.unfreeze()


def test_the_oldest_objects_are_left_to_the_schedule() -> None:
    """Going through them stops every thread for longer than a knob may take."""
    before = gc.get_threshold()
    try:
        with gc_paused():
            pass
        kept: list[list[int]] = []
        full = gc.get_stats()[2]["collections"]
        for _ in range(100_000):
            kept.append([])
        assert gc.get_stats()[2]["collections"] == full
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def test_an_engine_that_does_not_load_leaves_the_collector_on() -> None:
    with pytest.raises(OSError), gc_paused():
        raise OSError
    assert gc.isenabled()
    gc.unfreeze()
