"""A watch over what the engine gives, and over how long things take. Inference lane. Pure.

`BlockWatch` says what is wrong with a block. `Recovery` says what to do about it, more drastic with
each failure in a row. `LatencyStats` measures the time from a turned knob to the changed sound.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import numpy as np

from app.inference.messages import RewriteTask, WorkerSettings
from app.inference.plan import commit_point, deadline
from models.engine.controls import Controls
from models.engine.interface import STEMS, EngineInfo, block_fault

SILENT_PEAK: Final = 10 ** (-70 / 20)
"""A block whose samples all lie below is silent (-70 dB of full scale)."""
SILENT_SECONDS: Final = 4.0
FAR_OVER: Final = 16.0
"""A peak of +24 dB is no loud music, it is a fault."""
LOUD_RMS: Final = 1.0
RESTED: Final = 0.5
"""Seconds after which a knob that turns again had rested."""
PATIENCE: Final = 0.2
"""Seconds that it may be kept waiting, about, while the plan is made longer."""
CRITICAL: Final = 2.0
CRITICAL_SECONDS: Final = 0.4
"""A plan of so many blocks' making and so many seconds must be in hand whatever is turned."""


class BlockWatch:
    """Judges blocks one by one."""

    def __init__(self, info: EngineInfo) -> None:
        self.info = info
        self._silent_blocks = 0
        self._patience = SILENT_SECONDS

    def fault(self, block: object, controls: Controls) -> str | None:
        """What is wrong with a block, as a clause; None if nothing is."""
        fault = block_fault(block, self.info)
        if fault is not None:
            return fault
        assert isinstance(block, np.ndarray)
        peak = float(np.abs(block).max(initial=0.0))
        if peak > FAR_OVER or float(np.sqrt(np.mean(np.square(block)))) > LOUD_RMS:
            return "the engine gave a signal far above full scale"
        if peak >= SILENT_PEAK:
            self._silent_blocks = 0
            self._patience = SILENT_SECONDS
            return None
        if may_be_silent(controls):
            self._silent_blocks = 0
            return None
        self._silent_blocks += 1
        if self._silent_blocks * self.info.block_seconds < self._patience:
            return None
        self._silent_blocks = 0
        self._patience = min(60.0, 2 * self._patience)  # do not insist, it may be the music
        return "the engine went silent"


def may_be_silent(controls: Controls) -> bool:
    """Whether silence is what was asked for."""
    if controls.density is not None and controls.density <= 0.05:
        return True
    return set(STEMS) <= set(controls.mute)


class RecoveryAction(Enum):
    """What to do before the next attempt, in the order of how much is lost."""

    AGAIN = "trying again while the plan plays on"
    BACK = "going back to an earlier moment"
    CLEAR = "starting afresh"
    RESTART = "starting the stream anew"
    WAIT = "waiting; clear the history or choose another engine if it lasts"


@dataclass
class Recovery:
    """Counts failures in a row."""

    failures: int = 0

    def failed(self, silent: bool = False) -> RecoveryAction:
        """The remedy for one more failure; a silent engine is cleared at once."""
        self.failures += 1
        if silent and self.failures < 3:
            self.failures = 3
        ladder = (
            RecoveryAction.AGAIN,
            RecoveryAction.BACK,
            RecoveryAction.CLEAR,
            RecoveryAction.RESTART,
        )
        return ladder[self.failures - 1] if self.failures <= len(ladder) else RecoveryAction.WAIT

    def wait_seconds(self) -> float:
        """How long to leave the engine alone, doubling up to 5 s."""
        return float(min(5.0, 0.25 * 2 ** min(8, max(0, self.failures - 5))))

    def worked(self) -> int:
        """A block came out well. Returns how many attempts had failed before."""
        failures, self.failures = self.failures, 0
        return failures


class RewritePacing:
    """How far ahead of the reader one must think, in frames, by how long blocks have taken.

    rewritten_at: when new controls were last planned, by the planner's clock.
    """

    def __init__(self, settings: WorkerSettings, times: RenderTimes, rate: int) -> None:
        self.settings, self.times, self.rate = settings, times, rate
        self.rewritten_at = -math.inf

    def commit(self, read: int, margin: int) -> int:
        """The first position that a block which is started now may still rewrite."""
        slack = round(self.settings.slack_ms * self.rate / 1000)
        return commit_point(read, margin, self.times.estimate * self.rate, slack)

    def due(self, read: int, waited: float, latency: float) -> int:
        """The position by which a change should be heard that was made `waited` seconds ago."""
        promised = self.times.block_seconds + self.settings.promised_ms / 1000
        return deadline(read, promised, waited, latency, self.rate)

    def must_lengthen(self, task: RewriteTask, depth: int) -> bool:
        """Whether a plan of so many frames is made longer before it is rewritten for a task.

        Rewriting does not shorten it, but nor does it make it longer, so a knob that never rests
        would use it up. One that had rested is not kept waiting for the whole of the reserve,
        unless the next small stall would be heard. An engine that only just keeps up never gets
        there.
        """
        estimate, rested = self.times.estimate, task.turned_at - self.rewritten_at
        enough = self.reserve
        if rested >= RESTED and task.waited * estimate >= PATIENCE:
            enough = (CRITICAL * estimate + CRITICAL_SECONDS) * self.rate
        longer = depth < enough and self.times.sustained > 1.05
        task.waited += longer
        return longer

    @property
    def reserve(self) -> float:
        """A plan that is shorter is made longer before it is rewritten, for a while."""
        # Longer where blocks take long: what makes them so may hold the next one up as well.
        seconds = min(2.2, max(self.settings.reserve_seconds, 6.0 * self.times.estimate))
        return min(seconds, 0.75 * self.settings.plan_seconds) * self.rate


@dataclass
class LatencyStats:
    """From a turned knob to the changed sound, in seconds, as the performer would measure it."""

    last: float | None = None
    worst: float = 0.0
    count: int = 0
    _waiting: list[tuple[float, int]] = field(default_factory=list)

    def planned(self, turned_at: float, join: int) -> None:
        """A change that was made at a time will be heard from a position on.

        It takes the place of changes that were to be heard there or later: they never will be.
        """
        late = [at for at, where in self._waiting if where >= join]
        self._waiting = [(at, where) for at, where in self._waiting if where < join]
        self._waiting.append((min([turned_at, *late]), join))

    def heard(self, read: int, read_at: float, latency: float, rate: int) -> None:
        """The reader is at a position at a time."""
        for turned_at, join in [w for w in self._waiting if w[1] <= read]:
            delay = read_at - (read - join) / rate + latency - turned_at
            self.last = delay
            self.worst = max(self.worst, delay)
            self.count += 1
        self._waiting = [w for w in self._waiting if w[1] > read]

    def forget(self) -> None:
        """What was waiting will not be heard (the plan was thrown away, or the music paused)."""
        self._waiting.clear()


class RenderTimes:
    """How long the last blocks took, in seconds."""

    def __init__(self, block_seconds: float, most: int = 20) -> None:
        self.block_seconds = block_seconds
        self.recent: deque[float] = deque(maxlen=most)
        self.changed: deque[float] = deque(maxlen=5)

    def took(self, seconds: float, changed: bool = False) -> None:
        """changed: it did not follow on the last block under the same controls, for which an engine
        may have worked ahead."""
        self.recent.append(seconds)
        if changed:
            self.changed.append(seconds)

    @property
    def median(self) -> float:
        return float(np.median(self.recent)) if self.recent else 0.0

    @property
    def estimate(self) -> float:
        """What the next block will hardly exceed, even if it changes something: nine tenths of the
        recent ones took less, and half of those that last did (but for single stalls)."""
        if not self.recent:
            return 0.0
        usual = float(np.quantile(self.recent, 0.9))
        changes = float(np.median(self.changed)) if self.changed else 0.0
        return max(usual, min(changes, 2.0 * usual))

    @property
    def real_time_factor(self) -> float:
        """Seconds of sound per second of work."""
        return self.block_seconds / self.median if self.median > 0 else 0.0

    @property
    def sustained(self) -> float:
        """As `real_time_factor`, with the slow blocks counted for what they are: by the mean."""
        mean = float(np.mean(self.recent)) if self.recent else 0.0
        return self.block_seconds / mean if mean > 0.0 else 0.0
