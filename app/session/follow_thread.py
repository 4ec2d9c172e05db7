"""Thread that listens to the input beside the stream, and lets the plan follow it.

Neither the window nor the audio callback waits for it: it reads the input's ring, and gives the
inference thread a function that steers each block (`Worker.accompany`). It gives another one only
where what was planned no longer fits, so that the plan is not made again without need.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.audio.input.history import InputHistory
from app.audio.ring import TapRing
from app.session.follow_send import FollowEars, FollowSettings, band_position, follow
from app.session.input_listener import InputListener
from models.engine.controls import Controls
from models.engine.interface import ScoreInfo
from models.music.score import SAMPLE_RATE
from models.music.tracking.follow import Understanding, outdated, words
from models.music.tracking.own_sound import LEAST, OWN, own_share

Steer = Callable[[Controls, ScoreInfo | None, int], Controls]

APART: Final = 0.3  # seconds between two changes of the plan
BEHIND: Final = 3.0  # seconds of input that are caught up with; where there is more it begins anew
OWN_EVERY: Final = 2.0
OWN_SPAN: Final = LEAST + 1.5  # seconds that are compared
OWN_TIMES: Final = 2  # comparisons in a row that must agree
SHIFT: Final = 0.01  # seconds by which the plan moved on the input's clock, as by a pause
QUIET_DB: Final = -60.0
OWN_SENTENCE: Final = (
    "Follow hears the instrument itself and waits: use headphones, or turn the microphone away."
)


def unchanged(controls: Controls, score: ScoreInfo | None, start: int) -> Controls:
    """Controls as the performer has set them."""
    return controls


@dataclass(frozen=True)
class FollowedPlan:
    """What steers the blocks, with all that it depends on.

    Attributes:
        settings: how to follow.
        understood: of the player.
        block_frames: length of a block.
        plan: a plan position, and `clock`, the seconds of the input at which it is heard.

    """

    settings: FollowSettings
    understood: Understanding
    block_frames: int
    plan: int
    clock: float

    def seconds_at(self, position: int) -> float:
        """Seconds of the input at which a plan position to come is heard."""
        return self.clock + (position - self.plan) / SAMPLE_RATE

    def steer(self, controls: Controls, score: ScoreInfo | None, start: int) -> Controls:
        """Controls of the block that begins at plan position `start`."""
        try:
            band = band_position(score, start, self.block_frames, self.seconds_at)
            end = self.seconds_at(start + self.block_frames)
            return follow(controls, self.settings, self.understood, band, end)
        except Exception:  # the music goes on, as it was set
            return controls

    def fits(self, other: FollowedPlan) -> bool:
        """Whether what was planned with this one is as `other` would have it."""
        shift = self.seconds_at(other.plan) - other.clock
        return (
            self.settings == other.settings
            and abs(shift) < SHIFT
            and not outdated(self.understood, other.understood)
        )


class FollowThread(InputListener):
    """Listens while there is an input and an amount; costs nothing otherwise.

    Args:
        input: the input's ring.
        tap: ring of the output, to tell whether the input is the output.
        accompany: takes the function that steers the blocks.
        report: takes level and sentence, in this thread.

    """

    NAME = "follow"
    EVERY = 0.02

    def __init__(
        self,
        input: InputHistory,
        tap: TapRing,
        accompany: Callable[[Steer], object],
        report: Callable[[str, str], object],
    ) -> None:
        super().__init__(input, report)
        self.tap, self._accompany = tap, accompany
        self._settings, self._frozen, self._block = FollowSettings(), False, 0
        self._ears: FollowEars | None = None
        self._start = self._next = 0  # frames of the output's clock: of second 0, and to be heard
        self._given: FollowedPlan | None = None
        self._given_at = self._compared_at = 0.0
        self._plan = -1
        self._own = 0
        self._words = ""

    # Any thread.

    def configure(self, settings: FollowSettings, block_frames: int, frozen: bool = False) -> None:
        """How to follow from now on.

        Args:
            settings: amount and options.
            block_frames: of the engine; 0 while there is none.
            frozen: keep what was understood, and listen no more.

        """
        self._settings, self._block, self._frozen = settings, block_frames, frozen
        self.wake(settings.amount > 0.0)

    def words(self) -> str:
        """What was understood, in words; empty while it does not listen."""
        return self._words

    # Its own thread.

    def wanted(self) -> bool:
        return self._settings.amount > 0.0 and self._block > 0

    def _rest(self) -> None:
        """Steer nothing, and forget what was heard."""
        if self._given is not None:
            self._given = None
            self._accompany(unchanged)
        self._ears, self._own, self._words = None, 0, ""

    def listen(self) -> None:
        """Hear what has come in since the last time, and follow it."""
        end = self.input.end
        if self._frozen and self._ears is not None:
            self._next = end
            return
        if self._ears is None or end - self._next > BEHIND * SAMPLE_RATE or end < self._next:
            self._ears = FollowEars()
            self._start = self._next = end
        understood = self._ears.hear(self.input.copy(self._next, end))
        self._next = end
        now = (end - self._start) / SAMPLE_RATE
        if now - self._compared_at >= OWN_EVERY or now < self._compared_at:
            self._compared_at = now
            self._compare()
        if self._own >= OWN_TIMES:
            return
        self._words = self._described(understood, now)
        if now - self._given_at >= APART or now < self._given_at or self._given is None:
            self._give(understood, now)

    def _give(self, understood: Understanding, now: float) -> None:
        """Let the plan follow, where what was given last does not fit."""
        plan = self.input.clock_map.plan_at(self._next)
        stands, self._plan = plan == self._plan, plan
        new = FollowedPlan(self._settings, understood, self._block, plan, now)
        if self._given is not None and (stands or self._given.fits(new)):
            return  # while the plan stands, as in a pause, its place is not known
        self._given, self._given_at = new, now
        self._accompany(new.steer)

    def _described(self, understood: Understanding, now: float) -> str:
        if not understood.played:
            return "Follow hears nothing yet: play something in."
        text = words(understood, now)
        if not text:
            return "Follow listens for a beat and a chord."
        return f"{text} (you are silent)" if understood.level_db < QUIET_DB else text

    def _compare(self) -> None:
        """Whether what comes in is what goes out."""
        stop = min(self.tap.end, self.input.clock_map.plan_at(self.input.end))
        start, played = self.tap.follow(max(0, stop - round(OWN_SPAN * SAMPLE_RATE)))
        played = played[: max(0, stop - start)]
        heard = self.input.at_plan(start, start + len(played)).samples
        own = own_share(played, heard) >= OWN
        was = self._own >= OWN_TIMES
        self._own = min(OWN_TIMES, self._own + 1) if own else max(0, self._own - 1)
        if self._own >= OWN_TIMES and not was:
            self._words = OWN_SENTENCE
            self._report("warning", OWN_SENTENCE)
            if self._given is not None:
                self._given = None
                self._accompany(unchanged)
