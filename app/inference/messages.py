"""Messages of the inference thread: settings, requests, reports and rewrite tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from models.engine.controls import Controls
from models.engine.interface import Audio, ScoreInfo, Snapshot
from models.engine.prompts import Prompt

FORWARD_SECONDS: Final = 2.0
"""Longest plan of an engine that cannot rewrite it."""


@dataclass(frozen=True)
class WorkerSettings:
    """Lengths and limits of the plan.

    plan_seconds: depth of the plan. reserve_seconds: a shorter plan is lengthened before it is
    rewritten again, so that a knob which never rests does not use up what protects from stalls.
    fade_ms: crossfade where the plan is rewritten; clear_fade_ms: where the music starts afresh.
    slack_ms: reserve before the commit point. promised_ms: delay from knob to sound beyond one
    block. moments_mb: memory for the moments of the performance.
    """

    plan_seconds: float = 3.6
    reserve_seconds: float = 0.8
    fade_ms: float = 15.0
    clear_fade_ms: float = 250.0
    slack_ms: float = 5.0
    promised_ms: float = 25.0
    moments_mb: float = 256.0

    def depth(self, rewinds: bool) -> float:
        """Seconds of plan that are wanted. What an engine cannot rewrite delays what is turned."""
        return self.plan_seconds if rewinds else min(self.plan_seconds, FORWARD_SECONDS)


@dataclass(frozen=True)
class BlockReport:
    """Block that was planned.

    position: plan position of its first frame. samples: float32 (n, 2), read-only, before any
    crossfade. score: None where the engine has none. rewritten: it replaced another block.
    origin: plan position of frame 0 of the score's block. join: first position at which it sounds.
    """

    position: int
    samples: Audio
    score: ScoreInfo | None
    rewritten: bool
    controls: Controls
    origin: int = 0
    join: int = 0


@dataclass(frozen=True)
class TimelineMark:
    """Event at a plan position. kind: controls, clear, moment, hold, recover or panic."""

    position: int
    kind: str
    text: str = ""


@dataclass
class PlannerListener:
    """Callbacks of the planner, called in the inference thread."""

    block: Callable[[BlockReport], None] = lambda report: None
    rewritten: Callable[[int], None] = lambda position: None
    mark: Callable[[TimelineMark], None] = lambda mark: None
    incident: Callable[[str, str], None] = lambda level, sentence: None


Accompany: TypeAlias = Callable[[Controls, ScoreInfo | None, int], Controls]
"""Gives the controls of a block that accompanies what comes in: controls as they are set, score of
the block before, plan position at which the block begins. Called in the inference thread."""


@dataclass(frozen=True)
class ControlRequest:
    """Controls that hold from plan position `at` on (None: as soon as possible).

    prompts: those that the style was mixed from. mark: text for the spectrogram.
    turned_at: time of the change, by the planner's clock.
    """

    controls: Controls
    prompts: tuple[Prompt, ...] = ()
    mark: str = ""
    at: int | None = None
    turned_at: float = 0.0


@dataclass
class HeldLoop:
    """Loop of `frames` frames that starts `skip` frames after a snapshot; written: of this turn."""

    frames: int
    snapshot: Snapshot | None = None
    skip: int = 0
    written: int = 0


class _Task:
    """What all rewrite tasks have; each has the kind and text of its mark."""

    def fade_ms(self, settings: WorkerSettings) -> float:
        """Crossfade from the old plan into the new one, in milliseconds."""
        return settings.fade_ms


@dataclass(eq=False)
class ControlTask(_Task):
    """Rewrite of the plan under other controls.

    earliest: first plan position that may change. attempts: how often the reader was faster.
    lengthened: blocks by which the plan was made longer first.
    hurry: seconds by which it is due sooner than a knob's change; None for those. What comes in is
    paced before (`InputPacing`), and waits no more.
    """

    kind: ClassVar[str] = "controls"
    turned_at: float = 0.0
    earliest: int = 0
    text: str = ""
    attempts: int = 0
    lengthened: int = 0
    hurry: float | None = None


@dataclass(eq=False)
class ClearTask(_Task):
    """Rewrite with a fresh context; `snapshot` is taken when it is first tried."""

    kind: ClassVar[str] = "clear"
    text: ClassVar[str] = ""
    snapshot: Snapshot | None = None

    def fade_ms(self, settings: WorkerSettings) -> float:
        return settings.clear_fade_ms


@dataclass(eq=False)
class MomentTask(_Task):
    """Rewrite that goes on `skip` frames after a snapshot.

    origin: plan position of the moment, None if it is of another performance.
    continue_from: audio file whose end the snapshot is, '' for none.
    """

    kind: ClassVar[str] = "moment"
    snapshot: Snapshot
    skip: int = 0
    origin: int | None = None
    continue_from: str = ""
    text: str = ""

    def fade_ms(self, settings: WorkerSettings) -> float:
        return 4 * settings.fade_ms


@dataclass(eq=False)
class HoldTask(_Task):
    """Rewrite that repeats the last bars."""

    kind: ClassVar[str] = "hold"
    text: ClassVar[str] = ""


@dataclass(eq=False)
class RecoverTask(_Task):
    """Rewrite after a fault of the engine, from a snapshot of the repaired stream."""

    kind: ClassVar[str] = "recover"
    text: ClassVar[str] = ""
    snapshot: Snapshot


RewriteTask: TypeAlias = ControlTask | ClearTask | MomentTask | HoldTask | RecoverTask
