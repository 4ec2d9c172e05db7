"""Followed plan: what steers each block while Follow is open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.session.follow_send import FollowSettings, band_position, follow
from models.engine.controls import Controls
from models.engine.interface import ScoreInfo
from models.music.score import SAMPLE_RATE
from models.music.tracking.follow import Understanding, outdated

Steer = Callable[[Controls, ScoreInfo | None, int], Controls]

SHIFT: Final = 0.01  # seconds by which the plan moved on the input's clock, as by a pause


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
            begin, end = (self.seconds_at(at) for at in (start, start + self.block_frames))
            return follow(controls, self.settings, self.understood, band, begin, end)
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
