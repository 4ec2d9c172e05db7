"""Link to the ear of the follow send: what it understood steers the plan."""

from __future__ import annotations

from collections.abc import Callable

from app.session.ears.ears import Ears
from app.session.ears.followed_plan import Steer, unchanged
from app.session.ears.messages import FollowNews, FollowRequest, FollowWords
from app.session.follow_send import FollowSettings


class FollowLink:
    """Gives the inference thread what steers each block.

    Args:
        ears: the process that hears.
        accompany: takes the function that steers the blocks, in the ears' thread.

    """

    def __init__(self, ears: Ears, accompany: Callable[[Steer], object]) -> None:
        self._ears, self._accompany = ears, accompany
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
            self._accompany(unchanged if news.plan is None else news.plan.steer)

    def forget(self) -> None:
        """The ears have ended: steer nothing."""
        self._words = ""
        if self._steered:
            self.take(FollowNews(None))
