"""Health of the inference thread: faulty blocks, recovery, render times and latency.

`BlockWatch` finds faulty blocks, `Recovery` decides what to do about them, `RewritePacing` when to
rewrite the plan, and `LatencyStats` measures the time from a turned knob to the changed sound.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import numpy as np

from app.inference.messages import ControlTask, WorkerSettings
from app.inference.plan import commit_point, deadline
from models.engine.controls import Controls
from models.engine.interface import STEMS, EngineInfo, block_fault

SILENT_PEAK: Final = 10 ** (-70 / 20)
"""Peak of a silent block (-70 dB of full scale)."""
SILENT_SECONDS: Final = 4.0
MAX_PEAK: Final = 16.0
"""Peak above which a block is faulty (+24 dB)."""
MAX_RMS: Final = 1.0
REST_SECONDS: Final = 0.5
"""Pause after which a turn of a knob counts as a new gesture."""
MAX_DELAY_SECONDS: Final = 0.2
"""Delay of a new gesture while the plan is lengthened."""
FOLLOW_HURRY: Final = 0.04
"""Seconds by which what Follow changes sounds sooner after it was played than a knob's change."""
RESERVE_BLOCKS: Final = 6.0
"""Render times of blocks that a plan holds before it is rewritten: the next one may be as slow."""
CRITICAL_BLOCKS: Final = 2.0
CRITICAL_SECONDS: Final = 0.4
"""Plan that must be there before any rewrite: render times of some blocks, and some seconds."""

LINE_SECONDS: Final = 0.6
"""As CRITICAL_SECONDS, on a line: what is lost is sent again, and holds up what is behind it."""
CAUTION: Final = 0.9
"""Part of a line's speed that is counted on: it is that of the last second or two of music."""
MAX_WAIT_SECONDS: Final = 3.0
"""Longest time for which new controls wait on a line that does not lengthen the plan."""
DOWN_SECONDS: Final = 1.0
"""From which a line that does not answer is down, which says nothing about its journeys."""
AT_HAND_SECONDS: Final = 0.002
"""A block of an engine elsewhere that takes no longer was there already."""
LENGTHENS: Final = 1.02
"""Seconds of music a second from which a line lengthens the plan."""


class BlockWatch:
    """Fault detector for blocks."""

    def __init__(self, info: EngineInfo) -> None:
        self.info = info
        self._silent_blocks = 0
        self._silence_limit = SILENT_SECONDS

    def fault(self, block: object, controls: Controls) -> str | None:
        """Fault of a block, as a clause; None if it is valid."""
        fault = block_fault(block, self.info)
        if fault is not None:
            return fault
        assert isinstance(block, np.ndarray)
        peak = float(np.abs(block).max(initial=0.0))
        if peak > MAX_PEAK or float(np.sqrt(np.mean(np.square(block)))) > MAX_RMS:
            return "the engine gave a signal far above full scale"
        if peak >= SILENT_PEAK:
            self._silent_blocks = 0
            self._silence_limit = SILENT_SECONDS
            return None
        if may_be_silent(controls):
            self._silent_blocks = 0
            return None
        self._silent_blocks += 1
        if self._silent_blocks * self.info.block_seconds < self._silence_limit:
            return None
        self._silent_blocks = 0
        self._silence_limit = min(60.0, 2 * self._silence_limit)  # the music may be silent
        return "the engine went silent"


def may_be_silent(controls: Controls) -> bool:
    """Whether the controls allow silence."""
    if controls.density is not None and controls.density <= 0.05:
        return True
    return set(STEMS) <= set(controls.mute)


class RecoveryAction(Enum):
    """Measure before the next attempt, in the order of how much of the context it loses."""

    AGAIN = "trying again while the plan plays on"
    BACK = "going back to an earlier moment"
    CLEAR = "starting afresh"
    RESTART = "starting the stream anew"
    WAIT = "waiting; clear the history or choose another engine if it lasts"


@dataclass
class Recovery:
    """Escalation of recovery over failures in a row."""

    failures: int = 0

    def failed(self, silent: bool = False) -> RecoveryAction:
        """Action after one more failure; a silent engine is cleared at once."""
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
        """Pause before the next attempt, doubling up to 5 s."""
        return float(min(5.0, 0.25 * 2 ** min(8, max(0, self.failures - 5))))

    def succeeded(self) -> int:
        """Note a valid block. Returns how many attempts had failed before."""
        failures, self.failures = self.failures, 0
        return failures


class RewritePacing:
    """Distance ahead of the reader at which the plan is rewritten, by how long blocks take.

    rewritten_at: when new controls were last planned, by the planner's clock.
    """

    def __init__(self, settings: WorkerSettings, times: RenderTimes, rate: int) -> None:
        self.settings, self.times, self.rate = settings, times, rate
        self.rewritten_at = -math.inf

    def commit(self, read: int, margin: int, ring: int) -> int:
        """Commit point: first position that a block which is started now may still rewrite.

        ring: frames that the reader has before it.
        """
        slack = round(self.settings.slack_ms * self.rate / 1000)
        soonest = commit_point(read, margin, self.times.expected * self.rate, slack)
        return max(soonest, read + round(self.settled(ring))) if self.times.remote else soonest

    def due(self, read: int, waited: float, latency: float) -> int:
        """Position by which a change made `waited` seconds ago should sound."""
        promised = self.times.block_seconds + self.settings.promised_ms / 1000
        return deadline(read, promised, waited, latency, self.rate)

    def must_lengthen(self, task: ControlTask, depth: int) -> bool:
        """Whether a plan of `depth` frames is lengthened before it is rewritten for a task.

        A rewrite does not lengthen the plan, so a knob that never rests would use it up. A new
        gesture does not wait for the whole reserve, unless the next small stall would be audible.
        An engine that only just keeps up does not wait at all.
        """
        if task.hurry is not None:
            return False
        estimate, rest = self.times.estimate, task.turned_at - self.rewritten_at
        enough = self.reserve
        if rest >= REST_SECONDS and task.lengthened * estimate >= MAX_DELAY_SECONDS:
            enough = self.critical
        longer = depth < enough and self.times.sustained > 1.05
        task.lengthened += longer
        return longer

    @property
    def critical(self) -> float:
        """Frames of plan under which the next small stall would be audible."""
        return (CRITICAL_BLOCKS * self.times.estimate + CRITICAL_SECONDS) * self.rate

    def settled(self, ring: int) -> float:
        """Frames ahead of the reader, of `ring` frames, that a rewrite must leave on a line.

        The old plan plays on through the journey of the first block, and then until as much as was
        thrown away is back, which a thin line brings hardly faster than it is played. More than
        `ring` where the plan would run short of LINE_SECONDS even if all of it stayed.
        """
        spare = ring - (self.times.estimate + LINE_SECONDS) * self.rate
        return ring - CAUTION * self.times.sustained * spare

    def must_wait(self, depth: int, ring: int, waited: float) -> bool:
        """Whether new controls wait until the plan is longer, on a line.

        Args:
            depth: frames planned under the newest controls. An older plan lies behind them, and
                should not be heard again before the first block under the new ones is there.
            ring: frames that the reader has before it.
            waited: seconds since the change.

        """
        if waited >= MAX_WAIT_SECONDS and self.times.sustained < LENGTHENS:
            return False
        enough = max(self.settled(ring), self.times.estimate * self.rate)
        return depth < min(enough, self._most)

    @property
    def reserve(self) -> float:
        """Frames below which a plan is lengthened before it is rewritten."""
        blocks = RESERVE_BLOCKS * self.times.estimate
        seconds = min(2.2, max(self.settings.reserve_seconds, blocks))
        return min(seconds * self.rate, self._most)

    @property
    def _most(self) -> float:
        """Frames that a plan has now and then."""
        return 0.75 * self.settings.plan_seconds * self.rate


@dataclass
class LatencyStats:
    """Latency from a turned knob to the changed sound, in seconds."""

    last: float | None = None
    worst: float = 0.0
    count: int = 0
    _waiting: list[tuple[float, int]] = field(default_factory=list)

    def scheduled(self, turned_at: float, join: int) -> None:
        """Note that a change sounds from plan position `join` on; it replaces any later ones."""
        late = [at for at, where in self._waiting if where >= join]
        self._waiting = [(at, where) for at, where in self._waiting if where < join]
        self._waiting.append((min([turned_at, *late]), join))

    def reader_at(self, read: int, read_at: float, latency: float, rate: int) -> None:
        """Count the changes that the reader has reached: position `read` at time `read_at`."""
        for turned_at, join in [w for w in self._waiting if w[1] <= read]:
            delay = read_at - (read - join) / rate + latency - turned_at
            self.last = delay
            self.worst = max(self.worst, delay)
            self.count += 1
        self._waiting = [w for w in self._waiting if w[1] > read]

    def forget(self) -> None:
        """Drop changes that have not sounded (the plan was cut, or the music paused)."""
        self._waiting.clear()


def quantile(values: Sequence[float], part: float) -> float:
    """Quantile by linear interpolation, as numpy's, which takes fifty times as long for so few."""
    ordered, place = sorted(values), part * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


class RenderTimes:
    """Render times of the last blocks, in seconds. remote: they come over a line: the first one
    after a change takes the whole journey, and says nothing about how many the line carries.
    """

    def __init__(self, block_seconds: float, count: int = 20, *, remote: bool = False) -> None:
        self.block_seconds, self.remote = block_seconds, remote
        self.recent: deque[float] = deque(maxlen=count)
        self.changed: deque[float] = deque(maxlen=5)
        self._rested = False

    def rest(self) -> None:
        """Note that the plan is long enough: what an engine elsewhere sends meanwhile is at hand
        when it is wanted, and says nothing about how fast more would come.
        """
        self._rested = self.remote

    def add(self, seconds: float, changed: bool = False) -> None:
        """Note a block. changed: under other controls than the last, so without work ahead."""
        if self.remote:
            seconds = min(seconds, DOWN_SECONDS)
        if self._rested and seconds < AT_HAND_SECONDS and not changed:
            return
        self._rested = False
        if changed:
            self.changed.append(seconds)
        if not (changed and self.remote):
            self.recent.append(seconds)

    @property
    def median(self) -> float:
        return quantile(self.recent, 0.5) if self.recent else 0.0

    @property
    def estimate(self) -> float:
        """Upper estimate for the next block: the 90th percentile, or the median of changed ones."""
        if not self.recent and not self.changed:
            return 0.0
        typical = quantile(self.recent, 0.9) if self.recent else 0.0
        part = 0.8 if self.remote else 0.5  # journeys differ more than computing does
        changes = quantile(self.changed, part) if self.changed else 0.0
        return max(typical, changes if self.remote else min(changes, 2.0 * typical))

    @property
    def expected(self) -> float:
        """What the next block under new controls may take: as `estimate`, but the median of an
        engine of this machine, as a block that comes later only joins in later.
        """
        if self.remote or not self.recent:
            return self.estimate
        changes = quantile(self.changed, 0.5) if self.changed else 0.0
        return max(self.median, min(changes, 2.0 * self.median))

    @property
    def real_time_factor(self) -> float:
        """Seconds of audio per second of rendering, by the median."""
        return self.block_seconds / self.median if self.median > 0 else 0.0

    @property
    def sustained(self) -> float:
        """As `real_time_factor`, by the mean, so that slow blocks count in full."""
        mean = sum(self.recent) / len(self.recent) if self.recent else 0.0
        return self.block_seconds / mean if mean > 0.0 else 0.0
