"""Follow send: the band accompanies what the performer plays in.

The ears hear the input, and what is understood of it steers each block as it is written
(`models.music.tracking.follow`): live in the plan, and in `render --input`. Whatever the performer
has set by hand, keys held and a key chosen, stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.parameters.input_parameters import NOBODY
from app.parameters.registry import Registry
from models.engine.controls import Controls
from models.engine.interface import ScoreInfo
from models.music.score import SAMPLE_RATE
from models.music.tracking.follow import (
    Accompaniment,
    BandPosition,
    Understanding,
    accompany,
    understand,
)
from models.music.tracking.tracker import EarState, initial_ears, listen
from models.music.tracking.weights import load_ear_weights

CENTRE: Final = 0.5  # density from which the answer departs where none is set


@dataclass(frozen=True)
class FollowSettings:
    """How the band follows.

    Attributes:
        amount: 0 (not at all) to 1: how quickly it catches up, how firmly it keeps to the chords,
            how far its density answers.
        lock: whether the band takes the player's tempo; otherwise it leads with its own.
        chords: whether it follows chords and key.
        answer: whether it plays more while the player plays less.
        part: the stem that is left to the player, or NOBODY.

    """

    amount: float = 0.0
    lock: bool = True
    chords: bool = True
    answer: bool = True
    part: str = NOBODY


def follow_settings(registry: Registry) -> FollowSettings:
    """Settings that the parameters ask for."""
    get = registry.get
    amount = registry.number("send.follow") if registry.available("send.follow") else 0.0
    return FollowSettings(
        amount,
        bool(get("follow.lock")),
        bool(get("follow.chords")),
        bool(get("follow.answer")),
        str(get("follow.part")),
    )


class FollowEars:
    """Ears of one input, and what is understood of it."""

    def __init__(self) -> None:
        self._weights = load_ear_weights()
        self._state: EarState = initial_ears(self._weights)
        self.understood = Understanding()

    def hear(self, samples: NDArray[np.float32]) -> Understanding:
        """Take samples (n, 2) at 48 kHz in; what is understood after them."""
        self._state, heard = listen(self._weights, self._state, samples, pitch=False)
        self.understood = understand(self.understood, heard)
        return self.understood


def band_position(
    score: ScoreInfo | None, start: int, block_frames: int, seconds_at: Callable[[int], float]
) -> BandPosition | None:
    """Where the band is: the last step that it has written; None where the engine does not say.

    Args:
        score: of the block before.
        start: plan position at which the next block begins.
        block_frames: length of a block.
        seconds_at: seconds of the input at which a plan position is heard.

    """
    if score is None or score.tempo is None or score.beat is None:
        return None
    frame = start if score.bars_at is None else start - block_frames + score.bars_at
    return BandPosition(seconds_at(frame), score.beat, score.tempo)


def follow(
    controls: Controls,
    settings: FollowSettings,
    understood: Understanding,
    band: BandPosition | None,
    begin: float,
    end: float,
) -> Controls:
    """Controls of a block that accompanies.

    Args:
        controls: as the performer has set them.
        settings: how to follow.
        understood: of the player.
        band: where the band is.
        begin: seconds of the input at which the block's start is heard.
        end: those at which its end is heard.

    """
    if settings.amount <= 0.0:
        return controls
    found = accompany(understood, end, band, settings.amount, begin)
    changes: dict[str, object] = {}
    if settings.part != NOBODY:
        changes["mute"] = controls.mute | {settings.part}
    if settings.lock and found.bpm is not None:
        changes["bpm"] = found.bpm
    if settings.lock and found.next_beat is not None:
        changes["next_beat"] = round(found.next_beat, 3)
    if settings.chords and not controls.notes:
        changes.update(_harmony(controls, found))
    if settings.answer and found.density is not None:
        own = CENTRE if controls.density is None else controls.density
        changes["density"] = own + settings.amount * (found.density - own)
    firm: dict[str, float] = dict.fromkeys({"notes", "key"} & set(changes), settings.amount)
    if "bpm" in changes:
        firm["bpm"] = 1.0
    return controls.with_(**changes, strength={**controls.strength, **firm})


def _harmony(controls: Controls, found: Accompaniment) -> dict[str, object]:
    changes: dict[str, object] = {"notes": found.notes} if found.notes else {}
    if found.key is not None and controls.key is None:
        changes["key"] = found.key
    return changes


def seconds_of(frame: int) -> float:
    """Seconds of a frame where input and plan have one clock."""
    return frame / SAMPLE_RATE
