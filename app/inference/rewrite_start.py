"""Where the stream goes on from when a rewrite is no change of controls."""

from __future__ import annotations

from collections.abc import Callable

from app.inference.messages import ClearTask, HeldLoop, HoldTask, MomentTask, RecoverTask
from app.performance.moment import Moment
from models.engine.interface import Snapshot, Stream


def rewrite_start(
    task: ClearTask | MomentTask | HoldTask | RecoverTask,
    position: int,
    loop: HeldLoop | None,
    moment_at: Callable[[int], Moment | None],
    stream: Stream,
) -> tuple[Snapshot, int] | None:
    """Snapshot and frames to skip from which a task goes on at a position; None: it cannot.

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
