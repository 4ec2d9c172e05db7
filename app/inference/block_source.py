"""Where the plan's blocks come from: the engine's stream, and a way back when it fails. Inference
lane. No Qt, no torch.

A block that cannot be used is never heard: the stream goes back and tries again, more drastically
with each failure in a row (`plan_watch.Recovery`). What that means for the plan, the planner
decides.
"""

from __future__ import annotations

from collections.abc import Callable

from app.inference.health import BlockWatch, Recovery, RecoveryAction, RenderTimes
from app.inference.messages import PlannerListener
from models.engine.controls import Controls
from models.engine.interface import Audio, Engine, Snapshot, Stream
from models.errors import SegueError


class BlockSource:
    """One stream of an engine. Not safe to call from two threads at once.

    works: the last controls that gave a good block. times: how long blocks took.
    """

    def __init__(
        self, engine: Engine, seed: int, listener: PlannerListener, clock: Callable[[], float]
    ) -> None:
        self.engine, self.info, self.seed = engine, engine.info, seed
        self.listener, self.clock = listener, clock
        self.stream: Stream = engine.start(seed)
        self.watch = BlockWatch(self.info)
        self.recovery = Recovery()
        self.times = RenderTimes(self.info.block_seconds)
        self.works = Controls()
        self.wait_until = 0.0
        self.refused = self.lost = self.silent = False

    def restart(self, seed: int) -> None:
        """A fresh stream."""
        self.seed = seed
        self.stream = self.engine.start(seed)

    def block(
        self, controls: Controls, moment: Snapshot, earlier: Callable[[], Snapshot | None]
    ) -> Audio | None:
        """A good block; or None, and the stream is where the next attempt may succeed.

        moment: where the stream is now. earlier: a moment of the past to go back to, if any. After
        None, refused: the controls do not fit this engine (those that `works` holds do); lost: the
        place in the music was given up; silent: it failed by silence.
        """
        self.refused = self.lost = self.silent = False
        fault: str | None
        try:
            block = self.stream.render(controls)
            fault = self.watch.fault(block, controls)
        except SegueError as error:
            fault = str(error)
            if controls != self.works:
                self.listener.incident("error", f"{error} The last controls that worked go on.")
                self.refused = True
                self.stream.restore(moment)
                return None
        except Exception as error:  # whatever an engine may raise, the music goes on
            fault = f"the engine failed ({type(error).__name__}: {error})"
        if fault is None:
            self.works = controls
            return block
        self._recover(moment, fault, earlier)
        return None

    def worked(self) -> bool:
        """A block came out well; True where attempts before it had failed."""
        failed = self.recovery.worked()
        if failed:
            self.listener.incident("info", "the engine is back: the music goes on.")
        return bool(failed)

    def _recover(
        self, moment: Snapshot, fault: str, earlier: Callable[[], Snapshot | None]
    ) -> None:
        self.silent = fault.endswith("silent")
        remedy = self.recovery.failed(silent=self.silent)
        if self.recovery.failures in (1, 3, 5):
            level = "error" if remedy is RecoveryAction.WAIT else "warning"
            self.listener.incident(level, f"{fault.rstrip('.')}: {remedy.value}.")
        try:
            self.stream.restore(moment)
            if remedy is RecoveryAction.AGAIN:
                return
            self.lost = True
            back = earlier() if remedy is RecoveryAction.BACK else None
            if back is not None:
                self.stream.restore(back)
            elif remedy in (RecoveryAction.BACK, RecoveryAction.CLEAR):
                self.stream.clear()
            elif remedy is RecoveryAction.RESTART:
                self.restart(self.seed + 1)
            else:
                self.wait_until = self.clock() + self.recovery.wait_seconds()
        except Exception as error:
            self.lost = False
            self.listener.incident("error", f"the engine did not recover: {error}.")
            self.wait_until = self.clock() + self.recovery.wait_seconds()
