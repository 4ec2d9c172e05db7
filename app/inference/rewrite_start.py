"""What a rewrite of the plan is for, and where it begins. Pure logic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from app.inference.messages import (
    ClearTask,
    ControlTask,
    HeldLoop,
    HoldTask,
    MomentTask,
    RecoverTask,
    RewriteTask,
)
from app.inference.plan import BlockPlan, RewriteTarget
from app.performance.moment import Moment
from models.engine.interface import Snapshot, Stream

MAX_ATTEMPTS: Final = 3
"""Rewrites that may come too late before new controls go to the plan's end."""
MAX_TOGETHER, MAX_TOGETHER_REMOTE = 2, 6
"""Blocks of which one is made that begins in time, before all is asked for anew: of an engine
elsewhere that takes a whole journey, while the next ones are on their way."""


def most_together(remote: bool) -> int:
    """Blocks that are joined in together where the first ones come too late."""
    return MAX_TOGETHER_REMOTE if remote else MAX_TOGETHER


def control_task(
    earlier: RewriteTask | None,
    on_its_way: RewriteTask | None,
    turned_at: float,
    mark: str,
    hurry: float | None,
) -> RewriteTask:
    """Task of the plan after a change of controls.

    Args:
        earlier: task of the plan until now; None for none.
        on_its_way: task whose block is asked for, or waits to be written.
        turned_at: time of the change, by the planner's clock.
        mark: text for the spectrogram.
        hurry: as `ControlTask.hurry`.

    """
    if earlier is None or (isinstance(earlier, ControlTask) and earlier is on_its_way):
        return ControlTask(turned_at, text=mark, hurry=hurry)
    if isinstance(earlier, ControlTask):  # newest wins; the latency counts from the first
        hurry = None if hurry is None else earlier.hurry
        return replace(earlier, text=mark or earlier.text, earliest=0, attempts=0, hurry=hurry)
    return earlier


def control_target(
    plan: BlockPlan, task: ControlTask, commit: int, due: int, fade: int
) -> RewriteTarget | None:
    """Where new controls begin; None where only behind the plan.

    Args:
        plan: the plan.
        task: the change.
        commit: first position that can still be rewritten.
        due: position by which the change should sound.
        fade: frames that a crossfade needs.

    """
    if task.attempts >= MAX_ATTEMPTS:
        return None
    if task.earliest:  # exactly there
        commit = due = max(commit, task.earliest)
        fade = 0
    return plan.target(commit, due, fade)


def rewrite_start(
    task: ClearTask | MomentTask | HoldTask | RecoverTask,
    position: int,
    loop: HeldLoop | None,
    moment_at: Callable[[int], Moment | None],
    stream: Stream,
) -> tuple[Snapshot, int] | None:
    """Snapshot and frames to skip from which a task that is no change of controls goes on at a
    position; None: it cannot.

    Args:
        task: what is to be done.
        position: plan position at which it begins to sound.
        loop: that is held; it begins anew.
        moment_at: the moment of a plan position.
        stream: is cleared where the task asks for that.

    """
    if isinstance(task, MomentTask):
        return task.snapshot, task.skip
    if isinstance(task, HoldTask):
        # One loop back, so that the beat goes on.
        moment = None if loop is None else moment_at(position - loop.frames)
        if loop is None or moment is None:
            return None
        loop.snapshot, loop.skip, loop.written = moment.snapshot, moment.skip, 0
        return moment.snapshot, moment.skip
    if task.snapshot is None:
        stream.clear()
        task.snapshot = stream.snapshot()
    return task.snapshot, 0
