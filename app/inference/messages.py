"""The words of the planner: settings, tasks, and what it tells. Inference lane. Pure data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from models.engine.controls import Controls
from models.engine.interface import Audio, ScoreInfo
from models.engine.prompts import Prompt


@dataclass(frozen=True)
class WorkerSettings:
    """plan_seconds: how deep the plan is kept; so deep that a knob which turns every two seconds
    leaves two seconds in hand where the engine makes three in one (simulated: 2.1 s, and 1.9 s of
    a plan of 3 s). fade_ms: crossfade where the plan is rewritten.

    clear_fade_ms: where the music starts afresh. slack_ms: reserve before the point where the plan
    can no longer be rewritten. promised_ms: knob to sound, beyond one block. moments_mb: memory
    for the moments of the performance. reserve_seconds: below it the plan is made longer before it
    is rewritten again, so that a knob that never rests does not use up what protects from stalls.
    """

    plan_seconds: float = 3.6
    reserve_seconds: float = 0.8
    fade_ms: float = 15.0
    clear_fade_ms: float = 250.0
    slack_ms: float = 15.0
    promised_ms: float = 110.0
    moments_mb: float = 256.0


@dataclass(frozen=True)
class BlockReport:
    """A block that was planned. samples: float32 (n, 2), read-only, before any crossfade.

    score: None where the engine has none. rewritten: it took the place of another.
    """

    position: int
    samples: Audio
    score: ScoreInfo | None
    rewritten: bool
    controls: Controls


@dataclass(frozen=True)
class TimelineMark:
    """Something took effect at a position: kind is controls, clear, moment, hold or panic."""

    position: int
    kind: str
    text: str = ""


@dataclass
class PlannerListener:
    """Whom the planner tells. All are called from the inference lane."""

    block: Callable[[BlockReport], None] = lambda report: None
    rewritten: Callable[[int], None] = lambda position: None
    mark: Callable[[TimelineMark], None] = lambda mark: None
    incident: Callable[[str, str], None] = lambda level, sentence: None


@dataclass(frozen=True)
class ControlRequest:
    """What is to be heard from `at` on (None: as soon as possible)."""

    controls: Controls
    prompts: tuple[Prompt, ...] = ()
    mark: str = ""
    at: int | None = None
    turned_at: float = 0.0


@dataclass
class HeldLoop:
    """A held loop of so many frames, from `skip` frames behind the moment, over and over."""

    frames: int
    moment: Any = None
    skip: int = 0
    written: int = 0


@dataclass(eq=False)
class RewriteTask:
    """A way in which the plan is to be changed, before it is filled any further.

    kind: controls (the same music under others), clear, moment, hold or recover (other music).
    moment, skip: where other music starts. origin: the plan position that a moment was heard at.
    earliest: not before this position. tries: how often the reader was faster. waited: blocks by
    which the plan was made longer first. continue_from: the audio file whose end is the moment.
    """

    kind: str
    turned_at: float = 0.0
    moment: Any = None
    skip: int = 0
    origin: int | None = None
    earliest: int = 0
    text: str = ""
    tries: int = 0
    waited: int = 0
    continue_from: str = ""
