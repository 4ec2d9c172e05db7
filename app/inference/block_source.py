"""Source of the plan's blocks: the engine's stream, and its recovery when it fails.

A block that is not valid never reaches the plan: the stream goes back and tries again, more
drastically with each failure in a row (`health.Recovery`). The planner decides what that means for
the plan.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.inference.health import BlockWatch, Recovery, RecoveryAction, RenderTimes
from app.inference.messages import PlannerListener
from app.inference.stems import StemRenderer
from models.engine.controls import Controls
from models.engine.interface import Audio, Engine, Snapshot, Stream
from models.errors import BlockPendingError, PlaceLostError, SegueError

PENDING_SECONDS: Final = 0.005
"""Pause before a block that has not come is asked for again."""


class BlockSource:
    """Stream of an engine with error recovery. Not safe to call from two threads at once.

    last_good: the last controls that gave a valid block. times: how long blocks took.
    """

    def __init__(
        self, engine: Engine, seed: int, listener: PlannerListener, clock: Callable[[], float]
    ) -> None:
        self.engine, self.info, self.seed = engine, engine.info, seed
        self.listener, self.clock = listener, clock
        self.stream: Stream = engine.start(seed)
        self.stems = StemRenderer(self.info)
        self.watch = BlockWatch(self.info)
        self.recovery = Recovery()
        self.times = RenderTimes(self.info.block_seconds, remote=self.info.remote)
        self.last_good = Controls()
        self.wait_until = 0.0
        self._pending_since: float | None = None
        self.refused = self.lost = self.silent = self.pending = False

    @property
    def pending_seconds(self) -> float:
        """Time for which a block has been waited for, 0.0 where none is."""
        return 0.0 if self._pending_since is None else self.clock() - self._pending_since

    def restart(self, seed: int) -> None:
        """Start a fresh stream."""
        self.seed = seed
        self.stream = self.engine.start(seed)

    def render(
        self, controls: Controls, snapshot: Snapshot, earlier: Callable[[], Snapshot | None]
    ) -> Audio | None:
        """A valid block; or None, and the stream is where the next attempt may succeed.

        While stems are on, they lie beside the mix (`StemRenderer.beside`).

        After None, `pending`: the block of an engine elsewhere has not come yet; `refused`: the
        controls do not fit this engine (`last_good` does); `lost`: the context was given up;
        `silent`: it failed by silence.

        Args:
            controls: of the block.
            snapshot: the stream as it is now.
            earlier: gives a snapshot of the past to go back to, if there is any.

        """
        self.refused = self.lost = self.silent = self.pending = False
        fault: str | None
        here = self.stream.snapshot()
        try:
            block = self.stream.render(controls)
            fault = self.watch.fault(block, controls)
            if fault is None:
                block = self.stems.beside(block, self.stream, here)
        except BlockPendingError:
            self.stream.restore(here)
            now = self.clock()
            self.pending = True
            self._pending_since = now if self._pending_since is None else self._pending_since
            self.wait_until = now + PENDING_SECONDS
            self._tell()
            return None
        except PlaceLostError as error:
            self.lost = True
            self._tell()
            self.listener.incident("warning", str(error))
            return None
        except SegueError as error:
            fault = str(error)
            if controls != self.last_good:
                self.listener.incident("error", f"{error} The last controls that worked go on.")
                self.refused = True
                self.stream.restore(snapshot)
                return None
        except Exception as error:  # whatever an engine may raise, the music goes on
            fault = f"the engine failed ({type(error).__name__}: {error})"
        self._pending_since = None
        if fault is None:
            self.last_good = controls
            self._tell()
            return block
        self._recover(snapshot, fault, earlier)
        return None

    def _tell(self) -> None:
        """Pass on what the engine has to say."""
        for level, sentence in self.engine.notices():
            self.listener.incident(level, sentence)

    def succeeded(self) -> bool:
        """Note a valid block; True where attempts before it had failed."""
        recovered = self.recovery.succeeded() > 0
        if recovered:
            self.listener.incident("info", "the engine is back: the music goes on.")
        return recovered

    def _recover(
        self, snapshot: Snapshot, fault: str, earlier: Callable[[], Snapshot | None]
    ) -> None:
        self.silent = fault.endswith("silent")
        action = self.recovery.failed(silent=self.silent)
        if self.recovery.failures in (1, 3, 5):
            level = "error" if action is RecoveryAction.WAIT else "warning"
            self.listener.incident(level, f"{fault.rstrip('.')}: {action.value}.")
        try:
            self.stream.restore(snapshot)
            if action is RecoveryAction.AGAIN:
                return
            self.lost = True
            back = earlier() if action is RecoveryAction.BACK else None
            if back is not None:
                self.stream.restore(back)
            elif action in (RecoveryAction.BACK, RecoveryAction.CLEAR):
                self.stream.clear()
            elif action is RecoveryAction.RESTART:
                self.restart(self.seed + 1)
            else:
                self.wait_until = self.clock() + self.recovery.wait_seconds()
        except Exception as error:
            self.lost = False
            self.listener.incident("error", f"the engine did not recover: {error}.")
            self.wait_until = self.clock() + self.recovery.wait_seconds()
