"""Takeover: an engine of this machine plays on where the line to one elsewhere is dead.

It is loaded beside the inference thread as soon as the line stutters for longer than is usual, and
goes on from the sound that was planned last. It takes over only when the plan is about to run dry.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from app.inference.planner import Planner
from app.inference.stems import StemFill, switch_stems
from models.engine.interface import Audio, Engine, Snapshot
from models.errors import SegueError

LOAD_SECONDS: Final = 1.0
"""Time without a block after which the engine is loaded."""
DEAD_SECONDS: Final = 4.0
"""Time without a block after which a line is dead."""
LEFT_SECONDS: Final = 0.7
"""Plan that is left when the engine takes over."""
CONTEXT_SECONDS: Final = 10.0
"""Sound that it goes on from."""
MIN_CONTEXT_SECONDS: Final = 2.0


class Takeover:
    """Takeover, once. In the inference thread, but for the loading.

    Args:
        open_engine: opens the engine of this machine; None where none is named.
        report: takes level and sentence, from any thread.

    """

    def __init__(
        self, open_engine: Callable[[], Engine] | None, report: Callable[[str, str], object]
    ) -> None:
        self._open_engine, self._report = open_engine, report
        self._thread: threading.Thread | None = None
        self._loaded: tuple[Engine, Snapshot | None] | None = None

    def step(self, planner: Planner) -> tuple[Engine, Snapshot | None] | None:
        """The engine, and the place in its music to begin from, where it is to play from now on."""
        if self._open_engine is None or not planner.info.remote:
            return None
        waited = planner.source.pending_seconds
        if self._thread is None and waited > LOAD_SECONDS:
            heard = _planned_sound(planner)
            self._thread = threading.Thread(
                target=self._load, args=(self._open_engine, heard, planner), name="takeover",
                daemon=True,
            )  # fmt: skip
            self._thread.start()
        dry = planner.depth < LEFT_SECONDS * planner.rate
        if self._loaded is None or waited < DEAD_SECONDS or not dry:
            return None
        loaded, self._loaded, self._open_engine = self._loaded, None, None
        engine = loaded[0].info.name
        self._report(
            "warning",
            f"{planner.info.name} has been silent for {waited:.0f} s: {engine} of this machine "
            "plays on. It stays until Segue starts anew.",
        )
        return loaded

    def end(self) -> None:
        """Wait for the thread, and close what was loaded for nothing."""
        if self._thread is not None:
            self._thread.join()
        if self._loaded is not None:
            self._loaded[0].close()
            self._loaded = None

    def _load(
        self, open_engine: Callable[[], Engine], heard: Audio | None, planner: Planner
    ) -> None:
        try:
            engine = open_engine()
        except Exception as error:  # an engine may fail in any way while it loads
            reason = str(error) if isinstance(error, SegueError) else repr(error)
            self._report("warning", f"no engine of this machine can take over: {reason}")
            return
        place: Snapshot | None = None
        if heard is not None and engine.info.continues_audio:
            try:
                place = engine.snapshot_after(heard, planner.rate, planner.source.seed)
            except Exception as error:  # it then begins a piece of its own
                self._report("warning", f"{engine.info.name} begins afresh ({error}).")
        self._loaded = engine, place


def take_over(old: Planner, new: Planner, place: Snapshot | None) -> StemFill | None:
    """Let a planner go on where another one was: its controls, what it listens to, its place.

    Returns what stems are to be filled in, where they were on.
    """
    new.accompany, new.hearing = old.accompany, old.hearing
    if place is not None:
        new.stream.restore(place)
    request = old.request
    same = old.source.engine.weights_identity == new.source.engine.weights_identity
    fits = same and old.info.style_dim == new.info.style_dim
    controls = request.controls if fits else request.controls.with_(style=None)
    new.submit(controls, request.prompts)
    threading.Thread(target=old.source.engine.close, name="closing", daemon=True).start()
    stems = old.source.stems.on
    return switch_stems(new.source.stems, new.plan, new.ring, True) if stems else None


def _planned_sound(planner: Planner) -> Audio | None:
    """The end of what is planned, float32 (n, 2); None where there is too little."""
    ring, rate = planner.ring, planner.rate
    frames = min(round(CONTEXT_SECONDS * rate), ring.end, ring.capacity)
    if frames < MIN_CONTEXT_SECONDS * rate:
        return None
    sound: Audio = ring.copy(ring.end - frames, ring.end)[:, :2]
    return sound
