"""Link to the ear of the follow send: what it understood steers the plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.session.ears.ears import Ears
from app.session.ears.followed_plan import Steer, unchanged
from app.session.ears.messages import FollowNews, FollowRequest, FollowWords
from app.session.follow_send import FollowSettings
from models.music.score import SAMPLE_RATE

OLDEST: Final = 0.1
"""Seconds; what seems older was played while the plan stood, or was heard late."""


class FollowLink:
    """Gives the inference thread what steers each block.

    Args:
        ears: the process that hears.
        accompany: takes the function that steers the blocks, and the seconds since what it follows
            was played, in the ears' thread.
        heard: gives the plan position that sounds now.

    """

    def __init__(
        self,
        ears: Ears,
        accompany: Callable[[Steer, float], object],
        heard: Callable[[], float],
    ) -> None:
        self._ears, self._accompany, self._heard = ears, accompany, heard
        self._steered = False
        self._words = ""
        ears.add(self)

    # Any thread.

    def configure(self, settings: FollowSettings, block_frames: int, frozen: bool = False) -> None:
        """How to follow from now on, see `FollowRequest`."""
        request = FollowRequest(settings, block_frames, frozen)
        self._ears.ask(request, wanted=request.wanted)

    def words(self) -> str:
        """What was understood, in words; empty while it does not listen."""
        return self._words

    # The ears' thread.

    def take(self, news: object) -> None:
        """Take what the ear found."""
        if isinstance(news, FollowWords):
            self._words = news.text
        elif isinstance(news, FollowNews):
            self._steered = news.plan is not None
            if news.plan is None:
                self._accompany(unchanged, 0.0)
            else:
                age = (self._heard() - news.plan.plan) / SAMPLE_RATE
                self._accompany(news.plan.steer, min(OLDEST, max(0.0, age)))

    def forget(self) -> None:
        """The ears have ended: steer nothing."""
        self._words = ""
        if self._steered:
            self.take(FollowNews(None))
