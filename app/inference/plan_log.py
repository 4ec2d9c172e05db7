"""What is noted and reported of the plan: performance, render log and listener.

Used by the planner in the inference thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.audio.past.render_log import RenderedFrom, RenderLog, remembered
from app.audio.splice import WriteResult
from app.inference.messages import (
    BlockReport,
    ClearTask,
    ControlTask,
    MomentTask,
    PlannerListener,
    RewriteTask,
    TimelineMark,
)
from app.inference.plan import RenderedBlock
from app.performance.log import PerformanceLog
from models.engine.interface import Engine
from models.engine.prompts import Prompt


@dataclass(frozen=True)
class PlanLog:
    """Logs of a plan, and the listener that is told of it."""

    listener: PlannerListener
    performance: PerformanceLog
    renders: RenderLog

    def begin(self, engine: Engine, seed: int, position: int) -> None:
        """Note that a fresh stream begins at a plan position, in frames."""
        self.performance.begin(engine.info.name, seed, position, engine.weights_identity)

    def block(
        self, rendered: RenderedBlock, result: WriteResult, prompts: Sequence[Prompt], read: int
    ) -> None:
        """Note a block that is in the ring now.

        Args:
            rendered: the block.
            result: how it was joined.
            prompts: those that its style was mixed from.
            read: the reader's plan position.

        """
        block, controls, renders = rendered.block, rendered.controls, self.renders
        if renders.on and renders.engine is not None:
            known = remembered(block.hearing, controls)
            origin = RenderedFrom(controls, known, block.snapshot, rendered.after, rendered.renders)
            renders.put(block.position, block.frames, block.skip, origin, result, read)
        task = rendered.task
        moment = task if isinstance(task, MomentTask) else MomentTask(None)
        self.performance.put(
            block.position, block.frames, controls, prompts,
            clear=isinstance(task, ClearTask), moment=moment.origin,
            continue_from=moment.continue_from, heard=block.heard,
        )  # fmt: skip

    def report(self, rendered: RenderedBlock, join: int, rewritten: bool) -> None:
        """Tell of a block, which sounds from `join` on. rewritten: it replaced another one."""
        block = rendered.block
        self.listener.block(
            BlockReport(
                block.position, rendered.frames[:, :2], block.score, rewritten,
                rendered.controls, block.position - block.skip, join,
            )
        )  # fmt: skip

    def finished(self, task: RewriteTask, join: int) -> None:
        """Tell of a rewrite that sounds from `join` on."""
        self.listener.rewritten(join)
        if task.text or not isinstance(task, ControlTask):
            self.mark(join, task.kind, task.text)

    def mark(self, position: int, kind: str = ControlTask.kind, text: str = "") -> None:
        """Tell of an event at a plan position."""
        self.listener.mark(TimelineMark(position, kind, text))
