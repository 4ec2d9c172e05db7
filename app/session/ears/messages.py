"""Messages between the instrument and its ears: small, and pickled through a pipe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from app.session.ears.followed_plan import FollowedPlan
from app.session.follow_send import FollowSettings
from models.music.hearing.transcript_change import TranscriptChange

STOP: Final = "stop"
MODULES: Final = "modules"
ALIVE: Final = "alive"
"""Heartbeat of the process: it goes on listening."""


@dataclass(frozen=True)
class FollowRequest:
    """How to follow from now on.

    Attributes:
        settings: amount and options.
        block_frames: of the engine; 0 while there is none.
        frozen: keep what was understood, and listen no more.

    """

    settings: FollowSettings = field(default_factory=FollowSettings)
    block_frames: int = 0
    frozen: bool = False

    @property
    def wanted(self) -> bool:
        return self.settings.amount > 0.0 and self.block_frames > 0


@dataclass(frozen=True)
class MemoryRequest:
    """What to write down from now on.

    Attributes:
        wanted: whether anything.
        frozen: what was heard stays, and nothing more is.
        echo: whether the sound itself is waited for, and not only what was played.

    """

    wanted: bool = False
    frozen: bool = False
    echo: bool = False


@dataclass(frozen=True)
class FollowNews:
    """What steers the blocks from now on; None: nothing does."""

    plan: FollowedPlan | None


@dataclass(frozen=True)
class FollowWords:
    """What was understood, in words; empty while it does not listen."""

    text: str


@dataclass(frozen=True)
class MemoryNews:
    """What was written down since the news before.

    Attributes:
        first: frame of the output's clock at second 0.
        end: frame up to which it was heard.
        change: of the transcript; of an empty one where `fresh`.
        fresh: whether it listens afresh.
        tell: whether the plan is to be made again for it.
        written: whether for notes or hits, and not for sound alone.

    """

    first: int
    end: int
    change: TranscriptChange
    fresh: bool
    tell: bool
    written: bool = True


@dataclass(frozen=True)
class MemoryKept:
    """What was heard stays, with its sound."""


@dataclass(frozen=True)
class MemoryForgotten:
    """Nothing is known any more."""


@dataclass(frozen=True)
class EarWarning:
    """A sentence for the performer."""

    sentence: str


@dataclass(frozen=True)
class ModuleNames:
    """Modules that the process has imported, for diagnosis."""

    names: tuple[str, ...]
