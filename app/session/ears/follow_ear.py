"""Ear of the follow send: beat, chords and key of what comes in, as a plan that steers the blocks.

It gives another plan only where what was planned no longer fits, so that blocks are not made again
without need.
"""

from __future__ import annotations

from typing import Final

from app.audio.input.history import InputHistory
from app.audio.ring import TapRing
from app.session.ears.ear import BEHIND, Ear, Say
from app.session.ears.followed_plan import FollowedPlan
from app.session.ears.messages import EarWarning, FollowNews, FollowRequest, FollowWords
from app.session.ears.pacing import ChangePacing
from app.session.follow_send import FollowEars
from models.music.score import SAMPLE_RATE
from models.music.tracking.follow import Understanding, words
from models.music.tracking.own_sound import LEAST, OWN, own_share

APART: Final = 0.3  # seconds between two changes of the plan, in the mean
OWN_EVERY: Final = 2.0
WORDS_EVERY: Final = 0.1  # seconds between two descriptions
OWN_SPAN: Final = LEAST + 1.5  # seconds that are compared
OWN_TIMES: Final = 2  # comparisons in a row that must agree
QUIET_DB: Final = -60.0
OWN_SENTENCE: Final = (
    "Follow hears the instrument itself and waits: use headphones, or turn the microphone away."
)


class FollowEar(Ear):
    """Ear of the follow send.

    Args:
        input: the input's ring.
        tap: ring of the output, to tell whether the input is the output.
        say: takes FollowNews, FollowWords and EarWarning.

    """

    NAME = "follow"
    EVERY = 0.02

    def __init__(self, input: InputHistory, tap: TapRing, say: Say) -> None:
        super().__init__(input, say)
        self.tap = tap
        self._request = FollowRequest()
        self._ears: FollowEars | None = None
        self._start = self._next = 0  # frames of the output's clock: of second 0, and to be heard
        self._given: FollowedPlan | None = None
        self._pacing = ChangePacing(APART)
        self._compared_at = self._described_at = 0.0
        self._plan = -1
        self._own = 0
        self._words = ""

    def configure(self, request: object) -> None:
        if isinstance(request, FollowRequest):
            self._request = request

    def wanted(self) -> bool:
        return self._request.wanted

    def rest(self) -> None:
        """Steer nothing, and forget what was heard."""
        self._give(None)
        self._ears, self._own = None, 0
        self._describe("")

    def listen(self) -> None:
        """Hear what has come in since the last time, and follow it."""
        end = self.input.end
        if self._request.frozen and self._ears is not None:
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
        if not 0.0 <= now - self._described_at < WORDS_EVERY:
            self._described_at = now
            self._describe(_description(understood, now))
        self._follow(understood, now)

    def _follow(self, understood: Understanding, now: float) -> None:
        """Let the plan follow, where what was given last does not fit."""
        plan = self.input.clock_map.plan_at(self._next)
        stands, self._plan = plan == self._plan, plan
        request = self._request
        new = FollowedPlan(request.settings, understood, request.block_frames, plan, now)
        if self._given is not None and (stands or self._given.fits(new)):
            return  # while the plan stands, as in a pause, its place is not known
        if self._pacing.may(now):
            self._give(new)

    def _give(self, plan: FollowedPlan | None) -> None:
        if plan is not self._given:
            self._given = plan
            self._say(FollowNews(plan))

    def _describe(self, text: str) -> None:
        if text != self._words:
            self._words = text
            self._say(FollowWords(text))

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
            self._describe(OWN_SENTENCE)
            self._say(EarWarning(OWN_SENTENCE))
            self._give(None)


def _description(understood: Understanding, now: float) -> str:
    if not understood.played:
        return "Follow hears nothing yet: play something in."
    text = words(understood, now)
    if not text:
        return "Follow listens for a beat and a chord."
    return f"{text} (you are silent)" if understood.level_db < QUIET_DB else text
