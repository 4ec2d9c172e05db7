"""Planner: fills the plan with blocks, and rewrites it when the performer changes something.

Each `step` renders at most one block. A change goes back to a boundary that can still be rewritten
(`plan.BlockPlan`), renders from there, and `app.audio.splice.PlanWriter` joins it in; the old plan
behind it plays on if the engine stalls. `block_source.BlockSource` recovers engines that fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from app.audio import splice
from app.audio.past.render_log import RenderLog
from app.audio.ring import PlanRing
from app.audio.splice import PlanWriter, WriteResult
from app.audio.stem_ring import StemRing
from app.inference import rewrite_start as rewrites
from app.inference.block_source import BlockSource
from app.inference.health import LatencyStats, RewritePacing
from app.inference.input_pacing import InputPacing
from app.inference.messages import (
    Accompany,
    ClearTask,
    ControlRequest,
    ControlTask,
    HeldLoop,
    HoldTask,
    MomentTask,
    PlannerListener,
    RecoverTask,
    RewriteTask,
    WorkerSettings,
)
from app.inference.moments import MomentStore, moment_at
from app.inference.plan import BlockOrder, BlockPlan, PlannedBlock, RenderedBlock, RewriteTarget
from app.inference.plan_log import PlanLog
from app.inference.triggers import TriggerQueue
from app.performance.log import PerformanceLog
from app.performance.moment import Moment
from models.engine.controls import Controls
from models.engine.hearing import HearingSource
from models.engine.interface import Audio, Engine, Snapshot, Stream
from models.engine.prompts import Prompt

IDLE: Final = 0
WORKED: Final = 1


class Planner:
    """Planner of one stream and one ring. Not safe to call from two threads at once."""

    def __init__(
        self, engine: Engine, ring: PlanRing, settings: WorkerSettings | None = None, *,
        seed: int = 0, listener: PlannerListener | None = None,
        performance: PerformanceLog | None = None, renders: RenderLog | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.info = engine.info
        self.settings, self.rate = settings or WorkerSettings(), self.info.sample_rate
        self.ring = StemRing(ring)
        self.listener = listener or PlannerListener()
        self.performance, self.renders = performance or PerformanceLog(), renders or RenderLog()
        self._log = PlanLog(self.listener, self.performance, self.renders)
        self.clock = clock
        self.source = BlockSource(engine, seed, self.listener, clock)
        self._log.begin(engine, seed, ring.end)
        self.writer = PlanWriter(self.ring, round(self.settings.fade_ms * self.rate / 1000))
        self.margin = self.writer.margin
        self.plan = BlockPlan(head=ring.end)
        self.moments = MomentStore(round(self.settings.moments_mb * 1e6), engine.moment_of)
        self.pacing = RewritePacing(self.settings, self.source.times, self.rate)
        self.inputs = InputPacing(self.pacing, self.rate, self.listener.incident, clock)
        self.latency_stats, self.output_latency = LatencyStats(), 0.0
        self.reader_stopped = True  # and silent, so that even its next frame may be rewritten
        self.accompany: Accompany = lambda controls, score, start: controls
        self.hearing: HearingSource = lambda start: None
        self.request = self._planned = ControlRequest(Controls())  # the newest; the head's
        self._later: ControlRequest | None = None
        self._triggers = TriggerQueue()
        self._task: RewriteTask | None = None
        self._loop: HeldLoop | None = None
        self._follows = False  # the next block continues the one written last
        self._unwritten: RenderedBlock | None = None
        self._awaited: BlockOrder | None = None
        self.blocks = self.rewrites = self.recoveries = self.discontinuities = 0

    @property
    def stream(self) -> Stream:
        """The current stream; recovery may replace it."""
        return self.source.stream

    # Requests of the performer.

    def submit(
        self, controls: Controls, prompts: Sequence[Prompt] = (), mark: str = "",
        at: int | None = None, turned_at: float | None = None,
    ) -> None:  # fmt: skip
        """Play under these controls from plan position `at` on, or as soon as possible.

        turned_at: time of the change by `clock`, by default now.
        """
        turned = self.clock() if turned_at is None else turned_at
        controls = self._triggers.take(controls)
        request = ControlRequest(controls, tuple(prompts), mark, at, turned)
        if at is not None and at > self._commit():
            self._later = request
            self._apply_later()
            return
        same = controls == self.request.controls and not self._triggers.waiting
        self.request = request
        if same or not self.ring.depth:
            if mark:
                self._log.mark(self.plan.head, text=mark)
            return
        self.rewrite(turned, mark)

    def input_changed(
        self, at: float, hearing: HearingSource | None = None, written: bool = True
    ) -> None:
        """Plan again for what came in, once the plan is long enough; not written: sound alone."""
        self.hearing = hearing or self.hearing
        needed = written or self.depth > self.plan.echo_reach
        self.inputs.note(at, self.plan.head, bool(hearing), needed)
        self._take_input()

    def _take_input(self) -> None:
        if change := self.inputs.take(self._commit(), self.ring.depth):
            self.rewrite(change.turned_at, hurry=change.hurry)

    def rewrite(self, turned_at: float, mark: str = "", hurry: float | None = None) -> None:
        """Plan again what still can be. hurry: as `ControlTask.hurry`."""
        asked = self._awaited or self._unwritten  # on its way: it is heard before what comes now
        if self._task is None and not (self.ring.depth and self.info.rewinds):
            return
        self._task = rewrites.control_task(
            self._task, asked.task if asked is not None else None, turned_at, mark, hurry
        )

    def clear(self) -> None:
        """Fade out, forget the context, start afresh."""
        self._loop = None
        self._task = ClearTask() if self.info.rewinds else None
        if not self.info.rewinds:
            self.stream.clear()
            self._log.mark(self.plan.head, ClearTask.kind)

    def moment_at(self, position: int) -> Moment | None:
        """Moment of a plan position; the nearest before it that is still known."""
        return moment_at(self.plan, self.moments, position, self.info)

    def go_to_moment(self, moment: Moment) -> None:
        """Go on from a moment of this engine."""
        self._loop = None
        origin = moment.position if moment.position >= 0 else None
        self._task = MomentTask(self.moments.moment_of(moment.snapshot), moment.skip, origin)

    def continue_from(self, path: str, snapshot: Snapshot) -> None:
        """Go on from the end of an audio file, which is a snapshot of this engine by now."""
        self._loop = None
        self._task = MomentTask(snapshot, continue_from=path, text=Path(path).stem)

    def hold(self, on: bool) -> None:
        """Repeat the last bars, under whatever controls; or go on from there."""
        bpm, on = self.request.controls.bpm, on and self.info.rewinds
        self._loop = self.plan.loop_at(self.ring.read, bpm, self.rate) if on else None
        self._task = HoldTask() if on else self._task

    @property
    def holding(self) -> bool:
        return self._loop is not None or self.request.controls.hold > 0

    def next_bar(self) -> int | None:
        """Plan position of the next bar that can still be changed; None where none is known."""
        return self.plan.next_bar(self.info.block_frames, self._commit())

    @property
    def changing(self) -> bool:
        """Whether a request is not planned yet."""
        return self._task is not None or self._unwritten is not None

    def deepen(self, seconds: float) -> None:
        """Plan so far ahead from now on."""
        self.settings = self.pacing.settings = replace(self.settings, plan_seconds=seconds)

    def restart(self, seed: int) -> None:
        """Start a fresh stream with an empty plan. Only while the reader stands still."""
        self.source.restart(seed)
        self._empty_plan()
        self.latency_stats.forget()
        self._log.begin(self.source.engine, seed, self.ring.read)
        self._task = self._loop = self._later = self._unwritten = self._awaited = None
        self._triggers.clear()
        self.listener.rewritten(self.ring.read)

    def _empty_plan(self) -> None:
        self._store_played()
        self.ring.truncate(self.ring.read)
        self.plan.cut(self.ring.read)
        self.renders.cut(self.ring.read)
        self.writer.forget()
        self._follows = False

    # Steps.

    @property
    def depth(self) -> int:
        """Frames planned under the newest controls that the reader has not reached."""
        return max(0, self.plan.head - self.ring.read)

    def step(self) -> int:
        """Do what is most urgent: at most one block. IDLE if there was nothing to do."""
        self._store_played()
        self.writer.margin = 0 if self.reader_stopped else self.margin
        if self.clock() < self.source.wait_until:
            return IDLE
        if self._unwritten is not None:
            return self._write(self._unwritten)
        self._take_input()
        waits = self._task is not None and self._must_lengthen(self._task)
        awaited, self._awaited = self._awaited, None
        if awaited is not None and awaited.stands(self._task, waits, self.plan.head):
            return self._render(awaited)
        if self._task is not None and not waits:
            return self._rewrite(self._task)
        if self.depth >= self.inputs.wanted(self.settings.depth(self.info.rewinds) * self.rate):
            self.source.times.rest()
            self.moments.settle(2)
            return IDLE
        skip, loop = 0, self._loop
        if loop is not None and loop.written >= loop.frames:
            loop.written, skip = 0, loop.skip
            self._restore(loop.snapshot)
        # What waits on a line would cost the journey twice if the plan were lengthened under it.
        request = self._planned if waits and self.info.remote else self.request
        head = RewriteTarget(self.plan.head, self.plan.head)
        return self._render(BlockOrder(head, None, skip, request, self.clock()))

    def _restore(self, snapshot: Snapshot) -> None:
        """Restore the stream; the next block does not continue the last one."""
        self.stream.restore(snapshot)
        self._follows = False

    def _must_lengthen(self, task: RewriteTask) -> bool:
        """Whether the plan is lengthened first."""
        if not isinstance(task, ControlTask) or task.earliest or self.reader_stopped:
            return False
        if self.info.remote and self.depth:
            waited = self.clock() - task.turned_at
            return self.pacing.must_wait(self.depth, self.ring.depth, waited)
        return self._commit() <= self.plan.head and self.pacing.must_lengthen(task, self.ring.depth)

    def _store_played(self) -> None:
        read = self.ring.read
        for block in self.plan.pop_played(read):
            self.moments.add(block.moment_at(block.position, self.info.name))
        if self.plan.head < read and self._task is None:  # the reader is in the reserve
            self._task = ControlTask(self.clock())

    def _commit(self) -> int:
        ring, pacing = self.ring, self.pacing
        return (
            ring.read if self.reader_stopped else pacing.commit(ring.read, self.margin, ring.depth)
        )

    def _rewrite(self, task: RewriteTask) -> int:
        if isinstance(task, ControlTask):
            target, skip = self._target(task)
            return self._render(BlockOrder(target, task, skip, self.request, self.clock()))
        position = min(self._commit(), self.ring.end)
        start = rewrites.rewrite_start(task, position, self._loop, self.moment_at, self.stream)
        if start is None:
            self._task = None
            return WORKED
        self._restore(start[0])
        target = RewriteTarget(position, position)
        return self._render(BlockOrder(target, task, start[1], self.request, self.clock()))

    def _target(self, task: ControlTask) -> tuple[RewriteTarget, int]:
        """Where new controls begin, with the stream restored there; frames to skip."""
        waited = self.clock() - task.turned_at + (task.hurry or 0.0)
        due = self.pacing.due(self.ring.read, waited, self.output_latency)
        target = rewrites.control_target(self.plan, task, self._commit(), due, self.writer.fade)
        if target is None:
            end = self.ring.end
            self._follows = self._follows and self.plan.head == end
            return RewriteTarget(end, end), 0
        if target.index is None:
            return target, 0
        block = self.plan.blocks[target.index]
        self._restore(block.snapshot)
        if self._loop is not None and block.looped is not None:
            self._loop.written = block.looped
        return target, block.skip

    def _apply_later(self) -> None:
        """Apply the controls that were requested for a position, once the plan reaches it."""
        later = self._later
        if later is None or later.at is None or later.at > self.plan.head:
            return
        self.request, self._later = later, None
        if later.at < self.plan.head:
            self._task = ControlTask(later.turned_at, earliest=later.at, text=later.mark)
        elif later.mark:
            self._log.mark(self.plan.head, text=later.mark)

    # Rendering.

    def _render(self, order: BlockOrder) -> int:
        snapshot, target = self.stream.snapshot(), order.target
        controls = self._triggers.controls_at(target.position, order.request.controls)
        controls = self.accompany(controls, self.stream.score, target.position - order.skip)
        hearing = self.inputs.live(self.hearing(target.position - order.skip), self.ring.depth)
        self.stream.hear(hearing)
        frames = self._try(controls, snapshot, order.task)
        if frames is None:
            self._awaited = order if self.source.pending else None
            return WORKED
        self.source.times.add(self.clock() - order.since, changed=order.task is not None)
        heard = self.stream.heard or hearing
        self.recoveries += self.source.succeeded()
        frames, looped, score = frames[order.skip :], None, self.stream.score
        if self._loop is not None:
            looped = self._loop.written
            frames = frames[: max(1, self._loop.frames - looped)]
        block = PlannedBlock(
            target.position, len(frames), snapshot, order.skip, looped, score, controls, heard,
        )  # fmt: skip
        frames, after = np.ascontiguousarray(frames), self.stream.snapshot()
        return self._write(
            RenderedBlock(block, frames, target.join, order.task, controls, order.request, after)
        )

    def _try(self, controls: Controls, before: Snapshot, task: RewriteTask | None) -> Audio | None:
        """A valid block; or None, and everything is ready for the next attempt."""
        source, back = self.source, self.ring.read - 2 * self.rate
        frames = source.render(controls, before, lambda: self.moments.snapshot_at(back))
        if frames is not None:
            return frames
        if source.refused:
            controls = self._triggers.drop(source.last_good)
            self.request = replace(self.request, controls=controls, mark="")
        elif source.lost or source.recovery.failures > 1:
            self._follows = False
        if source.lost:
            self._loop = None
            if task is not None or source.silent:
                self._task = RecoverTask(self.stream.snapshot())
        return None

    # Writing.

    def _write(self, rendered: RenderedBlock) -> int:
        """Join a block into the ring; or wait, or render more of it, or all of it again."""
        ring, block, task = self.ring, rendered.block, rendered.task
        waited, self._unwritten = self._unwritten is not None, None
        if self.reader_stopped and block.position <= ring.read and ring.depth:
            self._empty_plan()  # nothing of it has sounded, and nothing will
        rewritten = block.position < ring.end
        fade_ms = self.settings.fade_ms if task is None else task.fade_ms(self.settings)
        fade = round(fade_ms * self.rate / 1000)
        result = self.writer.write(
            block.position, rendered.frames, self._follows, fade, rendered.join
        )
        if result.outcome == splice.WAIT:
            self._unwritten = rendered
            return IDLE if waited else WORKED
        if result.outcome == splice.LATE:
            if rendered.renders < rewrites.most_together(self.info.remote) and self._loop is None:
                return self._go_on(rendered)
            self._restore(block.snapshot)
            if self._task is None or self._task is task:
                self._task = task or ControlTask(self.clock())
                if isinstance(self._task, ControlTask):
                    self._task.attempts += 1
            return WORKED
        self._written(rendered, result, rewritten)
        return WORKED

    def _go_on(self, rendered: RenderedBlock) -> int:
        """Write a block of which too little would sound together with the one after it."""
        block, controls = rendered.block, rendered.controls
        self.stream.hear(block.hearing and block.hearing.later(self.info.block_frames))
        more = self._try(controls, block.snapshot, rendered.task)
        if more is None:
            self._unwritten = rendered if self.source.pending else None
            return WORKED
        frames, after = np.concatenate([rendered.frames, more]), self.stream.snapshot()
        block = replace(block, frames=len(frames), score=self.stream.score)
        renders = rendered.renders + 1
        return self._write(
            replace(rendered, block=block, frames=frames, after=after, renders=renders)
        )

    def _written(self, rendered: RenderedBlock, result: WriteResult, rewritten: bool) -> None:
        """Note and report a block that is in the ring."""
        block, self._planned = rendered.block, rendered.request
        self._triggers.planned(block.position, rendered.controls)
        self.plan.add(block)
        self._log.block(rendered, result, self._planned.prompts, self.ring.read)
        self._follows = True
        self.blocks += 1
        self.discontinuities += result.jump
        if self._loop is not None:
            self._loop.written += block.frames
        if (task := rendered.task) is not None:
            self._task = None if self._task is task else self._task
            self.rewrites += 1
            self.pacing.rewritten_at = self.clock()
            if isinstance(task, ControlTask) and not task.earliest and not self.reader_stopped:
                self.latency_stats.scheduled(task.turned_at, result.join)
            self._log.finished(task, result.join)
        rendered.frames.setflags(write=False)
        self._log.report(rendered, result.join, rewritten)
        self._apply_later()
