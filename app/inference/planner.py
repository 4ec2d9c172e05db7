"""Keeps the plan filled, and changes it when the performer changes something. Inference lane.

No Qt and no torch: `app.inference.worker` calls `step` from its thread, over and over. Each step
renders at most one block. A change goes back to a boundary that can still be rewritten
(`app.inference.plan.BlockPlan`), renders from there, and `splice.PlanWriter` joins it in; what was
planned behind plays on if the engine stalls. Blocks come from
`app.inference.block_source.BlockSource`, which also deals with engines that fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from app.audio import splice
from app.audio.ring import PlanRing
from app.audio.splice import PlanWriter, WriteResult
from app.inference.block_source import BlockSource
from app.inference.health import LatencyStats, RewritePacing
from app.inference.messages import (
    BlockReport,
    ControlRequest,
    HeldLoop,
    PlannerListener,
    RewriteTask,
    TimelineMark,
    WorkerSettings,
)
from app.inference.moments import MomentStore
from app.inference.plan import (
    BlockPlan,
    PlannedBlock,
    RewriteTarget,
    bar_after,
    bar_points,
    loop_length,
)
from app.performance.log import PerformanceLog
from app.performance.moment import Moment
from models.engine.controls import Controls
from models.engine.interface import Audio, Engine, ScoreInfo, Snapshot, Stream
from models.engine.prompts import Prompt

IDLE: Final = 0
WORKED: Final = 1


class Planner:
    """See the module. One stream, one ring; not safe to call from two threads at once."""

    def __init__(
        self,
        engine: Engine,
        ring: PlanRing,
        settings: WorkerSettings | None = None,
        *,
        seed: int = 0,
        listener: PlannerListener | None = None,
        performance: PerformanceLog | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.info = engine.info
        self.settings = settings or WorkerSettings()
        self.ring = ring
        self.listener = listener or PlannerListener()
        self.performance = performance or PerformanceLog()
        self.clock = clock
        self.rate = self.info.sample_rate
        self.source = BlockSource(engine, seed, self.listener, clock)
        self.performance.begin(self.info.name, seed, ring.end)
        self.writer = PlanWriter(ring, self._frames(self.settings.fade_ms))
        self.margin = self.writer.margin
        self.plan = BlockPlan(head=ring.end)
        self.moments = MomentStore(round(self.settings.moments_mb * 1e6))
        self.pace = RewritePacing(self.settings, self.source.times, self.rate)
        self.delays = LatencyStats()
        self.latency = 0.0
        self.still = True
        """The reader stands still and is silent: even its next frame may be rewritten."""
        self._now = ControlRequest(Controls())
        self._later: ControlRequest | None = None
        self._task: RewriteTask | None = None
        self._loop: HeldLoop | None = None
        self._follows = False
        self._unwritten: tuple[PlannedBlock, Audio, RewriteTask | None, int] | None = None
        self.blocks = self.rewrites = self.recoveries = self.discontinuities = 0

    @property
    def stream(self) -> Stream:
        """The newest: the engine's own failure may have made another necessary."""
        return self.source.stream

    def _frames(self, milliseconds: float) -> int:
        return round(milliseconds * self.rate / 1000)

    # What the performer asks for.

    def want(
        self,
        controls: Controls,
        prompts: Sequence[Prompt] = (),
        mark: str = "",
        at: int | None = None,
        turned_at: float | None = None,
    ) -> None:
        """These controls from `at` on, or as soon as possible. turned_at: by `clock`."""
        turned = self.clock() if turned_at is None else turned_at
        wanted = ControlRequest(controls, tuple(prompts), mark, at, turned)
        if at is not None and at > self._commit():
            self._later = wanted
            if at < self.plan.head:
                self._bring_in()
            return
        same = controls == self._now.controls
        self._now = wanted
        if same or not self.ring.depth:
            if mark:
                self.listener.mark(TimelineMark(self.plan.head, "controls", mark))
            return
        earlier = self._task
        if earlier is None:
            self._task = RewriteTask("controls", turned, text=mark)
        elif earlier.kind == "controls":  # newest wins, and the first one's delay is measured
            self._task = replace(earlier, text=mark or earlier.text, earliest=0, tries=0)

    def clear(self) -> None:
        """Fade what plays, forget, start afresh."""
        self._loop = None
        self._task = RewriteTask("clear", self.clock())

    def moment_at(self, position: int) -> Moment | None:
        """The moment of what is heard at a position; the nearest before it that is still known."""
        planned = self.plan.at(position)
        if planned is not None:
            return planned.moment_at(position, self.info.name)
        return self.moments.within(position, self.info.block_frames)

    def go_to(self, position: int) -> bool:
        """Go on from what was heard at a position; False where nothing is known of it."""
        moment = self.moment_at(position)
        if moment is not None:
            self.go_to_moment(moment)
        return moment is not None

    def go_to_moment(self, moment: Moment) -> None:
        """Go on from a moment of this engine."""
        self._loop = None
        origin = moment.position if moment.position >= 0 else None
        self._task = RewriteTask("moment", self.clock(), moment.snapshot, moment.skip, origin)

    def continue_from(self, path: str, snapshot: Snapshot) -> None:
        """Go on from the end of an audio file, which is a moment of this engine by now."""
        self._loop = None
        self._task = RewriteTask("moment", self.clock(), snapshot, text=Path(path).stem)
        self._task.continue_from = path

    def hold(self, on: bool) -> None:
        """Let the last bars go round, under whatever controls; or go on from there."""
        if not on:
            self._loop = None
            return
        planned = self.plan.at(self.ring.read)
        score = (planned and planned.score) or ScoreInfo()
        tempo = self._now.controls.bpm or score.tempo
        self._loop = HeldLoop(loop_length(tempo, score.beats_per_bar, self.rate))
        self._task = RewriteTask("hold", self.clock())

    @property
    def holding(self) -> bool:
        return self._loop is not None

    def next_bar(self) -> int | None:
        """Plan position of the next bar that can still be changed; None where none is known."""
        points = bar_points(self.plan.blocks, self.info.block_frames)
        return bar_after(points, self._commit())

    @property
    def changing(self) -> bool:
        """Whether something was asked for that is not planned yet."""
        return self._task is not None or self._unwritten is not None

    def restart(self, seed: int) -> None:
        """A fresh stream and an empty plan. Only while the reader stands still."""
        self.source.restart(seed)
        self._empty()
        self.delays.forget()
        self.performance.begin(self.info.name, seed, self.ring.read)
        self._task = self._loop = self._later = self._unwritten = None
        self.listener.rewritten(self.ring.read)

    def _empty(self) -> None:
        self._keep_heard()
        self.ring.truncate(self.ring.read)
        self.plan.cut(self.ring.read)
        self.writer.forget()
        self._follows = False

    # Working.

    @property
    def depth(self) -> int:
        """Frames planned under the newest controls and not yet heard."""
        return max(0, self.plan.head - self.ring.read)

    def step(self) -> int:
        """Do what is most urgent: at most one block. IDLE if there was nothing to do."""
        self._keep_heard()
        self.writer.margin = 0 if self.still else self.margin
        if self._unwritten is not None:
            return self._write(*self._unwritten)
        if self.clock() < self.source.wait_until:
            return IDLE
        if self._task is not None and not self._must_wait(self._task):
            return self._change(self._task)
        elif self.depth >= self.settings.plan_seconds * self.rate:
            return IDLE
        skip, loop = 0, self._loop
        if loop is not None and loop.written >= loop.frames:
            loop.written, skip = 0, loop.skip
            self._restore(loop.moment)
        return self._render(RewriteTarget(self.plan.head, self.plan.head), None, skip)

    def _restore(self, moment: Snapshot) -> None:
        """Put the stream there; the next block does not follow on the last one."""
        self.stream.restore(moment)
        self._follows = False

    def _must_wait(self, task: RewriteTask) -> bool:
        """Whether the plan is made longer first, under the new controls already."""
        if task.kind != "controls" or task.earliest or self.still:
            return False
        return self._commit() <= self.plan.head and self.pace.must_lengthen(task, self.ring.depth)

    def _keep_heard(self) -> None:
        read = self.ring.read
        for block in self.plan.heard(read):
            self.moments.add(block.moment_at(block.position, self.info.name))
        if self.plan.head < read and self._task is None:  # the reserve is being heard
            self._task = RewriteTask("controls", self.clock())

    def _commit(self) -> int:
        return self.ring.read if self.still else self.pace.commit(self.ring.read, self.margin)

    def _change(self, task: RewriteTask) -> int:
        if task.kind == "controls":
            target, skip = self._aim(task)
            return self._render(target, task, skip)
        position = min(self._commit(), self.ring.end)
        loop = self._loop
        if task.kind == "hold" and loop is not None:
            # The loop goes round so that the beat goes on: what is heard here was heard before.
            moment = self.moment_at(position - loop.frames)
            if moment is None:
                self._task = None
                return WORKED
            loop.moment, loop.skip, loop.written = moment.snapshot, moment.skip, 0
            task.moment, task.skip = moment.snapshot, moment.skip
        elif task.kind == "clear" and task.moment is None:
            self.stream.clear()
            task.moment = self.stream.snapshot()
        self._restore(task.moment)
        return self._render(RewriteTarget(position, position), task, task.skip)

    def _aim(self, task: RewriteTask) -> tuple[RewriteTarget, int]:
        """Where to go back to for new controls, with the stream put there; what to skip of it."""
        commit = max(self._commit(), task.earliest)
        due = self.pace.due(self.ring.read, self.clock() - task.turned_at, self.latency)
        fade = self.writer.fade
        if task.earliest:
            due, fade = commit, 0  # wanted there and nowhere else
        target = self.plan.target(commit, due, fade) if task.tries < 3 else None
        if target is None:
            end = self.ring.end
            self._follows = self._follows and self.plan.head == end
            return RewriteTarget(end, end), 0
        if target.index is None:
            return target, 0
        block = self.plan.blocks[target.index]
        self._restore(block.moment)
        if self._loop is not None and block.looped is not None:
            self._loop.written = block.looped
        return target, block.skip

    def _bring_in(self) -> None:
        """The controls that were asked for a position take over there."""
        later, self._later = self._later, None
        assert later is not None and later.at is not None
        self._now = later
        if later.at < self.plan.head:
            self._task = RewriteTask(
                "controls", later.turned_at, earliest=later.at, text=later.mark
            )
        elif later.mark:
            self.listener.mark(TimelineMark(self.plan.head, "controls", later.mark))

    # Rendering.

    def _render(self, target: RewriteTarget, task: RewriteTask | None, skip: int) -> int:
        moment = self.stream.snapshot()
        started = self.clock()
        block = self._try(moment, task)
        if block is None:
            return WORKED
        self.source.times.took(self.clock() - started, changed=task is not None)
        left = target.position + len(block) - skip - target.join
        if left < 2 * self.writer.fade:  # of which too little would be heard to fade into it
            more = self._try(moment, task)
            if more is None:
                return WORKED
            block = np.concatenate([block, more])
        self.recoveries += self.source.worked()
        frames, looped = block[skip:], None
        if self._loop is not None:
            looped = self._loop.written
            frames = frames[: max(1, self._loop.frames - looped)]
        score = self.stream.score
        planned = PlannedBlock(target.position, len(frames), moment, skip, looped, score)
        return self._write(planned, np.ascontiguousarray(frames), task, target.join)

    def _try(self, moment: Snapshot, task: RewriteTask | None) -> Audio | None:
        """A good block; or None, and everything is ready for the next attempt."""
        source = self.source
        heard = self.ring.read - 2 * self.rate
        block = source.block(self._now.controls, moment, lambda: self.moments.snapshot_at(heard))
        if block is not None:
            return block
        if source.refused:
            self._now = replace(self._now, controls=source.works, mark="")
        elif source.recovery.failures > 1:
            self._follows = False
        if source.lost:
            self._loop = None
            if task is not None or source.silent:
                turned = self.clock() if task is None else task.turned_at
                self._task = RewriteTask("recover", turned, self.stream.snapshot())
        return None

    # Writing.

    def _write(
        self, planned: PlannedBlock, frames: Audio, task: RewriteTask | None, join: int
    ) -> int:
        """Join a block in; where that cannot be, decide what happens to it."""
        ring, again, self._unwritten = self.ring, self._unwritten is not None, None
        if self.still and planned.position <= ring.read and ring.depth:
            self._empty()  # nothing of it has been heard, and nothing will be
        rewritten = planned.position < ring.end
        fade = self.settings.fade_ms
        if task is not None:
            fade = {"clear": self.settings.clear_fade_ms, "moment": 4 * fade}.get(task.kind, fade)
        result = self.writer.write(
            planned.position, frames, self._follows, self._frames(fade), join
        )
        if result.outcome == splice.WAIT:
            self._unwritten = (planned, frames, task, join)
            return IDLE if again else WORKED
        if result.outcome == splice.LATE:
            self._restore(planned.moment)
            if self._task is None or self._task is task:
                self._task = task or RewriteTask("controls", self.clock())
                self._task.tries += 1
            return WORKED
        self._tell(planned, frames, task, result, rewritten)
        return WORKED

    def _tell(
        self,
        planned: PlannedBlock,
        frames: Audio,
        task: RewriteTask | None,
        result: WriteResult,
        rewritten: bool,
    ) -> None:
        self.plan.add(planned)
        self._follows = True
        self.blocks += 1
        self.discontinuities += result.jump
        if self._loop is not None:
            self._loop.written += planned.frames
        self.performance.put(
            planned.position,
            planned.frames,
            self._now.controls,
            self._now.prompts,
            clear=task is not None and task.kind == "clear",
            moment=task.origin if task is not None else None,
            continue_from=task.continue_from if task is not None else "",
        )
        if task is not None:
            self._done(task, result.join)
        frames.setflags(write=False)
        self.listener.block(
            BlockReport(planned.position, frames, planned.score, rewritten, self._now.controls)
        )
        later = self._later
        if later is not None and later.at is not None and self.plan.head >= later.at:
            self._bring_in()

    def _done(self, task: RewriteTask, join: int) -> None:
        """What was asked for is planned, to be heard from `join` on."""
        if self._task is task:
            self._task = None
        self.rewrites += 1
        self.pace.rewritten_at = self.clock()
        if task.kind == "controls" and not task.earliest and not self.still:
            self.delays.planned(task.turned_at, join)
        self.listener.rewritten(join)
        if task.kind != "controls" or task.text:
            self.listener.mark(TimelineMark(join, task.kind, task.text))
