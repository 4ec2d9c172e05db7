"""Takeover: an engine of this machine plays on where the line to one elsewhere is dead.

It is loaded beside the inference thread at the start, as loading may take longer than the plan
lasts. When the line stutters for longer than is usual it listens to the sound that was planned
last, to go on from there, and takes over only when the plan is about to run dry.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from app.inference.planner import Planner
from app.inference.stems import StemFill, switch_stems
from models.engine.interface import Audio, Engine, Snapshot
from models.errors import SegueError

LISTEN_SECONDS: Final = 1.0
"""Time without a block after which the engine listens."""
DEAD_SECONDS: Final = 4.0
"""Time without a block after which a line is dead."""
PATIENCE_SECONDS: Final = 8.0
"""Time without a block after which it begins afresh where it still listens."""
LEFT_SECONDS: Final = 0.7
"""Plan that is left when the engine takes over."""
CONTEXT_SECONDS: Final = 10.0
"""Sound that it goes on from."""
MIN_CONTEXT_SECONDS: Final = 2.0
STILL_LOADING: Final = (
    "{name} is silent, and the engine of this machine that takes over is still loading: it plays "
    "on as soon as it is ready."
)


class Takeover:
    """Takeover, once. In the inference thread, but for loading and listening.

    Args:
        open_engine: opens the engine of this machine; None where none is named.
        report: takes level and sentence, from any thread.

    """

    def __init__(
        self, open_engine: Callable[[], Engine] | None, report: Callable[[str, str], object]
    ) -> None:
        self._open_engine, self._report = open_engine, report
        self._loading: threading.Thread | None = None
        self._listening: threading.Thread | None = None
        self._engine: Engine | None = None
        self._place: Snapshot | None = None
        self._told = False

    def step(self, planner: Planner) -> tuple[Engine, Snapshot | None] | None:
        """The engine, and the place in its music to begin from, where it is to play from now on."""
        if self._open_engine is None or not planner.info.remote:
            return None
        if self._loading is None:
            self._loading = _started(self._load, self._open_engine)
        engine, waited = self._engine, planner.source.pending_seconds
        if engine is None:
            if waited > DEAD_SECONDS and self._loading.is_alive() and not self._told:
                self._told = True
                self._report("warning", STILL_LOADING.format(name=planner.info.name))
            return None
        if waited <= LISTEN_SECONDS:
            if self._listening is not None and not self._listening.is_alive():
                self._listening = self._place = None  # the line was back: that sound is over
            return None
        late = waited > PATIENCE_SECONDS
        if self._listening is None and not late:
            heard = _planned_sound(planner) if engine.info.continues_audio else None
            rate, seed = planner.rate, planner.source.seed
            self._listening = _started(self._listen, engine, heard, rate, seed)
        ready = late or self._listening is None or not self._listening.is_alive()
        dry = planner.depth < LEFT_SECONDS * planner.rate
        if not ready or not dry or waited < DEAD_SECONDS:
            return None
        self._report(
            "warning",
            f"{planner.info.name} has been silent for {waited:.0f} s: {engine.info.name} of this "
            "machine plays on. It stays until Segue starts anew.",
        )
        place, self._engine, self._open_engine = self._place, None, None
        return engine, place

    def end(self) -> None:
        """Wait for the threads, and close what was loaded for nothing."""
        for thread in (self._loading, self._listening):
            if thread is not None:
                thread.join()
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _load(self, open_engine: Callable[[], Engine]) -> None:
        try:
            self._engine = open_engine()
        except Exception as error:  # an engine may fail in any way while it loads
            reason = str(error) if isinstance(error, SegueError) else repr(error)
            self._report("warning", f"no engine of this machine can take over: {reason}")

    def _listen(self, engine: Engine, heard: Audio | None, rate: int, seed: int) -> None:
        if heard is None:
            return
        try:
            self._place = engine.snapshot_after(heard, rate, seed)
        except Exception as error:  # it then begins a piece of its own
            self._report("warning", f"{engine.info.name} begins afresh ({error}).")


def _started(work: Callable[..., None], *words: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=words, name="takeover", daemon=True)
    thread.start()
    return thread


def take_over(
    old: Planner,
    begin: Callable[[Engine, int], Planner],
    engine: Engine,
    place: Snapshot | None,
    report: Callable[[str, str], object],
) -> tuple[Planner, StemFill | None]:
    """Let an engine go on where a planner was, from a place in its music.

    Whatever fails on the way is told and never ends the music: without a planner of its own the old
    one goes on, and what else does not fit is left out.

    Args:
        old: the planner that waits for a dead line.
        begin: makes the planner of an engine with a seed.
        engine: of this machine.
        place: None for a new piece.
        report: takes level and sentence.

    Returns:
        The planner that plays from now on, and what stems are to be filled in.

    """
    try:
        new = begin(engine, old.source.seed)
    except Exception as error:  # an engine may fail in any way
        report("error", f"{engine.info.name} could not take over ({error!r}): the line is awaited.")
        return old, None
    threading.Thread(target=old.source.engine.close, name="closing", daemon=True).start()
    new.accompany, new.hearing = old.accompany, old.hearing
    filling = carry_on_stems(old, new)
    try:
        if place is not None:
            new.stream.restore(place)
    except Exception as error:
        report("warning", f"{engine.info.name} begins afresh ({error}).")
    request = old.request
    same = old.source.engine.weights_identity == new.source.engine.weights_identity
    fits = same and old.info.style_dim == new.info.style_dim
    new.submit(request.controls if fits else request.controls.with_(style=None), request.prompts)
    return new, filling


def carry_on_stems(old: Planner, new: Planner) -> StemFill | None:
    """Keep stems on for those who want them; what is to be filled in.

    Where the parts are the same, those that are planned stay: nobody hears a gap.
    """
    before, stems = old.source.stems, new.source.stems
    if before.on and before.parts == stems.parts:
        stems.users, stems.on = set(before.users), True
        new.ring.adopt(old.ring)
        return None
    filling: StemFill | None = None
    for user in sorted(before.users):
        filling = switch_stems(stems, new.plan, new.ring, True, user, filling)
    return filling


def _planned_sound(planner: Planner) -> Audio | None:
    """The end of what is planned, float32 (n, 2); None where there is too little."""
    ring, rate = planner.ring, planner.rate
    frames = min(round(CONTEXT_SECONDS * rate), ring.end, ring.capacity)
    if frames < MIN_CONTEXT_SECONDS * rate:
        return None
    sound: Audio = ring.copy(ring.end - frames, ring.end)[:, :2]
    return sound
